use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on(reserve = 1000)]
    async fn get(&self, _ask: GetWeather) {}

    #[on("a.*", reserve(tokens = "many"))]
    async fn text(&self, _event: Event) {}

    #[on("b.*", reserve(tokens = 0))]
    async fn nothing(&self, _event: Event) {}

    #[on("c.*", reserve(tokens = 1, tokens = 2))]
    async fn twice(&self, _event: Event) {}

    #[on("d.*", reserve())]
    async fn none(&self, _event: Event) {}
}

fn main() {}
