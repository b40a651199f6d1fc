use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Broken;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on]
    async fn get(&self, _ask: GetWeather) -> Result<(), Broken> {
        Err(Broken)
    }
}

fn main() {}
