use vextir::prelude::*;

struct Ask {
    location: String,
}

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on]
    async fn get(&self, ask: Ask) {
        drop(ask.location);
    }

    #[on]
    async fn text(&self, _text: String) {}
}

fn main() {}
