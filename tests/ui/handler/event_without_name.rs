use vextir::prelude::*;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on]
    async fn any(&self, _event: Event) {}
}

fn main() {}
