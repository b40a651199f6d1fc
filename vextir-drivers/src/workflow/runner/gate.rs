//! Rules that last until a run is over: how many there are at a time, and what becomes of one more. Each rule has, for each
//! value of its key and each user, a gate: a document that says who holds a place and who waits, changed by events that come
//! one after the other. A run enters its gates one by one before it begins, and leaves them when it is over.

mod payload;
mod place;
mod state;

pub(super) use place::{Place, for_processor};

use super::key::{self, Verb, event_type};
use super::payload::{Begin, Control};
use super::store::{self, Kept};
use super::{Workflow, known, unknown};
use crate::workflow::run::{Cause, Happened, RunStatus, may_retry};
use payload::{Enter, Go, Leave, Queue};
use serde_json::{Map, Value, json};
use state::{Entry, Full, Gate, Page, Rule, Step};
use std::borrow::Cow;
use vextir::{Ctx, Error, Event, FlowRule, Name, Result, Twin};

/// Where the documents of the gates lie.
fn path(instruction: &str, place: &Place) -> String {
    format!("{}/.gates/{instruction}/{}", store::FOLDER, place.code())
}

/// A page beside the document of a gate.
fn page_path(instruction: &str, place: &Place, page: Page) -> String {
    format!("{}-{}-{}", path(instruction, place), page.rank, page.number)
}

/// What concerns one gate comes one after the other.
fn order(instruction: &str, place: &Place) -> Name {
    format!("gate/{instruction}/{}", place.code()).into()
}

/// A run is over, or wants its place no more. In a tree of its own, so that no budget and no cancelled tree keeps the place.
pub(super) fn leave(instruction: &Name, plan: &Name, places: &[Place], cx: &Ctx) -> Result<()> {
    for place in places {
        let told = json!(Leave { plan: plan.clone(), place: place.clone() });
        let event = Event::new(event_type(instruction, Verb::Leave)).with_data(told);
        cx.emit_root(event.with_ordering_key(order(instruction, place)))?;
    }
    Ok(())
}

impl Begin {
    /// Notes by what the rules of the instruction count the run.
    pub(super) fn counted(mut self, workflow: &Workflow, cause: &Event) -> Self {
        let instruction = workflow.instruction();
        if !instruction.flow.is_empty() {
            let trigger = place::trigger(&known::cause(cause), &cause.user_id);
            self.flow = place::values(instruction, &self.inputs, &trigger);
            self.gates = place::places(instruction, &self.flow);
        }
        self
    }
}

impl Workflow {
    /// A run that has to pass gates goes to the first one; others are left alone. Tells whether it did.
    pub(super) fn to_gates(&self, ask: &Begin, cx: &Ctx) -> Result<bool> {
        let [first, then @ ..] = ask.gates.as_slice() else { return Ok(false) };
        let enter = Enter {
            plan: ask.plan.clone(),
            place: first.clone(),
            then: then.to_vec(),
            rank: place::rank(self.instruction(), &ask.flow),
            again: None,
            begin: Some(ask.clone()),
        };
        cx.emit(self.entering(enter))?;
        Ok(true)
    }

    /// As [`Workflow::to_gates`], for a run that has its document: a fork, or one that is retried.
    pub(super) fn back_to_gates(&self, kept: &Kept, again: Option<Name>, cx: &Ctx) -> Result<bool> {
        let [first, then @ ..] = kept.gates.as_slice() else { return Ok(false) };
        let (plan, place) = (kept.run.id.clone(), first.clone());
        cx.emit(self.entering(Enter { plan, place, then: then.to_vec(), rank: 0, again, begin: None }))?;
        Ok(true)
    }

    /// The gates of a fork: its inputs may be others.
    pub(super) async fn gates_of_fork(&self, kept: &Kept, cx: &Ctx) -> Result<Vec<Place>> {
        let instruction = self.instruction();
        if instruction.flow.is_empty() {
            return Ok(Vec::new());
        }
        let trigger = match &kept.run.trigger {
            Some(cause) => place::trigger(&*self.whole(cause, cx).await?, cx.user()),
            None => Value::Null,
        };
        Ok(place::places(instruction, &place::values(instruction, &kept.run.inputs, &trigger)))
    }

    /// What began a run, with its data: from the log, or from the plan where retention has removed it.
    async fn whole<'c>(&self, cause: &'c Cause, cx: &Ctx) -> Result<Cow<'c, Cause>> {
        match cx.find(&cause.id).await? {
            Some(event) => Ok(Cow::Owned(known::cause(&event))),
            None if cause.data.is_none() && place::reads_data(self.instruction()) => {
                let why = "is gone, and the plan does not have its data, by which the runs are counted";
                Err(Error::invalid(format!("event {}, with which the plan began, {why}", cause.id)))
            }
            None => Ok(Cow::Borrowed(cause)),
        }
    }

    fn entering(&self, enter: Enter) -> Event {
        let key = order(self.id(), &enter.place);
        Event::new(event_type(self.id(), Verb::Enter)).with_data(json!(enter)).with_ordering_key(key)
    }

    fn cancelling(&self, plan: &Name) -> Event {
        let control = json!(Control { plan: plan.clone(), step: None });
        Event::new(event_type(self.id(), Verb::Cancel)).with_data(control).with_ordering_key(key::order(plan))
    }

    /// The rule as it is now: who waits for one that is gone may go on.
    fn rule(&self, place: &Place) -> Rule {
        match place.rule(self.instruction()).map(vextir::Flow::rule) {
            Some(FlowRule::Concurrency(most)) => Rule::Most(*most),
            Some(FlowRule::Singleton(Twin::Skip)) => Rule::Skip,
            Some(FlowRule::Singleton(Twin::Replace)) => Rule::Replace,
            _ => Rule::Most(u32::MAX),
        }
    }

    /// What gates are asked, and what they say.
    pub(super) async fn at_gate(&self, verb: Verb, event: &Event, cx: &Ctx) -> Result<()> {
        let in_turn = |place: &Place| key::has_key(event, &order(self.id(), place));
        match verb {
            Verb::Enter => {
                let ask: Enter = event.data.decode()?;
                in_turn(&ask.place)?;
                self.enter(ask, cx).await
            }
            Verb::Leave => {
                let told: Leave = event.data.decode()?;
                in_turn(&told.place)?;
                self.leave_gate(told, cx).await
            }
            Verb::Queue => self.queue(event.data.decode()?, cx).await,
            _ => self.go(event.data.decode()?, cx).await,
        }
    }

    async fn enter(&self, ask: Enter, cx: &Ctx) -> Result<()> {
        let (before, labels) = (self.gate(&ask.place, cx).await?, cx.event().labels.clone());
        let mut gate = self.refilled(&ask.place, &before, cx).await?;
        let entry = Entry {
            plan: ask.plan.clone(),
            rank: ask.rank,
            then: ask.then.clone(),
            again: ask.again.clone(),
            labels,
        };
        let entered = gate.enter(entry, self.rule(&ask.place));
        let steps = entered.map_err(|Full| {
            let most = state::MOST_WAITING;
            Error::invalid(format!(
                "plan {} is not begun: {most} runs of {} wait already",
                ask.plan,
                self.id()
            ))
        })?;
        for step in steps {
            match step {
                Step::Aside(page, entry) => self.set_aside(&ask.place, page, entry, cx).await?,
                step => self.step(step, Some(&ask), cx)?,
            }
        }
        self.keep_gate(&ask.place, &before, &gate, cx).await
    }

    async fn leave_gate(&self, told: Leave, cx: &Ctx) -> Result<()> {
        let before = self.gate(&told.place, cx).await?;
        let mut gate = self.refilled(&told.place, &before, cx).await?;
        for step in gate.leave(&told.plan, self.rule(&told.place)) {
            self.step(step, None, cx)?;
        }
        self.keep_gate(&told.place, &before, &gate, cx).await
    }

    /// `ask` is what is handled, if it is a run that enters: what concerns that stays in its causal tree.
    fn step(&self, step: Step, ask: Option<&Enter>, cx: &Ctx) -> Result<()> {
        let of = |plan: &Name| ask.filter(|ask| ask.plan == *plan);
        match step {
            Step::Admit(entry) => match of(&entry.plan) {
                Some(ask) => cx.emit(self.onward(entry, ask.begin.clone())?),
                None => {
                    let labels = entry.labels.clone();
                    let mut event = self.onward(entry, None)?;
                    event.edit().labels.extend(labels);
                    self.plant(event, cx)
                }
            },
            Step::Wait(plan) => {
                let Some(begin) = of(&plan).and_then(|ask| ask.begin.clone()) else { return Ok(()) };
                let queue = json!(Queue { plan: plan.clone(), begin });
                let event = Event::new(event_type(self.id(), Verb::Queue)).with_data(queue);
                cx.emit(event.with_ordering_key(key::order(&plan)))
            }
            Step::Cancel(plan) => cx.emit_root(self.cancelling(&plan)),
            Step::LeaveOut(entry) if entry.again.is_some() => {
                Err(Error::invalid(format!("plan {} is not retried: another run is at work", entry.plan)))
            }
            // A fork has its document already.
            Step::LeaveOut(entry) if of(&entry.plan).is_none_or(|ask| ask.begin.is_none()) => {
                cx.emit_root(self.cancelling(&entry.plan))
            }
            Step::LeaveOut(_) | Step::Aside(..) => Ok(()),
        }
    }

    /// To the next gate, or to work.
    fn onward(&self, entry: Entry, begin: Option<Begin>) -> Result<Event> {
        let Entry { plan, rank, then, again, .. } = entry;
        if let [place, then @ ..] = then.as_slice() {
            let (place, then) = (place.clone(), then.to_vec());
            return Ok(self.entering(Enter { plan, place, then, rank, again, begin }));
        }
        let (key, id) = (key::order(&plan), again.is_none().then(|| key::go(&plan)).transpose()?);
        let go = json!(Go { plan, again, begin });
        let event = Event::new(event_type(self.id(), Verb::Go)).with_data(go).with_ordering_key(key);
        Ok(if let Some(id) = id { event.with_id(id) } else { event })
    }

    /// A run that has to wait is a plan that can be seen, and cancelled.
    async fn queue(&self, ask: Queue, cx: &Ctx) -> Result<()> {
        if self.load(cx, &ask.plan).await?.is_some() {
            return Ok(());
        }
        self.begun(ask.begin, true, cx).await
    }

    async fn go(&self, go: Go, cx: &Ctx) -> Result<()> {
        let Some(kept) = self.load(cx, &go.plan).await? else {
            let ask = match go.begin {
                Some(ask) => Some(ask),
                None => self.asked_for(&go.plan, cx).await?,
            };
            return match ask {
                Some(ask) => self.begun(ask, false, cx).await,
                None => Err(unknown(&go.plan)),
            };
        };
        let status = kept.run.status;
        match go.again {
            _ if status == RunStatus::Pending => self.happened(&go.plan, Happened::Turn, cx).await,
            Some(step) if self.may_retry(&kept, &step, cx).await.is_ok() => {
                self.happened(&go.plan, Happened::RetryFrom { step }, cx).await
            }
            // It was cancelled on its way.
            _ if status.is_over() => leave(self.id(), &go.plan, &kept.gates, cx),
            _ => Ok(()),
        }
    }

    /// How a run was asked for, if the log still says so.
    async fn asked_for(&self, plan: &Name, cx: &Ctx) -> Result<Option<Begin>> {
        let begin = cx.find(&key::begin(plan)?).await?;
        let is_ours = |event: &Event| event.event_type == event_type(self.id(), Verb::Begin);
        begin.filter(is_ours).map(|event| event.data.decode()).transpose()
    }

    async fn may_retry(&self, kept: &Kept, step: &Name, cx: &Ctx) -> Result<()> {
        let instruction = self.pinned(cx, &kept.run.hash).await?.ok_or_else(|| unknown(&kept.run.id))?;
        may_retry(&instruction, &kept.run, step).map_err(Error::invalid)
    }

    /// What a person asks of a run that waits for its turn, or that has to wait for it again. Tells whether it was that.
    pub(super) async fn asked_at_gates(
        &self,
        verb: Verb,
        plan: &Name,
        step: Option<&Name>,
        cx: &Ctx,
    ) -> Result<bool> {
        let Some(kept) = self.load(cx, plan).await? else {
            return if verb == Verb::Cancel { self.cancel_unborn(plan, cx).await } else { Ok(false) };
        };
        let status = kept.run.status;
        match (verb, step) {
            _ if kept.gates.is_empty() => Ok(false),
            (Verb::Retry, Some(step)) => {
                self.may_retry(&kept, step, cx).await?;
                self.back_to_gates(&kept, Some(step.clone()), cx)
            }
            (Verb::Cancel, _) if status.is_over() => {
                leave(self.id(), plan, &kept.gates, cx)?;
                Ok(true)
            }
            (Verb::Pause | Verb::Resume, _) if status == RunStatus::Pending => {
                let why = "waits for its turn; pause it when it is at work, or cancel it";
                Err(Error::invalid(format!("plan {plan} {why}")))
            }
            _ => Ok(false),
        }
    }

    /// Cancels a run that is at a gate and has no document yet: it gets one, so that it does not begin.
    async fn cancel_unborn(&self, plan: &Name, cx: &Ctx) -> Result<bool> {
        let Some(ask) = self.asked_for(plan, cx).await? else { return Ok(false) };
        let mut known = false;
        for place in &ask.gates {
            known |= self.gate(place, cx).await?.knows(plan);
        }
        if known {
            self.begun(ask, true, cx).await?;
            self.happened(plan, Happened::Cancel, cx).await?;
        }
        Ok(known)
    }

    async fn gate(&self, place: &Place, cx: &Ctx) -> Result<Gate> {
        let path = path(self.id(), place);
        let Some(document) = cx.context().read(&path).await? else { return Ok(Gate::default()) };
        let value = document.content.as_json().cloned().unwrap_or_default();
        serde_json::from_value(value).map_err(|error| {
            Error::invalid(format!("{path}: no gate: {error}; cancel its runs and remove it"))
        })
    }

    /// With those in it that wait next.
    async fn refilled(&self, place: &Place, gate: &Gate, cx: &Ctx) -> Result<Gate> {
        let mut gate = gate.clone();
        if let Some(page) = gate.wanted() {
            let path = page_path(self.id(), place, page);
            let entries = self.page(&path, cx).await?;
            gate.take_in(page, entries.clone().unwrap_or_default());
            if entries.is_some() {
                cx.context().remove(&path).await?;
            }
        }
        Ok(gate)
    }

    async fn set_aside(&self, place: &Place, page: Page, entry: Entry, cx: &Ctx) -> Result<()> {
        let path = page_path(self.id(), place, page);
        let mut entries = self.page(&path, cx).await?.unwrap_or_default();
        entries.push(entry);
        cx.context().write(&path, json!({"waiting": entries})).await.map(drop)
    }

    async fn page(&self, path: &str, cx: &Ctx) -> Result<Option<Vec<Entry>>> {
        let Some(document) = cx.context().read(path).await? else { return Ok(None) };
        let mut value = document.content.as_json().cloned().unwrap_or_default();
        let entries = serde_json::from_value(value["waiting"].take());
        entries.map(Some).map_err(|error| Error::invalid(format!("{path}: no page of a gate: {error}")))
    }

    async fn keep_gate(&self, place: &Place, before: &Gate, gate: &Gate, cx: &Ctx) -> Result<()> {
        let path = path(self.id(), place);
        if before == gate {
            return Ok(());
        }
        // There may be many keys, and most are seen once.
        if gate.is_empty() && !place.key.is_empty() {
            return cx.context().remove(&path).await;
        }
        let mut value = json!(gate);
        if let Some(fields) = value.as_object_mut() {
            fields.extend(json!(place).as_object().cloned().unwrap_or_else(Map::new));
        }
        cx.context().write(&path, value).await.map(drop)
    }
}
