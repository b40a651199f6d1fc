//! What `#[derive(Payload)]` and `#[driver]` make of a declaration.
#![cfg(feature = "macros")]

extern crate vextir_core as vextir;
extern crate vextir_core as vx;

#[path = "macros/conditional.rs"]
mod conditional;
#[path = "macros/dispatch.rs"]
mod dispatch;
#[path = "macros/generics.rs"]
mod generics;
#[path = "macros/manifest.rs"]
mod manifest;
#[path = "macros/payload.rs"]
mod payload;
#[path = "macros/renamed.rs"]
mod renamed;
#[path = "macros/returns.rs"]
mod returns;
#[path = "macros/watch.rs"]
mod watch;

use vextir::prelude::*;

/// Ask for the weather at one place.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.get")]
struct GetWeather {
    location: String,
}

impl GetWeather {
    fn at(location: &str) -> Event {
        event(&Self { location: location.into() })
    }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.data", category = "output")]
struct WeatherData {
    location: String,
    celsius: f64,
}

fn event(payload: &impl Payload) -> Event {
    Event::of(payload).unwrap_or_else(|error| panic!("{error}"))
}

/// Calls a driver as the processor does, without one.
async fn call(driver: &impl Driver, event: &Event) -> HandlerResult {
    driver.handle_event(event.clone(), &Ctx::detached(event)).await
}

/// The types of what a driver makes of an event.
async fn types(driver: &impl Driver, event: &Event) -> Vec<String> {
    let outputs = call(driver, event).await.unwrap_or_else(|error| panic!("{error}"));
    outputs.iter().map(|output| output.event_type.to_string()).collect()
}
