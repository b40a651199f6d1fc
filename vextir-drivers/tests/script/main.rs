//! Handlers as data: what they can do, and what they cannot.
#![cfg(feature = "script")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate vextir_core as vextir;

mod bombs;
mod install;
mod simulated;

use serde_json::{Value, json};
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::{Event, EventStream, Processor};
use vextir_drivers::script::Scripts;

/// A processor on a hub, with one handler for `go`.
async fn with(code: &str) -> Processor {
    let scripts = Scripts::new().with_handler("one", "go", code);
    Processor::builder(Hub::in_memory().unwrap()).driver(scripts).start().await.unwrap()
}

async fn next(stream: &mut EventStream) -> Event {
    let next = tokio::time::timeout(Duration::from_secs(60), stream.next());
    next.await.unwrap().unwrap().unwrap()
}

/// What the handler fails with.
async fn failure(code: &str) -> String {
    let app = with(code).await;
    let mut errors = app.subscribe("error").await.unwrap();
    app.emit(Event::new("go").with_data(json!({"n": 3}))).await.unwrap();
    let failed = next(&mut errors).await;
    failed.data.value()["error"].as_str().unwrap().to_owned()
}

/// What it emits as `done`.
async fn done(code: &str) -> Value {
    let app = with(code).await;
    let mut all = app.subscribe("**").await.unwrap();
    app.emit(Event::new("go").with_data(json!({"n": 3, "list": [1, 2.5, null, true, "x"]}))).await.unwrap();
    loop {
        let event = next(&mut all).await;
        match event.event_type.as_str() {
            "done" => return event.data.value(),
            "error" => panic!("{event:?}"),
            _ => {}
        }
    }
}
