use vextir::prelude::*;
use vextir_ui_tests::GetWeather;

use std::rc::Rc;

struct First(Rc<str>);

#[driver("first")]
impl First {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

struct Second<T>(T);

#[driver("second")]
impl<T> Second<T> {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

// Of a generic one it is said where one is made.
fn main() {
    register(Second(Rc::new(1)));
}

fn register(_driver: impl Driver) {}
