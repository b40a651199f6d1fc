use vextir::prelude::*;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on]
    async fn get<P: Payload>(&self, _ask: P) {}

    #[on("weather.*")]
    async fn sized<const N: usize>(&self, _event: Event) {}

    #[on]
    async fn hidden(&self, _ask: impl Payload) {}
}

fn main() {}
