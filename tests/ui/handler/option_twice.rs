use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on(effect = "reads", effect = "reads")]
    async fn get(&self, _ask: GetWeather) {}
}

fn main() {}
