//! A registered driver: its manifest read once, its limits, its queue.

use super::lane::Lane;
use super::meters::Meters;
use crate::bus::Admission;
use crate::flow::{Declared, declared};
use crate::{Driver, Error, ErrorKind, Event, FlowRule, Manifest, Name, Pattern, Provenance, Result};
use futures::FutureExt;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Calls at a time, when the manifest says nothing.
const CONCURRENCY: usize = 64;
/// Attempts after the first, when the manifest says nothing.
const RETRIES: u32 = 3;
/// How long a call may take, when the manifest says nothing.
const TIMEOUT: Duration = Duration::from_secs(30);

/// After so many deliveries under rules of flow control, old counts are forgotten.
const FORGET: usize = 8_192;

/// Quick attempts in a row after which a driver counts as quick.
const PROVEN: u32 = 64;
/// How many deliveries of a quick driver one task takes.
const TOGETHER: usize = 16;

/// What a processor has for each driver.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Deliveries that wait in memory.
    pub(super) queue: usize,
    /// Bytes for the calls that run at a time.
    pub(super) memory: Option<u64>,
}

impl Room {
    /// How many calls run at a time.
    fn concurrency(&self, manifest: &Manifest) -> Result<usize> {
        let wanted = manifest.concurrency.map_or(CONCURRENCY, NonZeroUsize::get);
        let (Some(room), Some(call)) = (self.memory, manifest.resource_requirements.memory) else {
            return Ok(wanted);
        };
        let fit = room.checked_div(call).unwrap_or(u64::MAX);
        if fit == 0 {
            let all = format!(
                "driver {:?}: a call needs {call} bytes of memory, and there are {room} for all of its calls",
                manifest.id
            );
            return Err(Error::invalid(format!(
                "{all}; raise ProcessorBuilder::memory, or say less in the manifest"
            )));
        }
        Ok(wanted.min(usize::try_from(fit).unwrap_or(usize::MAX)))
    }
}

/// A driver in a processor.
pub(super) struct Registered {
    pub(super) id: Name,
    pub(super) driver: Arc<dyn Driver>,
    pub(super) manifest: Manifest,
    pub(super) patterns: Vec<Pattern>,
    pub(super) provenance: Provenance,
    pub(super) timeout: Duration,
    pub(super) retries: u32,
    pub(super) meters: Meters,
    /// Its rules of flow control.
    pub(super) flow: Vec<Declared>,
    lane: Mutex<Lane>,
    /// How many deliveries came under its rules of flow control.
    under_rules: AtomicUsize,
    /// How many attempts in a row were over at once.
    quick: AtomicU32,
    stopped: OnceCell<()>,
}

impl Registered {
    pub(super) fn new(driver: Arc<dyn Driver>, provenance: Provenance, room: Room) -> Result<Self> {
        let manifest = driver.manifest();
        let patterns = manifest.check()?;
        let mut lane = Lane::new(room.concurrency(&manifest)?, room.queue);
        lane.set_closed(manifest.from_start);
        let flow = declared(&manifest);
        lane.set_flow(&flow);
        Ok(Self {
            id: manifest.id.clone(),
            driver,
            patterns,
            provenance,
            timeout: manifest.resource_requirements.timeout.unwrap_or(TIMEOUT),
            retries: manifest.retries.unwrap_or(RETRIES),
            meters: Meters::new(&manifest.id),
            flow,
            under_rules: AtomicUsize::new(0),
            lane: Mutex::new(lane),
            quick: AtomicU32::new(0),
            stopped: OnceCell::new(),
            manifest,
        })
    }

    /// What its capabilities declare for an event of this type: of each unit the most.
    pub(super) fn declared_for(&self, event_type: &str) -> BTreeMap<Name, u64> {
        let mut most = BTreeMap::new();
        for (pattern, capability) in self.patterns.iter().zip(&self.manifest.capabilities) {
            if !capability.reserve.is_empty() && pattern.matches(event_type) {
                raise(&mut most, capability.reserve.clone());
            }
        }
        most
    }

    /// What is reserved for this event, for whose type so much is declared.
    pub(super) fn reserve_for(&self, event: &Event, declared: &BTreeMap<Name, u64>) -> BTreeMap<Name, u64> {
        let mut most = declared.clone();
        match std::panic::catch_unwind(AssertUnwindSafe(|| self.driver.reserves(event))) {
            Ok(own) => raise(&mut most, own),
            Err(_) => {
                tracing::error!(driver = %self.id, event = %event.id, "panicked while it said what it reserves");
            }
        }
        most
    }

    /// Whether it takes the payload of an event. That runs the author's own Deserialize.
    pub(super) fn check(&self, event: &Event) -> Result<()> {
        std::panic::catch_unwind(AssertUnwindSafe(|| self.driver.check(event)))
            .unwrap_or_else(|_| Err(Error::invalid("checking the payload panicked")))
    }

    /// Counts deliveries under its rules; true whenever it is time to forget old counts.
    pub(super) fn note_flow(&self, deliveries: usize) -> bool {
        let before = self.under_rules.fetch_add(deliveries, Ordering::Relaxed);
        before / FORGET != (before + deliveries) / FORGET
    }

    /// The rules that are asked when a delivery of an event is made.
    pub(super) fn admission(&self, event: &Event) -> Vec<Admission> {
        let ask = |rule: &Declared| match rule.flow.rule() {
            FlowRule::RateLimit(..) | FlowRule::Singleton(_) | FlowRule::Debounce { .. } => {
                Some(Admission { key: rule.key_of(event)?, flow: rule.flow.clone() })
            }
            _ => None,
        };
        self.flow.iter().filter_map(ask).collect()
    }

    /// How many deliveries one task takes: several if the handler has long been quick, so that no delivery
    /// waits for another one's slow handler.
    pub(super) fn together(&self) -> usize {
        if self.quick.load(Ordering::Relaxed) >= PROVEN { TOGETHER } else { 1 }
    }

    /// Notes whether an attempt was over at once.
    pub(super) fn note_quick(&self, quick: bool) {
        let known = self.quick.load(Ordering::Relaxed);
        let now = if quick { (known + 1).min(PROVEN) } else { 0 };
        if now != known {
            self.quick.store(now, Ordering::Relaxed);
        }
    }

    /// Tells the driver to stop, unless it has stopped already. Who comes later waits for the same stop.
    pub(super) async fn stop(self: Arc<Self>) {
        let stop = || async {
            if AssertUnwindSafe(self.driver.stop()).catch_unwind().await.is_err() {
                tracing::error!(driver = %self.id, "panicked while it stopped");
            }
        };
        self.stopped.get_or_init(stop).await;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.initialized()
    }

    pub(super) fn lane(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Raises each amount to the other one, where that is larger.
fn raise(most: &mut BTreeMap<Name, u64>, others: BTreeMap<Name, u64>) {
    for (unit, amount) in others {
        let reserve = most.entry(unit).or_default();
        *reserve = (*reserve).max(amount);
    }
}

/// The list with one more driver.
pub(super) fn with_driver(list: &[Arc<Registered>], new: Arc<Registered>) -> Result<Vec<Arc<Registered>>> {
    if list.iter().any(|driver| driver.id == new.id) {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("a driver with the id {:?} is registered already; give each its own id", new.id),
        ));
    }
    Ok(list.iter().cloned().chain([new]).collect())
}
