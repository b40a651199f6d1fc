use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on]
    async fn get(&self, _ask: GetWeather, _cx: &Ctx, _days: u32) {}

    #[on("weather.*")]
    async fn other(&self, _cx: &Ctx, _again: &Ctx, _event: Event) {}
}

fn main() {}
