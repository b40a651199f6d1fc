use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.get")]
struct AskWeather;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on]
    async fn get(&self, _ask: GetWeather) {}

    #[on]
    async fn ask(&self, _ask: AskWeather) {}
}

fn main() {}
