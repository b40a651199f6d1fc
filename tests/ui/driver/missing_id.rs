use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct First;

#[driver]
impl First {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Second;

#[driver(kind = "tool")]
impl Second {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Third;

#[driver(id = "weather_tool")]
impl Third {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

fn main() {}
