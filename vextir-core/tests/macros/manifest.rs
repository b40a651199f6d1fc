//! The manifest that a declaration gives.

use super::{GetWeather, WeatherData};
use std::num::NonZeroUsize;
use std::time::Duration;
use vextir::prelude::*;
use vextir::{DriverKind, Effect};

struct Station;

/// Knows the weather.
///
/// Everywhere.
#[driver(
    "weather_station",
    kind = "io",
    version = "1.2.3",
    name = "Weather Station",
    author = "developer@example.com",
    timeout = "1m 30s 5ms",
    memory = "64MiB",
    retries = 0,
    concurrency = 8,
    effect = "reads",
    eager,
    from_start,
    block_on_dead
)]
impl Station {
    /// Current weather
    /// at a location.
    #[on]
    async fn get(&self, ask: GetWeather) -> Option<WeatherData> {
        Some(WeatherData { location: ask.location, celsius: 21.5 })
    }

    /// Keeps what others measured.
    #[on("wind.*", "rain.**", effect = "writes_context", reserve(tokens = 1_000, cents = 2))]
    async fn note(&self, _event: Event) {}
}

#[test]
fn everything_that_is_declared_is_in_the_manifest() {
    let manifest = Station.manifest();
    assert_eq!(manifest.id, "weather_station");
    assert_eq!(manifest.kind, DriverKind::Io);
    assert_eq!(manifest.version, "1.2.3");
    assert_eq!(manifest.name, "Weather Station");
    assert_eq!(manifest.author, "developer@example.com");
    assert_eq!(manifest.description, "Knows the weather.\n\nEverywhere.");
    assert_eq!(manifest.retries, Some(0));
    assert_eq!(manifest.concurrency, NonZeroUsize::new(8));
    assert!(manifest.eager && manifest.from_start && manifest.block_on_dead);
    assert_eq!(Station.resource_requirements().timeout, Some(Duration::from_millis(90_005)));
    assert_eq!(Station.resource_requirements().memory, Some(64 << 20));
    assert_eq!(Station.capabilities(), ["weather.get", "wind.*", "rain.**"]);
}

#[test]
fn a_capability_has_description_effect_and_schemas() {
    let [get, wind, rain] = Station.manifest().capabilities.try_into().unwrap();
    assert_eq!(get.description, "Current weather\nat a location.");
    assert_eq!(get.effect, Effect::Reads);
    assert!(get.reserve.is_empty());
    let input = get.input.unwrap().to_value();
    assert_eq!(input["properties"]["location"]["type"], "string");
    assert_eq!(input["description"], GetWeather::DESCRIPTION);
    assert_eq!(get.outputs[0].event_type, "weather.data");
    assert_eq!(get.outputs[0].schema.clone().to_value()["properties"]["celsius"]["type"], "number");
    for raw in [wind, rain] {
        assert_eq!(raw.description, "Keeps what others measured.");
        assert_eq!(raw.effect, Effect::WritesContext);
        assert_eq!((raw.input, raw.outputs.len()), (None, 0));
        assert_eq!(raw.reserve, [("cents".into(), 2), ("tokens".into(), 1_000)].into());
    }
}

struct Bare;

#[driver("bare")]
impl Bare {
    #[on]
    async fn get(&self, _ask: GetWeather) {}

    #[on("raw")]
    async fn raw(&self, _event: Event) {}
}

#[test]
fn what_is_not_declared_is_not_set() {
    let manifest = Bare.manifest();
    let [get, raw] = manifest.capabilities.clone().try_into().unwrap();
    assert_eq!(get.description, GetWeather::DESCRIPTION);
    assert_eq!(raw.description, "");
    assert_eq!((get.effect, raw.effect), (Effect::ActsOutside, Effect::ActsOutside));
    assert_eq!(manifest, Manifest::new("bare").can(get).can(raw));
}

/// The macro reads sizes and times when it expands, the kernel when it loads a manifest.
#[test]
fn sizes_and_times_mean_the_same_in_code_and_in_documents() {
    let loaded: Manifest = serde_json::from_value(json!({
        "id": "weather_station",
        "resource_requirements": {"memory": "64MiB", "timeout": "1m 30s 5ms"}
    }))
    .unwrap();
    assert_eq!(loaded.resource_requirements, Station.resource_requirements());
}

#[test]
fn a_manifest_survives_its_json_form() {
    let text = serde_json::to_string(&Station.manifest()).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), Station.manifest());
}
