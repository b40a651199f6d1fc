use vextir::prelude::*;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on("weather..get")]
    async fn empty(&self, _event: Event) {}

    #[on("wea*.get")]
    async fn mixed(&self, _event: Event) {}

    #[on("**.get")]
    async fn early(&self, _event: Event) {}

    #[on("weather.-get")]
    async fn dash(&self, _event: Event) {}

    #[on("weather get", "wetter.für")]
    async fn letters(&self, _event: Event) {}
}

fn main() {}
