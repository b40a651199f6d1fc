//! Clocks that jump, back and forward, while plans have timers.

use crate::{Does, Stage, none};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use vextir_core::prelude::*;
use vextir_core::{Clock, Failure};

#[tokio::test]
async fn a_plan_comes_to_its_end_whichever_way_the_clock_jumps() {
    let text = "
name: Jumps
plan:
  - {id: w, wait_for: {event: never}, timeout: 1h, on_error: continue}
  - {id: r, emit: {type: flaky}, retry: {attempts: 4, delay: 10m, factor: 1}}
  - {id: z, depends_on: [w, r], emit: {type: echo, data: {n: 1}}}
";
    let tries = Arc::new(AtomicU32::new(0));
    let counted = tries.clone();
    let flaky = Does::new("flaky", move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0..3 => Err(Failure::permanent("not yet").into()),
        _ => Ok(Vec::new()),
    });
    let echo = Does::new("echo", |event| Ok(vec![Event::new("echoed").with_data(event.data.clone())]));
    let stage = Stage::of(text, &[&flaky, &echo]).await;
    let plan = stage.plans("jumps").run(none()).await.unwrap();
    let hour = Duration::from_hours(1);
    let begin = stage.clock.now();
    // A day back, forward by half an hour, an hour back, and on: what is due by the wall clock comes, and nothing twice.
    let jumps =
        [begin.before(24 * hour), begin.after(hour / 2), begin.before(hour / 2), begin.after(2 * hour)];
    for jump in jumps {
        tokio::time::sleep(Duration::from_millis(30)).await;
        stage.app.idle().await;
        stage.clock.jump(jump);
    }
    for _ in 0..60 {
        let plan = stage.plans("jumps").get(&plan).await.unwrap().unwrap();
        if !plan["ended"].is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        stage.clock.advance(hour / 2);
    }
    let done = stage.until_status("jumps", &plan, "completed").await;
    assert_eq!(tries.load(Ordering::SeqCst), 4, "each attempt once");
    assert_eq!(done["dag"]["nodes"]["w"]["error"], json!("it took longer than 3600s"));
    assert_eq!(echo.data().len(), 1);
    stage.app.idle().await;
    assert_eq!(stage.app.bus().status().borrow().waiting, 0, "no timer is left");
}
