use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on]
    const WEATHER: &str = "weather.get";

    #[on_start]
    const START: u8 = 1;

    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

fn main() {}
