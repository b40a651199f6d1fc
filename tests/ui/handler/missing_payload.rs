use vextir::prelude::*;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on]
    async fn get(&self) {}

    #[on]
    async fn other(&self, _cx: &Ctx) {}
}

fn main() {}
