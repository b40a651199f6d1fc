use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct First;

#[driver("weather_tool", memory = "512")]
impl First {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Second;

#[driver("weather_tool", memory = "0MB")]
impl Second {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Third;

#[driver("weather_tool", memory = "1.5GB")]
impl Third {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

fn main() {}
