use vextir::prelude::*;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on("weather.*")]
    async fn get(&self, _event: Event) {}

    #[on("wind.get", "weather.*")]
    async fn again(&self, _event: Event) {}

    #[on("rain.get", "rain.get")]
    async fn rain(&self, _event: Event) {}
}

fn main() {}
