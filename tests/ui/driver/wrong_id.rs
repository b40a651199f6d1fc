use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct First;

#[driver(5)]
impl First {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Second;

#[driver(weather_tool)]
impl Second {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Third;

#[driver("weather tool")]
impl Third {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Fourth;

#[driver("weather", "tool")]
impl Fourth {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

fn main() {}
