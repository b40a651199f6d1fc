//! The check of a whole application, on a processor.

use vextir::check::{Check, FindingKind, Known, Severity, Wire, Wiring};
use vextir::prelude::*;
use vextir::{Error, MemoryBus, Result};

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "order.placed", category = "input")]
struct Placed {
    id: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "order.packed")]
struct Packed {
    id: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "order.sent", category = "output")]
struct Sent {
    id: String,
}

struct Packer;

#[driver("packer", effect = "reads")]
impl Packer {
    #[on]
    async fn pack(&self, order: Placed) -> Packed {
        Packed { id: order.id }
    }
}

struct Post;

#[driver("post", effect = "reads")]
impl Post {
    #[on]
    async fn send(&self, parcel: Packed) -> Sent {
        Sent { id: parcel.id }
    }
}

fn said(report: &vextir::check::Report) -> Vec<String> {
    report.findings().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn what_comes_while_it_runs_is_known() {
    let app = Processor::builder(MemoryBus::new()).driver(Packer).start().await.unwrap();
    let check = || Check::new().inputs(Placed::TYPE);
    let report = app.check_with(check()).await.unwrap();
    assert!(!report.is_clean());
    assert!(said(&report)[0].starts_with("warning: `packer` emits `order.packed`, and no driver handles it"));

    app.register(Post).await.unwrap();
    let report = app.check_with(check()).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(said(&report), ["note: `post` emits `order.sent` for the outside: no driver handles it"]);
    assert!(app.check().await.unwrap().is_clean());
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn subscriptions_count_as_long_as_they_are_open() {
    let app = Processor::builder(MemoryBus::new()).driver(Packer).driver(Post).start().await.unwrap();
    let asks = || async { said(&app.check_with(Check::new().inputs(Placed::TYPE)).await.unwrap()) };
    let (first, second) = (app.subscribe("oder.*").await.unwrap(), app.subscribe("oder.*").await.unwrap());
    let theirs = app.as_user("ann").subscribe("order.sent").await.unwrap();
    let deaf =
        "warning: a subscription waits for `oder.*`, which nothing emits or handles; check how it is written";
    assert_eq!(asks().await, [deaf]);
    drop(first);
    assert_eq!(asks().await, [deaf]);
    drop(second);
    assert_eq!(asks().await, [""; 0]);
    drop(theirs);
    assert_eq!(asks().await.len(), 1, "the answer is nobody's again");
    app.shutdown().await.unwrap();
}

/// What it says of its wires.
struct Wired(fn() -> Result<Wiring>);

#[vextir::async_trait]
impl Driver for Wired {
    fn manifest(&self) -> Manifest {
        Manifest::new("wired").handles("go")
    }
    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(Vec::new())
    }
    async fn wiring(&self, known: &Known) -> Result<Wiring> {
        assert!(known.handlers("go").any(|(manifest, _)| manifest.id == "wired"));
        (self.0)()
    }
}

#[tokio::test]
async fn a_driver_that_cannot_tell_its_wires_stops_no_check() {
    for (wiring, why) in [
        ((|| Err(Error::invalid("no idea"))) as fn() -> Result<Wiring>, "no idea"),
        (|| panic!("oh"), "it panicked"),
    ] {
        let app = Processor::builder(MemoryBus::new()).driver(Wired(wiring)).start().await.unwrap();
        let report = app.check_with(Check::new().inputs("go")).await.unwrap();
        let finding = &report.findings()[0];
        assert_eq!((finding.severity, finding.kind), (Severity::Warning, FindingKind::Incomplete));
        assert!(finding.message.contains(why), "{finding}");
        app.shutdown().await.unwrap();
    }
    let told = || Ok(Wiring::new([Wire::starts("go"), Wire::emits("order.plased").at("w.yaml:1:2")]));
    let builder = Processor::builder(MemoryBus::new()).driver(Wired(told)).driver(Packer);
    let app = builder.start().await.unwrap();
    let report = app.check_with(Check::new().inputs(["go", "order.placed"])).await.unwrap();
    assert_eq!(
        said(&report)[1],
        "warning: w.yaml:1:2: `wired` emits `order.plased`, and no driver handles it; did you mean `order.placed`? Otherwise register a driver for it"
    );
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn bad_patterns_are_refused() {
    let app = Processor::builder(MemoryBus::new()).start().await.unwrap();
    let error = app.check_with(Check::new().inputs("a..b")).await.unwrap_err();
    assert!(error.to_string().contains("a..b"), "{error}");
    assert!(app.check().await.unwrap().is_clean());
    app.shutdown().await.unwrap();
}
