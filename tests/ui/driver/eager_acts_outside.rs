use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

struct First;

#[driver("first", eager)]
impl First {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Second;

#[driver("second", eager, effect = "acts_outside")]
impl Second {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Third;

#[driver("third", eager, effect = "reads")]
impl Third {
    #[on(effect = "acts_outside")]
    async fn get(&self, _ask: GetWeather) {}
}

fn main() {}
