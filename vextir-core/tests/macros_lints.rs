//! The macros' code stands in other people's crates, under other people's lints: it compiles here, with all that may
//! be denied in earnest.
#![cfg(feature = "macros")]
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, unsafe_code)]
#![deny(unused_qualifications, unused_results, single_use_lifetimes, trivial_casts, let_underscore_drop)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::shadow_reuse,
    clippy::shadow_same,
    clippy::str_to_string
)]

extern crate vextir_core as vextir;

use vextir::prelude::*;

/// Ask for the weather at one place.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.get")]
pub struct GetWeather {
    /// Where.
    pub location: String,
}

/// The weather at one place.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.data", category = "output")]
pub struct WeatherData {
    /// Where.
    pub location: String,
}

/// Knows the weather.
#[derive(Debug, Default)]
pub struct Weather<T> {
    calls: std::sync::atomic::AtomicUsize,
    source: T,
}

/// Knows the weather.
#[driver("weather_tool", timeout = "90s", effect = "reads", eager)]
impl<T: Send + Sync + ToString + 'static> Weather<T> {
    /// Current weather at a location.
    #[on]
    async fn get(&self, ask: GetWeather, cx: &Ctx) -> Result<(WeatherData, Option<Event>), std::io::Error> {
        cx.cancelled().await;
        let location = ask.location + &self.source.to_string();
        Ok((WeatherData { location }, None))
    }

    /// Counts what others measured.
    #[on("wind.*", "rain.**")]
    async fn note(&self, event: Event) {
        drop(event);
        std::future::ready(()).await;
        let _before = self.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    #[on_start]
    async fn start(&self, emitter: Emitter) {
        emitter.stopped().await;
    }

    #[on_stop]
    async fn stop(&self) {
        self.note(Event::new("stopped")).await;
    }
}

/// Handles nothing with its context.
#[derive(Debug)]
pub struct Plain;

#[driver("plain")]
impl Plain {
    #[on]
    async fn get(&self, ask: GetWeather) {
        drop(std::future::ready(ask).await);
    }

    #[cfg(test)]
    #[on]
    async fn data(&self, data: WeatherData) {
        drop(std::future::ready(data).await);
    }
}

#[test]
fn nothing_warns() {
    assert_eq!(Weather::<String>::default().manifest().id, "weather_tool");
    assert_eq!(Plain.manifest().capabilities.len(), 2);
}
