use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

use std::rc::Rc;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[on]
    async fn get(&self, ask: GetWeather) {
        let here = Rc::new(ask.location);
        std::future::ready(()).await;
        drop(here);
    }
}

fn main() {}
