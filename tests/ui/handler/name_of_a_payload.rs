use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on("weather.get")]
    async fn raw(&self, _event: Event) {}

    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

fn main() {}
