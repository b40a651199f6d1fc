use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct First;

#[driver("weather_tool", timeout = "30")]
impl First {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Second;

#[driver("weather_tool", timeout = "soon")]
impl Second {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Third;

#[driver("weather_tool", timeout = "0s")]
impl Third {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

fn main() {}
