//! Flow control over crashes: what began is remembered, and what waits goes on as if nothing had happened.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::prelude::*;
use vextir_core::{EventBus, ManualClock};

const MINUTE: Duration = Duration::from_mins(1);

/// A letter to be sent.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "mail.send")]
struct Send {
    n: u32,
    to: String,
}

/// Something to be counted.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "count")]
struct Count {
    n: u32,
}

/// Something that changed.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "file.changed")]
struct Changed {
    n: u32,
    path: String,
}

#[derive(Clone, Default)]
struct Office {
    sent: Arc<Mutex<Vec<u32>>>,
    counted: Arc<Mutex<Vec<Vec<u32>>>>,
    looked: Arc<Mutex<Vec<u32>>>,
}

impl Office {
    /// What was sent, in the order of the numbers: handlers run side by side.
    fn sent(&self) -> Vec<u32> {
        let mut sent = self.sent.lock().unwrap().clone();
        sent.sort_unstable();
        sent
    }
}

#[vextir::driver("office")]
impl Office {
    #[on(effect = "reads", flow(throttle = 2, per = "1m", key = "data.to"))]
    async fn send(&self, mail: Send) {
        self.sent.lock().unwrap().push(mail.n);
    }

    #[on(effect = "reads", flow(batch = 100, within = "1m"))]
    async fn count(&self, counts: Vec<Count>) {
        self.counted.lock().unwrap().push(counts.iter().map(|count| count.n).collect());
    }

    #[on(effect = "reads", flow(debounce = "1m", key = "data.path"))]
    async fn look(&self, changed: Changed) {
        self.looked.lock().unwrap().push(changed.n);
    }
}

async fn start(file: &Path, clock: &ManualClock, office: &Office) -> (Processor, Hub) {
    let hub = Hub::builder(file).clock(Arc::new(clock.clone())).open().unwrap();
    let app =
        Processor::builder(hub.clone()).clock(clock.clone()).driver(office.clone()).start().await.unwrap();
    (app, hub)
}

/// As the death of the process.
async fn die(app: Processor, hub: Hub) {
    hub.abandon();
    drop(app);
    drop(hub);
    settle().await;
}

async fn settle() {
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_on_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let office = Office::default();
    let (app, hub) = start(&file, &clock, &office).await;
    for n in 0..5 {
        app.emit(Send { n, to: "ada".into() }).await.unwrap();
        app.emit(Count { n }).await.unwrap();
        app.emit(Changed { n, path: "/notes".into() }).await.unwrap();
    }
    settle().await;
    assert_eq!(office.sent(), [0, 1]);
    die(app, hub).await;
    clock.advance(MINUTE / 2);
    let (app, hub) = start(&file, &clock, &office).await;
    app.emit(Count { n: 5 }).await.unwrap();
    app.emit(Changed { n: 5, path: "/notes".into() }).await.unwrap();
    settle().await;
    assert_eq!(office.sent(), [0, 1], "the minute is not over");
    assert!(office.counted.lock().unwrap().is_empty());
    clock.advance(MINUTE / 2);
    settle().await;
    assert_eq!(office.sent(), [0, 1, 2, 3]);
    assert_eq!(
        *office.counted.lock().unwrap(),
        [vec![0, 1, 2, 3, 4, 5]],
        "one batch, a minute after its first"
    );
    assert!(office.looked.lock().unwrap().is_empty(), "it was not quiet for a minute");
    die(app, hub).await;
    clock.advance(MINUTE);
    let (app, hub) = start(&file, &clock, &office).await;
    app.idle().await;
    assert_eq!(office.sent(), [0, 1, 2, 3, 4]);
    assert_eq!(office.counted.lock().unwrap().len(), 1);
    assert_eq!(*office.looked.lock().unwrap(), [5], "the last of six, once");
    assert!(hub.pending(0, 10).await.unwrap().is_empty());
    app.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_line_is_not_taken_for_what_ran_when_the_process_died() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let office = Office::default();
    let (app, hub) = start(&file, &clock, &office).await;
    for n in 0..20 {
        app.emit(Send { n, to: "ada".into() }).await.unwrap();
    }
    settle().await;
    die(app, hub).await;
    for _ in 0..6 {
        let (app, hub) = start(&file, &clock, &office).await;
        settle().await;
        die(app, hub).await;
    }
    let (app, hub) = start(&file, &clock, &office).await;
    let waiting = hub.pending(0, 100).await.unwrap();
    let suspected = waiting.iter().filter(|delivery| delivery.reclaims > 0).count();
    assert!(suspected <= 2, "{suspected} are suspected, and two may run at a time");
    for _ in 0..12 {
        clock.advance(MINUTE);
        settle().await;
    }
    app.idle().await;
    assert_eq!(office.sent(), (0..20).collect::<Vec<_>>());
    assert!(app.dead_letters(0, 10).await.unwrap().is_empty());
    app.shutdown().await.unwrap();
}
