use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Answer;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on]
    async fn get(&self, _ask: GetWeather) -> Answer {
        Answer
    }

    #[on("weather.*")]
    async fn text(&self, _event: Event) -> Result<Vec<u8>, Failure> {
        Ok(Vec::new())
    }
}

fn main() {}
