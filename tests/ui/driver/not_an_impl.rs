use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

#[driver("weather_tool")]
struct First;

#[driver("weather_tool")]
pub async fn second(_ask: GetWeather) {}

#[driver("weather_tool")]
trait Third {}

fn main() {}
