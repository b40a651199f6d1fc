use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on]
    async fn get(&self, _ask: GetWeather, _cx: &mut Ctx) {}

    #[on("weather.*")]
    async fn other(&self, _event: Event, _cx: Ctx) {}
}

fn main() {}
