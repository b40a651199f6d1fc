use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on(effect = "nothing")]
    async fn get(&self, _ask: GetWeather) {}

    #[on("weather.*", effect = 3)]
    async fn other(&self, _event: Event) {}
}

fn main() {}
