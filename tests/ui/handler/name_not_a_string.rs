use vextir::prelude::*;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on(1)]
    async fn number(&self, _event: Event) {}

    #[on = "weather.get"]
    async fn equals(&self, _event: Event) {}

    #[on(weather.get)]
    async fn unquoted(&self, _event: Event) {}
}

fn main() {}
