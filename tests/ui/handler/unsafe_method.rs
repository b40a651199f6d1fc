use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on]
    async unsafe fn get(&self, _ask: GetWeather) {}
}

fn main() {}
