//! Deadlines: an event when another one did not come in time.

mod key;
mod state;

use crate::check::{Known, Wire, Wiring};
use crate::context::Content;
use crate::driver::{Capability, Emitter};
use crate::pattern::matches;
use crate::{
    Ctx, Driver, Effect, Error, ErrorKind, Event, EventFilter, EventId, HandlerResult, Manifest, Name,
    Result, Timestamp,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use state::{Step, Timer, Waiting};
use std::time::Duration;

/// Where the documents lie.
const FOLDER: &str = "/System/Deadlines";
/// How much of the data of the event that began a wait goes into the deadline's event, in bytes.
const CARRIED: usize = 64 * 1024;
/// How many answers since the beginning are looked at before a deadline is told.
const ON_THEIR_WAY: usize = 10_000;

/// An event when another one did not come in time: a driver, which an application registers.
///
/// ```
/// # extern crate vextir_core as vextir;
/// # use vextir::prelude::*;
/// # async fn run(hub: impl vextir::Backend) -> vextir::Result<()> {
/// use std::time::Duration;
/// use vextir::schedule::Deadline;
///
/// const DAY: Duration = Duration::from_hours(24);
///
/// let overdue = Deadline::new("invoice_overdue", "invoice.sent", 14 * DAY, Event::new("invoice.overdue"))
///     .unless("invoice.paid")
///     .by("invoice_id");
/// let silent = Deadline::absence("sensor_silent", "sensor.reading", DAY, Event::new("sensor.silent"))
///     .by("sensor.name");
/// let app = Processor::builder(hub).driver(overdue).driver(silent).start().await?;
/// # Ok(())
/// # }
/// ```
///
/// # What comes
///
/// The event, for the user whose events they are, as the root of a causal tree of its own, once for each wait: over
/// restarts and crashes. Its data is what was given, with the data of the event that began the wait as `after`; `null`, if
/// retention has removed that event or it is larger than 64 KiB. Its metadata say which `deadline`, which `key`, which
/// event began it (`after`, an id) and when it was `due`. It has the labels of that event.
///
/// # What counts
///
/// * Time is counted from when an event happened, as its [`timestamp`](crate::Envelope::timestamp) says; what claims to
///   come from the future happens now. A deadline that has passed already is told at once.
/// * `unless` counts if it stands behind the beginning in the log, whichever was handled first (for this the 500 events
///   behind a beginning are looked at), and happened no later than the deadline. What came before the beginning does not count, and what comes after the deadline was told
///   changes nothing.
/// * A further beginning for a key that waits changes nothing, unless it [restarts](Deadline::restarting) the wait. After
///   the deadline, or after `unless`, it begins a new one.
/// * While no processor runs, time goes on: what fell due meanwhile is told at the next start.
/// * An event without the key, or with one that is neither text, number nor boolean, or longer than 512 bytes, is a dead
///   letter of this driver that says so. A number and the text that looks like it are one key.
/// * Its own events begin and answer nothing.
///
/// # What is kept
///
/// What waits is a document of its user, `/System/Deadlines/<id>/<key>` (`<key>` is a hash where it is no plain name), and
/// one delayed event. Those count against the backlog limit of the bus, 100,000 for all that wait: with no room left an event
/// that begins a wait is tried again, and is a dead letter at last. Every event that begins, restarts or answers a wait costs an
/// event and a document's change. The driver must stay registered while something waits; a changed `within` is for new
/// waits. Needs a context store, as a `Hub` is: without one each of its events is a dead letter that says so.
#[derive(Debug, Clone)]
#[must_use = "a driver does nothing before a processor has it"]
pub struct Deadline {
    driver: Name,
    after: Name,
    unless: Vec<Name>,
    within: Duration,
    by: Option<String>,
    restarts: bool,
    event: Event,
}

/// What came for a key; said under its ordering key, so that one comes after the other.
#[derive(Debug, Serialize, Deserialize)]
struct Heard {
    key: Option<String>,
    begins: bool,
    event: EventId,
    happened: Timestamp,
}

/// The timer of a key.
#[derive(Debug, Serialize, Deserialize)]
struct Rang {
    key: Option<String>,
}

impl Deadline {
    /// Emits `event` if nothing of what [`unless`](Deadline::unless) names comes `within` this time after an event that
    /// matches the pattern `after`. `id` is unique among the processor's deadlines; the driver is called `deadline.<id>`.
    /// What is wrong in it is said when the processor starts.
    pub fn new(id: &str, after: impl Into<Name>, within: Duration, event: Event) -> Self {
        Self {
            driver: format!("deadline.{id}").into(),
            after: after.into(),
            unless: Vec::new(),
            within,
            by: None,
            restarts: false,
            event,
        }
    }

    /// Emits `event` if nothing matches the pattern `of` for so long, once for each silence: a deadline that each such event
    /// [restarts](Deadline::restarting). What never said anything is not missed.
    pub fn absence(id: &str, of: impl Into<Name>, within: Duration, event: Event) -> Self {
        Self::new(id, of, within, event).restarting()
    }

    /// An event of this pattern answers what waits for its key. May be said several times.
    pub fn unless(mut self, pattern: impl Into<Name>) -> Self {
        self.unless.push(pattern.into());
        self
    }

    /// Tells waits apart by what stands there in the data of all these events; `customer.id` is `id` in `customer`, `items.0`
    /// the first of a list. Without this a user has one wait at a time.
    pub fn by(mut self, path: impl Into<String>) -> Self {
        self.by = Some(path.into());
        self
    }

    /// A further event that begins the wait begins it anew.
    pub fn restarting(mut self) -> Self {
        self.restarts = true;
        self
    }

    fn heard_type(&self) -> Name {
        format!("{}.heard", self.driver).into()
    }

    fn due_type(&self) -> Name {
        format!("{}.due", self.driver).into()
    }

    fn path(&self, key: Option<&str>) -> String {
        format!("{FOLDER}/{}/{}", self.id(), key::document(key))
    }

    fn id(&self) -> &str {
        self.driver.strip_prefix("deadline.").unwrap_or_default()
    }

    fn order(&self, key: Option<&str>) -> Name {
        format!("{}/{}", self.driver, key::document(key)).into()
    }

    fn refuse(&self, why: &str) -> Result<()> {
        Err(Error::invalid(format!("{}: {why}", self.driver)))
    }

    fn check(&self) -> Result<()> {
        crate::check_type(&self.event.event_type)?;
        let data = self.event.data.value();
        match () {
            () if self.within.is_zero() => self.refuse("`within` is nothing; say how long is waited"),
            () if self.by.as_ref().is_some_and(|by| by.split('.').any(str::is_empty)) => {
                self.refuse("`by` has an empty segment; write a path as `customer.id`")
            }
            () if !(data.is_object() || self.event.data.is_empty()) => {
                self.refuse("the data of its event is no object, so that `after` has no place in it")
            }
            () if !data["after"].is_null() => self.refuse("the data of its event has an `after` already"),
            () => Ok(()),
        }
    }

    /// Whether an event begins a wait (true) or answers one; `None` if it is a deadline's own.
    fn meaning(&self, event: &Event) -> Option<bool> {
        let of_a_deadline = |suffix| {
            let name = event.event_type.strip_suffix(suffix);
            event.source.starts_with("deadline.") && name == Some(event.source.as_str())
        };
        if event.source == self.driver || of_a_deadline(".heard") || of_a_deadline(".due") {
            return None;
        }
        if self.answers(event) {
            return Some(false);
        }
        matches(&self.after, &event.event_type).then_some(true)
    }

    fn answers(&self, event: &Event) -> bool {
        self.unless.iter().any(|pattern| matches(pattern, &event.event_type))
    }

    /// Something came: what it means is decided in turn with all that concerns its key.
    fn take(&self, event: &Event, cx: &Ctx) -> Result<()> {
        let Some(begins) = self.meaning(event) else { return Ok(()) };
        let key = key::of(&event.data, self.by.as_deref())
            .map_err(|error| error.context(format!("{}: {}", self.driver, event.event_type)))?;
        let order = self.order(key.as_deref());
        let happened = event.timestamp.min(cx.now());
        let heard = Heard { key, begins, event: event.id.clone(), happened };
        cx.emit(Event::new(self.heard_type()).with_data(json!(heard)).with_ordering_key(order))
    }

    async fn heard(&self, heard: Heard, cx: &Ctx) -> Result<()> {
        let before = self.read(heard.key.as_deref(), cx).await?;
        let step = if heard.begins {
            let due = heard.happened.after(self.within);
            if self.is_answered(&heard, due, cx).await? {
                return Ok(());
            }
            if before.is_none() && !cx.has_room_to_plant()? {
                let why = "too many delayed and held events wait; cancel or decide some, or raise the backlog limit";
                return Err(Error::new(ErrorKind::Busy, why));
            }
            let timer = Timer { at: due, by: cx.event().id.clone() };
            let fresh = Waiting { key: heard.key.clone(), due, after: heard.event, timer };
            state::begun(before, fresh, heard.happened, self.restarts)
        } else {
            match before {
                // It may have been handled behind a beginning that it came before.
                Some(waiting) if cx.came_before(&waiting.after, &heard.event).await? => {
                    state::answered(waiting, heard.happened)
                }
                _ => Step::default(),
            }
        };
        self.carry_out(heard.key.as_deref(), step, cx).await
    }

    /// Whether an answer that came behind this beginning was taken before it: then it stands between the two, not far
    /// behind, because a driver's queue is in order. What was taken later comes in turn.
    async fn is_answered(&self, heard: &Heard, due: Timestamp, cx: &Ctx) -> Result<bool> {
        if self.unless.is_empty() {
            return Ok(false);
        }
        let between = cx.since(&heard.event).await?;
        Ok(between.iter().any(|event| {
            self.meaning(event) == Some(false)
                && event.timestamp.min(cx.now()) <= due
                && key::of(&event.data, self.by.as_deref()).is_ok_and(|key| key == heard.key)
        }))
    }

    /// Whether an answer that happened in time is in the log, and was not heard yet.
    async fn is_answer_on_its_way(&self, waiting: &Waiting, cx: &Ctx) -> Result<bool> {
        for pattern in &self.unless {
            let filter = EventFilter::try_from(pattern.as_str())?;
            for event in cx.since_root(&waiting.after, &filter, ON_THEIR_WAY).await? {
                let in_time = event.timestamp.min(cx.now()) <= waiting.due;
                if in_time && key::of(&event.data, self.by.as_deref()).is_ok_and(|key| key == waiting.key) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn rang(&self, Rang { key }: Rang, cx: &Ctx) -> Result<()> {
        let Some(waiting) = self.read(key.as_deref(), cx).await? else { return Ok(()) };
        // One that was set for an earlier wait means nothing.
        if waiting.timer.id(cx) != cx.event().id {
            return Ok(());
        }
        let step = if self.is_answer_on_its_way(&waiting, cx).await? {
            Step { keep: Some(None), ..Step::default() }
        } else {
            state::rang(waiting, cx.now(), &cx.event().id)
        };
        self.carry_out(key.as_deref(), step, cx).await
    }

    async fn read(&self, key: Option<&str>, cx: &Ctx) -> Result<Option<Waiting>> {
        let path = self.path(key);
        let Some(document) = cx.context().read(&path).await? else { return Ok(None) };
        let wrong = |why: String| Error::invalid(format!("{path}: nothing that waits: {why}; remove it"));
        let content = document.content.as_json().ok_or_else(|| wrong("it is text".into()))?;
        let waiting: Waiting =
            serde_json::from_value(content.clone()).map_err(|error| wrong(error.to_string()))?;
        Ok(Some(Waiting { key: key.map(str::to_owned), ..waiting }))
    }

    async fn carry_out(&self, key: Option<&str>, step: Step, cx: &Ctx) -> Result<()> {
        if let Some(waiting) = &step.tell {
            self.tell(waiting, cx).await?;
        }
        if let Some(timer) = &step.cancel {
            cx.cancel_tree(timer.id(cx));
        }
        if let Some(timer) = &step.set {
            let rang = Rang { key: key.map(str::to_owned) };
            let mut event = Event::new(self.due_type())
                .with_id(timer.id(cx))
                .with_data(json!(rang))
                .with_ordering_key(self.order(key))
                .with_deliver_at(timer.at);
            event.edit().labels.clone_from(&cx.event().labels);
            cx.plant(event, false, None);
        }
        match step.keep {
            Some(Some(waiting)) => {
                cx.context().write(&self.path(key), Content::from(json!(waiting))).await?;
            }
            Some(None) => cx.context().remove(&self.path(key)).await?,
            None => {}
        }
        Ok(())
    }

    /// The deadline has passed.
    async fn tell(&self, waiting: &Waiting, cx: &Ctx) -> Result<()> {
        let cause = cx.find(&waiting.after).await?;
        let mut event = self.event.clone();
        let envelope = event.edit();
        // Whose it is, and who says it, is not for a template to say.
        (envelope.user_id, envelope.source) = (cx.user().clone(), self.driver.clone());
        (envelope.timestamp, envelope.deliver_at) = (cx.now(), None);
        envelope.id =
            EventId::derived(waiting.due, cx.user(), &waiting.after, &self.order(waiting.key.as_deref()), 0);
        envelope.labels.extend(cx.event().labels.iter().cloned());
        envelope.labels.extend(cause.iter().flat_map(|cause| cause.labels.iter().cloned()));
        let mut note = |name: &str, value: String| envelope.metadata.insert(name.to_owned(), value);
        note("deadline", self.id().to_owned());
        note("after", waiting.after.to_string());
        note("due", waiting.due.to_string());
        if let Some(key) = &waiting.key {
            note("key", key.clone());
        }
        envelope.data = with_after(&self.event, cause.as_ref());
        cx.plant(event, false, None);
        Ok(())
    }
}

/// The event's data with that of the event that began the wait; without it where nobody could read or take the two.
fn with_after(event: &Event, cause: Option<&Event>) -> crate::Data {
    let together = |after: Value| {
        let mut data = event.data.value();
        if data.is_null() {
            data = json!({});
        }
        data["after"] = after;
        crate::Data::from(data)
    };
    let small = cause.filter(|cause| cause.data.len() <= CARRIED);
    let all = together(small.map_or(Value::Null, |cause| cause.data.value()));
    if all.is_shallow() { all } else { together(Value::Null) }
}

#[async_trait]
impl Driver for Deadline {
    fn manifest(&self) -> Manifest {
        let mut patterns = vec![self.heard_type(), self.due_type(), self.after.clone()];
        patterns.extend(self.unless.iter().cloned());
        patterns.sort_unstable();
        patterns.dedup();
        let mut manifest = Manifest::new(self.driver.clone())
            .with_name("Deadline")
            .with_description("Tells when an event did not come in time.");
        for pattern in patterns {
            manifest = manifest.can(Capability::new(pattern).effect(Effect::WritesContext));
        }
        manifest
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        let own = event.event_type == self.heard_type() || event.event_type == self.due_type();
        if own && event.source != self.driver {
            let why = format!("only the driver {} says this", self.driver);
            return Err(Error::invalid(format!("{}: {why}", event.event_type)).into());
        }
        if event.event_type == self.heard_type() {
            self.heard(event.data.decode()?, cx).await?;
        } else if own {
            self.rang(event.data.decode()?, cx).await?;
        } else {
            self.take(&event, cx)?;
        }
        Ok(Vec::new())
    }

    async fn wiring(&self, _known: &Known) -> Result<Wiring> {
        let answers = self.unless.iter().map(|pattern| Wire::awaits(pattern.clone()));
        let tells = Wire::emits(self.event.event_type.clone()).when("nothing came in time").planted();
        Ok(Wiring::new([Wire::starts(self.after.clone()), tells].into_iter().chain(answers)))
    }

    async fn start(&self, _emitter: Emitter) -> Result<()> {
        self.check()
    }
}
