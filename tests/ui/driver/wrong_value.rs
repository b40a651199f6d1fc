use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct First;

#[driver("weather_tool", version = 1)]
impl First {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Second;

#[driver("weather_tool", timeout = 30)]
impl Second {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Third;

#[driver("weather_tool", retries = "3")]
impl Third {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Fourth;

#[driver("weather_tool", effect = "reads", eager = true)]
impl Fourth {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Fifth;

#[driver("weather_tool", crate = "vextir")]
impl Fifth {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Sixth;

#[driver("weather_tool", author)]
impl Sixth {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Seventh;

#[driver("weather_tool", memory("1GB"))]
impl Seventh {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

fn main() {}
