//! A processor that has nothing to do does nothing: it waits to be woken, and looks for no work by itself.
//!
//! A test of its own, because processor time is counted for a whole process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};
use vextir::prelude::*;
use vextir::{Hub, Processor};

/// Of two seconds, in hundredths of a second. One look a millisecond would cost more.
const FEW: u64 = 6;

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
    let mut used = u64::MAX;
    for _ in 0..3 {
        let before = ticks();
        tokio::time::sleep(Duration::from_secs(2)).await;
        used = used.min(ticks() - before);
        if used <= FEW {
            break;
        }
    }
    assert!(used <= FEW, "{used} hundredths of a second in two seconds of idleness");
    app.shutdown().await.unwrap();

    // What was measured is a measure: work shows.
    let (before, begin) = (ticks(), Instant::now());
    while ticks() - before <= FEW && begin.elapsed() < Duration::from_secs(30) {}
    assert!(ticks() - before > FEW);
}

/// Processor time of this process so far, in ticks of a hundredth of a second.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name in front, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
