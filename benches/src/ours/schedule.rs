//! Schedules: many due at once, and many armed while others work.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use vextir::prelude::*;
use vextir::schedule::Overlap;
use vextir::{Capability, Clock, Effect, ManualClock, SystemClock, Timestamp};

use super::answerer::{Answerer, Ask};
use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// How many ask for a schedule at a time.
const ASKING: usize = 256;

/// Notes how late it gets each firing.
#[derive(Debug, Default)]
struct Late(Arc<Mutex<Vec<Duration>>>);

#[vextir::async_trait]
impl Driver for Late {
    fn manifest(&self) -> Manifest {
        Manifest::new("late").can(Capability::new("bench.due").effect(Effect::Reads)).with_concurrency(ASKING)
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        let slot: Timestamp = event.metadata.get("slot").ok_or("a firing says its slot")?.parse()?;
        let late = cx.now().since(slot);
        self.0.lock().map_err(|_| "a lock was poisoned")?.push(late);
        Ok(Vec::new())
    }
}

/// Asks for so many schedules, each due once at its own time.
async fn arm(
    app: &Processor,
    count: usize,
    at: fn(Timestamp, usize) -> Timestamp,
    begin: Timestamp,
) -> Result<()> {
    let asking = (0..ASKING).map(|first| {
        let app = app.clone();
        tokio::spawn(async move {
            for number in (first..count).step_by(ASKING) {
                let once = app.schedule_once(Event::new("bench.due"), at(begin, number));
                once.id(format!("due-{number}")).overlap(Overlap::Allow).await?;
            }
            Ok::<_, vextir::Error>(())
        })
    });
    for task in asking.collect::<Vec<_>>() {
        task.await??;
    }
    Ok(())
}

/// Many schedules whose time comes at the same moment: from then until all have fired, and their events are handled.
pub(crate) fn due_at_once(trial: &Trial) -> Result<Vec<Measurement>> {
    let count = if trial.quick { 1_000 } else { 100_000 };
    super::block_on(async {
        let (clock, times) = (ManualClock::starting(SystemClock.now()), Arc::default());
        let hub = vextir::Hub::builder(trial.folder.join("vextir.db")).backlog(1_000_000).open()?;
        let app =
            Processor::builder(hub).clock(clock.clone()).driver(Late(Arc::clone(&times))).start().await?;
        let due = clock.now().after(Duration::from_hours(1));
        arm(&app, count, |due, _| due, due).await?;
        let started = Instant::now();
        clock.advance(Duration::from_hours(1));
        while times.lock().map_err(|_| "a lock was poisoned")?.len() < count {
            if started.elapsed() > Duration::from_mins(10) {
                return Err("not all schedules fired within ten minutes".into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        app.idle().await;
        let rate = count as f64 / started.elapsed().as_secs_f64();
        app.shutdown().await?;
        Ok(vec![Measurement::new("schedules_due", Unit::PerSecond, rate)])
    })
}

/// Many schedules, due one after the other, while 16 others emit and are answered: how late their events are handled, the
/// 99th percentile.
pub(crate) fn armed(trial: &Trial) -> Result<Vec<Measurement>> {
    let count = if trial.quick { 200 } else { 10_000 };
    super::block_on(async {
        let times = Arc::<Mutex<Vec<Duration>>>::default();
        let drivers = Processor::builder(super::open(trial)?).driver(Late(Arc::clone(&times)));
        let app = drivers.driver(Answerer::new(ASKING)).start().await?;
        let begin = SystemClock.now().after(Duration::from_secs(if trial.quick { 2 } else { 40 }));
        // 500 a second.
        arm(&app, count, |begin, number| begin.after(Duration::from_millis(2 * number as u64)), begin)
            .await?;
        if SystemClock.now() > begin {
            return Err(
                "arming took longer than expected; the first schedules were late before they were armed"
                    .into(),
            );
        }
        tokio::time::sleep(begin.since(SystemClock.now())).await;
        let load = (0..16).map(|_| {
            let app = app.clone();
            tokio::spawn(async move { while app.emit(Ask::new()).await.is_ok() {} })
        });
        let load: Vec<_> = load.collect();
        let limit = Instant::now() + Duration::from_mins(3);
        while times.lock().map_err(|_| "a lock was poisoned")?.len() < count {
            if Instant::now() > limit {
                return Err("not all schedules fired".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        load.iter().for_each(tokio::task::JoinHandle::abort);
        let mut late = times.lock().map_err(|_| "a lock was poisoned")?.clone();
        late.sort_unstable();
        let late = late[count * 99 / 100].as_secs_f64() * 1e3;
        app.shutdown().await?;
        Ok(vec![Measurement::new("schedules_armed", Unit::Milliseconds, late)])
    })
}
