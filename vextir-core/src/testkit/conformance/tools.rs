//! What the properties are written with.

use crate::bus::{
    Command, Delivery, Entry, EventBus, Logged, NewDelivery, Outcome as Ending, Place, Receipt, Settlement,
};
use crate::{Decision, Error, ErrorKind, Event, EventFilter, EventId, Name, Result as BusResult, Timestamp};
use futures::FutureExt;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location};
use std::sync::Arc;
use std::time::Duration;

/// Whether a promise holds.
pub type Outcome = Result<(), Broken>;

/// A promise of a contract that an implementation breaks.
#[derive(Debug)]
pub struct Broken {
    property: &'static str,
    promise: &'static str,
    detail: String,
    place: Option<&'static Location<'static>>,
}

/// How long a property may take: a call that never returns is a broken promise too.
const LONGEST: Duration = Duration::from_secs(120);

/// Names the property, and turns what a broken bus can do to it (an answer that has less than was committed, a call
/// that does not return, a panic) into a finding.
pub(in crate::testkit) async fn judged(
    property: &'static str,
    work: impl Future<Output = Outcome>,
) -> Outcome {
    let work = AssertUnwindSafe(work).catch_unwind();
    let outcome = match tokio::time::timeout(LONGEST, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(broken("an answer has all that was committed", "the property panicked".into())),
        Err(_) => Err(broken("every call returns", "nothing came back within two minutes".into())),
    };
    outcome.map_err(|broken| Broken { property, ..broken })
}

impl Broken {
    /// The property that found it.
    #[must_use]
    pub fn property(&self) -> &'static str {
        self.property
    }

    /// The promise.
    #[must_use]
    pub fn promise(&self) -> &'static str {
        self.promise
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: broken promise: {}: {}", self.property, self.promise, self.detail)?;
        match self.place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Broken {}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        let detail = format!("{error:?}");
        Self { property: "", promise: "a call without a reason to be refused succeeds", detail, place: None }
    }
}

#[track_caller]
pub(super) fn broken(promise: &'static str, detail: String) -> Broken {
    Broken { property: "", promise, detail, place: Some(Location::caller()) }
}

/// Checks that a condition holds; `seen` is shown when it does not.
#[track_caller]
pub(in crate::testkit) fn holds(condition: bool, promise: &'static str, seen: impl fmt::Debug) -> Outcome {
    if condition { Ok(()) } else { Err(broken(promise, format!("seen: {seen:?}"))) }
}

/// Checks that two values are the same.
#[track_caller]
pub(in crate::testkit) fn same<T: fmt::Debug + PartialEq>(
    seen: T,
    expected: T,
    promise: &'static str,
) -> Outcome {
    if seen == expected {
        return Ok(());
    }
    Err(broken(promise, format!("seen {seen:?}, expected {expected:?}")))
}

/// Checks that a call is refused, and how.
#[track_caller]
pub(in crate::testkit) fn refused<T: fmt::Debug>(
    answer: BusResult<T>,
    kind: ErrorKind,
    promise: &'static str,
) -> Outcome {
    match answer {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(broken(promise, format!("expected {kind:?}, got {error:?}"))),
        Ok(answer) => Err(broken(promise, format!("expected {kind:?}, got the answer {answer:?}"))),
    }
}

/// The one that must be there.
#[track_caller]
pub(in crate::testkit) fn present<T>(value: Option<T>, promise: &'static str) -> Result<T, Broken> {
    value.ok_or_else(|| broken(promise, "nothing is there".into()))
}

/// Waits no longer than ten seconds.
#[track_caller]
pub(in crate::testkit) fn soon<T>(
    wait: impl Future<Output = T>,
    promise: &'static str,
) -> impl Future<Output = Result<T, Broken>> {
    let late = broken(promise, "nothing happened within ten seconds".into());
    async move { tokio::time::timeout(Duration::from_secs(10), wait).await.map_err(|_| late) }
}

/// An event that is stamped but for its id.
pub(super) fn event(event_type: &'static str) -> Event {
    Event::new(Name::literal(event_type))
        .with_user(user())
        .with_source(Name::literal("suite"))
        .with_timestamp(Timestamp::from_micros(1_750_000_000_000_000))
}

pub(super) fn user() -> Name {
    Name::literal("local")
}

pub(super) fn id(text: &str) -> EventId {
    text.parse().unwrap_or_default()
}

/// To these drivers.
pub(super) fn to(drivers: &[&'static str]) -> Place {
    Place::Routed(drivers.iter().map(|driver| NewDelivery::to(Name::literal(driver))).collect())
}

/// An entry for one driver, `worker`.
pub(super) fn job(event_type: &'static str) -> Entry {
    Entry::new(event(event_type), to(&["worker"]))
}

/// An output of a delivery, with the id that the kernel would derive.
pub(super) fn output(delivery: &Delivery, index: u32, event_type: &'static str, place: Place) -> Entry {
    let cause = &delivery.event;
    let mut event = event(event_type).with_cause(cause.id.clone()).with_user(cause.user_id.clone());
    let envelope = event.edit();
    envelope.id = EventId::derived(delivery.logged_at, &cause.user_id, &cause.id, &delivery.driver, index);
    envelope.root_id = Some(cause.root().clone());
    envelope.branch_id.clone_from(&cause.branch_id);
    envelope.depth = cause.depth + 1;
    Entry { minted: true, ..Entry::new(event, place) }
}

pub(super) fn done(delivery: &Delivery, outputs: Vec<Entry>) -> Command {
    Command::Settle(Arc::new(Settlement::of(delivery, Ending::Done { outputs, changes: Vec::new() })))
}

pub(super) fn retry(delivery: &Delivery, at: Timestamp) -> Command {
    let error = "not yet".to_owned();
    Command::Settle(Arc::new(Settlement::of(delivery, Ending::Retry { at, error })))
}

pub(super) fn dead(delivery: &Delivery, outputs: Vec<Entry>) -> Command {
    let reason = "never".to_owned();
    Command::Settle(Arc::new(Settlement::of(delivery, Ending::Dead { reason, outputs })))
}

pub(super) fn discard(positions: Vec<u64>) -> Command {
    Command::Discard { positions, decision: Decision::new("operator", "not wanted") }
}

pub(super) fn redrive(positions: Vec<u64>) -> Command {
    Command::Redrive { positions, decision: Decision::new("operator", "once more"), limits: None }
}

pub(super) async fn append(bus: &dyn EventBus, entries: Vec<Entry>) -> Result<Receipt, Broken> {
    Ok(bus.commit(Command::append(entries)).await?)
}

/// Appends one job and answers with its delivery.
pub(super) async fn delivered(bus: &dyn EventBus, entry: Entry) -> Result<Delivery, Broken> {
    let receipt = append(bus, vec![entry]).await?;
    let appended = present(receipt.appended.first(), "a receipt says where each event went")?;
    let pending = bus.pending(0, 10_000).await?;
    let mine = pending.into_iter().find(|delivery| delivery.sequence == appended.sequence);
    present(mine, "a routed event has an open delivery")
}

/// The whole log.
pub(super) async fn log(bus: &dyn EventBus) -> Result<Vec<Logged>, Broken> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = bus.read(after, &EventFilter::all(), 100_000).await?;
        events.extend(page.events);
        if page.at_head {
            return Ok(events);
        }
        holds(page.next > after, "a page that is not the last leads on", (after, page.next))?;
        after = page.next;
    }
}

/// The types in the log, in order.
pub(super) async fn types(bus: &dyn EventBus) -> Result<Vec<String>, Broken> {
    Ok(log(bus).await?.iter().map(|logged| logged.event.event_type.to_string()).collect())
}
