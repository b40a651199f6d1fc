use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct First;

#[driver("weather_tool", concurrency = 0)]
impl First {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Second;

#[driver("weather_tool", retries = 5000000000)]
impl Second {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

fn main() {}
