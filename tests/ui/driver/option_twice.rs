use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Weather;

#[driver("weather_tool", retries = 3, timeout = "30s", retries = 5)]
impl Weather {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

fn main() {}
