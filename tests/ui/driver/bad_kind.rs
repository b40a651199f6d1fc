use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Weather;

#[driver("weather_tool", kind = "robot")]
impl Weather {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

fn main() {}
