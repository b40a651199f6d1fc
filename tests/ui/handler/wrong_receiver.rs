use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on]
    async fn get(self, _ask: GetWeather) {}

    #[on("a.a")]
    async fn mutable(&mut self, _event: Event) {}

    #[on("a.b")]
    async fn shared(self: std::sync::Arc<Self>, _event: Event) {}

    #[on("a.c")]
    async fn none(_event: Event) {}
}

fn main() {}
