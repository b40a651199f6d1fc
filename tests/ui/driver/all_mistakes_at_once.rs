use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct Weather;

#[driver("weather_tool", kind = "robot", timeout = "soon", colour = "red")]
impl Weather {
    #[on]
    fn get(&mut self, _ask: GetWeather) {}

    #[on("weather.*")]
    async fn other(&self, _cx: &Ctx) {}
}

// The driver counts as one all the same: nothing else fails for want of it.
fn register(_driver: impl Driver) {}

fn start() {
    register(Weather);
}

fn main() {}
