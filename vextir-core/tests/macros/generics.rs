//! Drivers with type parameters.

use super::{GetWeather, WeatherData, types};
use std::marker::PhantomData;
use vextir::prelude::*;

trait Source {
    fn celsius(&self, location: &str) -> f64;
}

struct Fixed(f64);

impl Source for Fixed {
    fn celsius(&self, _location: &str) -> f64 {
        self.0
    }
}

struct Weather<T, const PLACES: usize = 1> {
    source: T,
}

#[driver("weather_tool")]
impl<T: Source, const PLACES: usize> Weather<T, PLACES>
where
    T: Send + Sync + 'static,
{
    #[on]
    async fn get(&self, ask: GetWeather) -> Vec<WeatherData> {
        let one =
            || WeatherData { location: ask.location.clone(), celsius: self.source.celsius(&ask.location) };
        std::iter::repeat_with(one).take(PLACES).collect()
    }
}

#[tokio::test]
async fn a_driver_is_generic_over_its_source() {
    let weather = Weather::<_, 2> { source: Fixed(3.5) };
    assert_eq!(types(&weather, &GetWeather::at("Oslo")).await, ["weather.data", "weather.data"]);
    assert_eq!(weather.manifest().capabilities[0].pattern, "weather.get");
}

/// A driver that knows its payloads only by their trait.
struct Echo<P, Q>(PhantomData<fn() -> (P, Q)>);

#[driver("echo")]
impl<P: Payload, Q: Payload> Echo<P, Q> {
    #[on]
    async fn one(&self, payload: P) -> P {
        payload
    }

    #[on]
    async fn other(&self, payload: Q, _cx: &Ctx) -> Option<Q> {
        Some(payload)
    }

    #[on("rain.get")]
    async fn rain(&self, _event: Event) {}
}

#[tokio::test]
async fn a_payload_may_be_a_type_parameter() {
    let echo = Echo::<GetWeather, WeatherData>(PhantomData);
    assert_eq!(types(&echo, &GetWeather::at("Oslo")).await, ["weather.get"]);
    assert_eq!(echo.manifest().capabilities[1].outputs[0].event_type, "weather.data");
}

trait Family: Send + Sync + 'static {
    type Ask: Payload;
    type Answer: Payload;
    fn answer(ask: Self::Ask) -> Self::Answer;
}

struct ByFamily<F>(F);

struct Meteorology;

impl Family for Meteorology {
    type Ask = GetWeather;
    type Answer = WeatherData;
    fn answer(ask: GetWeather) -> WeatherData {
        WeatherData { location: ask.location, celsius: 0.0 }
    }
}

#[driver("family")]
impl<F: Family> ByFamily<F> {
    #[on]
    async fn ask(&self, ask: F::Ask) -> F::Answer {
        F::answer(ask)
    }
}

#[tokio::test]
async fn a_payload_may_be_an_associated_type() {
    assert_eq!(types(&ByFamily(Meteorology), &GetWeather::at("Oslo")).await, ["weather.data"]);
}

/// A payload that is its own driver, and lifetimes where the language leaves them out.
#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "selfish")]
struct Selfish;

#[driver("selfish")]
impl Selfish {
    #[on]
    async fn me<'a>(&'a self, me: Self, _cx: &'a Ctx) -> Self {
        me
    }

    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

#[tokio::test]
async fn a_payload_may_be_self() {
    assert_eq!(types(&Selfish, &Event::of(&Selfish).unwrap()).await, ["selfish"]);
}
