//! A processor that has nothing to do does nothing: it waits to be woken, and looks for no work by itself.
//!
//! A test of its own, because what is counted is counted for a whole process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;
use vextir::prelude::*;
use vextir::{Hub, Processor};

/// How often its threads may come to rest in two seconds. Each look for work ends in one more rest: one look every ten
/// milliseconds makes 200.
const FEW: u64 = 20;

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "idle.ask")]
struct Ask {}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "idle.answer", category = "output")]
struct Answer {}

struct Answerer;

#[driver("answerer")]
impl Answerer {
    #[on]
    async fn ask(&self, _ask: Ask) -> Answer {
        Answer {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_nothing_to_do_takes_no_processor_time() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    let app = Processor::builder(hub).driver(Answerer).start().await.unwrap();
    let _: Answer = app.request(Ask {}).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;

    // Once more if something was still being tidied up.
    let mut looks = u64::MAX;
    for _ in 0..3 {
        looks = looks.min(rests(Duration::from_secs(2)).await);
        if looks <= FEW {
            break;
        }
    }
    assert!(looks <= FEW, "{looks} rests in two seconds of idleness");

    // What was measured is a measure: who polls shows.
    let poller = tokio::spawn(async {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let polls = rests(Duration::from_secs(2)).await;
    poller.abort();
    assert!(polls > FEW, "{polls} rests, of one that looks every ten milliseconds");
    app.shutdown().await.unwrap();
}

/// How often the threads of this process come to rest within a time.
async fn rests(time: Duration) -> u64 {
    let before = rested();
    tokio::time::sleep(time).await;
    let rested = rested();
    let new = |thread: &String| before.get(thread).copied().unwrap_or_default();
    rested.iter().map(|(thread, count)| count - new(thread)).sum()
}

/// How often each thread of this process gave its processor away by itself so far.
fn rested() -> BTreeMap<String, u64> {
    let mut threads = BTreeMap::new();
    for thread in std::fs::read_dir("/proc/self/task").unwrap() {
        let thread = thread.unwrap();
        // One that ends just now is not counted.
        let Ok(status) = std::fs::read_to_string(thread.path().join("status")) else { continue };
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        threads.insert(thread.file_name().into_string().unwrap(), count.trim().parse().unwrap());
    }
    threads
}
