use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on("a.b")]
    #[on("a.c")]
    async fn get(&self, _event: Event) {}

    #[on_stop]
    #[on_stop]
    async fn stop(&self) {}

    #[on]
    #[on_start]
    async fn start(&self, _ask: GetWeather) {}
}

fn main() {}
