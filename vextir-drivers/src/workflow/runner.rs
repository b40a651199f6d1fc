//! The driver that carries plans out: what happens goes to the interpreter, and what it says is done is emitted, asked and
//! written, all with the settlement of the event that happened.

mod carry;
mod gate;
mod head;
mod key;
mod known;
mod payload;
mod plans;
mod store;
mod told;
mod wiring;

pub(super) use key::asked_instruction;
pub use payload::{Parent, PlanApproval, PlanFinished};
pub use plans::Plans;

use super::asking;
use super::catalogue::Catalogue;
use super::expression::Names;
use super::instruction::{Act, Instruction, Trigger};
use super::read::WHAT;
use super::run::{self, Command, Fork, Happened, Start, Stop};
use crate::yaml::{self, Faults};
use carry::carry;
use head::Read;
use key::{Verb, event_type, plan_of};
use known::Known;
use payload::{Begin, Control, Decide, ForkPlan, Forked, RunInstruction, Timer};
use serde_json::json;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use store::Kept;
use vextir::check::{Known as Application, Wiring};
use vextir::schedule::{CancelSchedule, Schedule, SetSchedule, Times};
use vextir::{
    BranchEnded, BranchHeld, Capability, Ctx, DeliveryFailed, Driver, Effect, Emitter, Error, Event,
    HandlerResult, Manifest, Name, Payload, Result, async_trait,
};

/// How many runs of an instruction work at a time. What concerns one run comes one after the other.
const RUNS: usize = 256;

/// An instruction as a driver: registered, it runs when its trigger says so, and when it is asked to ([`Plans`]).
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::prelude::*;
/// use vextir_drivers::workflow::Workflow;
///
/// # async fn run(hub: impl vextir::Backend) -> Result<(), Box<dyn std::error::Error>> {
/// let greet = Workflow::from_yaml("greet.yaml", "name: Greet\nplan:\n  - emit: {type: chat.message, data: {text: Hello}}\n")?;
/// let app = Processor::builder(hub).driver(greet).start().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Workflow {
    instruction: Arc<Instruction>,
    /// As it was written: runs that have begun go on with it.
    text: Arc<str>,
    user: Name,
    stored: store::Stored,
    catalogue: Mutex<Option<(usize, Arc<Catalogue>)>>,
    older: Mutex<Vec<Arc<Instruction>>>,
}

impl Workflow {
    /// Reads an instruction; `file_name` is for what is said of its faults.
    ///
    /// # Errors
    /// As [`Instruction::from_yaml`].
    pub fn from_yaml(file_name: &str, text: &str) -> Result<Self, Faults> {
        Ok(Self {
            instruction: Arc::new(Instruction::from_yaml(file_name, text)?),
            text: text.into(),
            user: Name::literal(vextir::LOCAL_USER),
            stored: store::Stored::default(),
            catalogue: Mutex::default(),
            older: Mutex::default(),
        })
    }

    /// Reads an instruction from a file. It waits for the disk.
    ///
    /// # Errors
    /// As [`Instruction::from_file`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Faults> {
        let path = path.as_ref();
        Self::from_yaml(&path.display().to_string(), &yaml::load(path, WHAT)?)
    }

    /// For whom it runs by its schedule; `local` by default. By an event it runs for the event's user.
    #[must_use]
    pub fn for_user(self, user: impl Into<Name>) -> Self {
        Self { user: user.into(), ..self }
    }

    /// What it says.
    #[must_use]
    pub fn instruction(&self) -> &Instruction {
        &self.instruction
    }

    fn id(&self) -> &Name {
        &self.instruction.id
    }

    /// What the drivers of the processor handle.
    fn catalogue(&self, cx: &Ctx) -> Arc<Catalogue> {
        let manifests = cx.manifests();
        let mut known = self.catalogue.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            // Drivers come, and none goes.
            Some((count, catalogue)) if *count == manifests.len() => catalogue.clone(),
            _ => {
                let catalogue = Arc::new(Catalogue::of(manifests.iter()));
                *known = Some((manifests.len(), catalogue.clone()));
                catalogue
            }
        }
    }

    /// The version of the instruction that a run began with.
    async fn pinned(&self, cx: &Ctx, hash: &str) -> Result<Option<Arc<Instruction>>> {
        if self.instruction.hash == hash {
            return Ok(Some(self.instruction.clone()));
        }
        let older = || self.older.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = older().iter().find(|older| older.hash == hash) {
            return Ok(Some(known.clone()));
        }
        let Some(text) = store::definition(cx, hash).await? else { return Ok(None) };
        let Ok(read) = Instruction::from_yaml(self.id(), &text) else { return Ok(None) };
        let read = Arc::new(read);
        let mut older = older();
        older.truncate(63);
        older.insert(0, read.clone());
        Ok(Some(read).filter(|read| read.hash == hash))
    }

    fn manifest_of(&self) -> Manifest {
        let instruction = &self.instruction;
        let mut manifest = Manifest::new(driver_id(self.id())).with_concurrency(RUNS);
        manifest.name.clone_from(&instruction.name);
        manifest.description = instruction.description.clone().unwrap_or_default();
        manifest.version.clone_from(&instruction.hash);
        let mut patterns: Vec<Name> =
            [BranchEnded::TYPE, BranchHeld::TYPE, DeliveryFailed::TYPE].map(Name::literal).to_vec();
        patterns.extend(Verb::ALL.iter().map(|verb| event_type(self.id(), *verb)));
        match &instruction.trigger {
            Some(Trigger::Event { event, .. }) => patterns.push(event.as_str().into()),
            Some(Trigger::Context { .. }) => patterns.push(Name::literal("context.changed")),
            _ => {}
        }
        for step in &instruction.steps {
            match &step.act {
                Act::WaitFor { event, .. } => patterns.push(event.as_str().into()),
                Act::Run { .. } => patterns.push(Name::literal(PlanFinished::TYPE)),
                _ => {}
            }
        }
        patterns.sort_unstable();
        patterns.dedup();
        let begin = event_type(self.id(), Verb::Begin);
        let capability = |pattern: Name| {
            let rules = if pattern == begin { gate::for_processor(instruction) } else { Vec::new() };
            let can = Capability::new(pattern).returns::<PlanFinished>().effect(Effect::WritesContext);
            rules.into_iter().fold(can, Capability::flow)
        };
        manifest.capabilities = patterns.into_iter().map(capability).collect();
        let run = event_type(self.id(), Verb::Run);
        let asked = manifest.capabilities.iter_mut().find(|capability| capability.pattern == run);
        if let Some(asked) = asked {
            asked.input = asking::schema(&instruction.inputs).try_into().ok();
        }
        manifest
    }

    /// What its schedule asks for.
    fn schedule(&self) -> Option<Event> {
        let Some(Trigger::Schedule { cron, timezone }) = &self.instruction.trigger else { return None };
        let times = Times::Cron { cron: cron.clone(), timezone: timezone.clone() };
        let event = Event::new(event_type(self.id(), Verb::Run)).with_data(json!({}));
        SetSchedule::new(Schedule::new(event, times)).with_id(schedule_id(self.id())).in_turn().ok()
    }

    /// Whether a schedule asks for a run that the instruction had before, and has no more.
    fn is_left_over(&self, event: &Event) -> bool {
        let scheduled = event.metadata.get("schedule").is_some_and(|id| *id == schedule_id(self.id()));
        scheduled && !matches!(self.instruction.trigger, Some(Trigger::Schedule { .. }))
    }

    /// A run begins, if the trigger's condition holds.
    async fn triggered(&self, event: &Event, cx: &Ctx) -> Result<()> {
        let condition = match &self.instruction.trigger {
            Some(Trigger::Event { event: pattern, condition }) if pattern.matches(&event.event_type) => {
                condition.as_ref()
            }
            Some(Trigger::Context { path }) if event.event_type == "context.changed" => {
                let changed = event.data.value();
                // A folder that was made for its first document is no change of a document.
                let is_folder = changed["what"] == "created" && changed["version"] == 0;
                let below = changed["path"].as_str().is_some_and(|it| vextir::context::is_within(it, path));
                if is_folder || !below {
                    return Ok(());
                }
                None
            }
            _ => return Ok(()),
        };
        if let Some(condition) = condition {
            let mut names = Names::new();
            names.insert("event".into(), known::shown(event));
            let holds = condition.holds(&names).map_err(|reason| {
                Error::invalid(format!("{}: its trigger's condition cannot be told: {reason}", self.id()))
            })?;
            if !holds {
                return Ok(());
            }
        }
        self.ask_to_begin(event, RunInstruction::default(), cx)
    }

    /// A run has its own ordering key from its first event on.
    fn ask_to_begin(&self, cause: &Event, ask: RunInstruction, cx: &Ctx) -> Result<()> {
        let plan = plan_of(self.id(), cause);
        let begin = Begin {
            plan: plan.clone(),
            cause: cause.id.clone(),
            inputs: ask.inputs,
            parent: ask.parent,
            flow: Vec::new(),
            gates: Vec::new(),
        };
        // What another instruction runs shares its causal tree, and with it its limits.
        let shares = self.instruction.limits.is_none() || begin.parent.is_some();
        let begin = begin.counted(self, cause);
        let event = Event::new(event_type(self.id(), Verb::Begin)).with_data(json!(begin));
        let event = event.with_id(key::begin(&plan)?).with_ordering_key(key::order(&plan));
        if shares { cx.emit(event) } else { self.plant(event, cx) }
    }

    /// In a causal tree of its own, with the limits of the instruction if it has some.
    fn plant(&self, event: Event, cx: &Ctx) -> Result<()> {
        match self.instruction.limits.clone() {
            Some(limits) => cx.emit_root_with(event, limits),
            None => cx.emit_root(event),
        }
    }

    async fn begin(&self, ask: Begin, cx: &Ctx) -> Result<()> {
        // Or it was asked for twice.
        if self.load(cx, &ask.plan).await?.is_some() || self.to_gates(&ask, cx)? {
            return Ok(());
        }
        self.begun(ask, false, cx).await
    }

    /// A run with its document. It waits for its turn, or begins.
    async fn begun(&self, ask: Begin, waits: bool, cx: &Ctx) -> Result<()> {
        let cause = cx.find(&ask.cause).await?;
        let slot = cause.as_ref().and_then(|cause| match cause.metadata.get("slot") {
            Some(slot) => slot.parse().ok(),
            None => Some(cause.timestamp),
        });
        let timezone = match &self.instruction.trigger {
            Some(Trigger::Schedule { timezone, .. }) => timezone.clone(),
            _ => "UTC".to_owned(),
        };
        let start = Start {
            run: ask.plan.clone(),
            slot: slot.unwrap_or_else(|| cx.now()),
            timezone,
            trigger: cause.as_ref().map(known::cause),
            inputs: ask.inputs,
        };
        let mut known = Known::new(cx, self.catalogue(cx));
        let (run, commands) = loop {
            if waits {
                break (run::ready(&self.instruction, start, &known), Vec::new());
            }
            match run::begin(&self.instruction, start.clone(), &known) {
                Ok(begun) => break begun,
                Err(Stop::Wanted(wanted)) => known.load_events(cx, wanted.events).await?,
                Err(Stop::Refused(reason)) => return Err(Error::invalid(reason)),
            }
        };
        self.stored.keep(cx, &self.instruction.hash, &self.text).await?;
        let (parent, root) = (ask.parent, Some(cx.event().root().clone()));
        self.conclude(Kept { run, parent, root, gates: ask.gates, read: Read::default() }, commands, cx).await
    }

    /// The new plan has its own ordering key from its first event on.
    fn ask_to_fork(&self, event: &Event, ask: ForkPlan, cx: &Ctx) -> Result<()> {
        let plan = plan_of(self.id(), event);
        let forked = Forked { plan: plan.clone(), ask };
        let event = Event::new(event_type(self.id(), Verb::Forked)).with_data(json!(forked));
        let event = event.with_id(key::begin(&plan)?).with_ordering_key(key::order(&plan));
        if self.instruction.limits.is_none() { cx.emit(event) } else { self.plant(event, cx) }
    }

    async fn forked(&self, Forked { plan, ask }: Forked, cx: &Ctx) -> Result<()> {
        let from = self.load(cx, &ask.plan).await?.ok_or_else(|| unknown(&ask.plan))?;
        let instruction = self.pinned(cx, &from.run.hash).await?.ok_or_else(|| unknown(&ask.plan))?;
        let (mut old, mut known) = (from.run, Known::new(cx, self.catalogue(cx)));
        let fork = Fork { run: plan.clone(), step: ask.step, inputs: ask.inputs };
        let has_rules = !self.instruction.flow.is_empty();
        let (run, commands) = loop {
            let forked = if has_rules {
                run::fork_ready(&instruction, &old, fork.clone(), &known).map(|run| (run, Vec::new()))
            } else {
                run::fork(&instruction, &old, fork.clone(), &known)
            };
            match forked {
                Ok(forked) => break forked,
                Err(Stop::Wanted(wanted)) => {
                    store::load_parts(cx, &mut old, wanted.parts).await?;
                    known.load_events(cx, wanted.events).await?;
                }
                Err(Stop::Refused(reason)) => return Err(Error::invalid(reason)),
            }
        };
        let root = Some(cx.event().root().clone());
        let mut kept = Kept { run, parent: None, root, gates: Vec::new(), read: Read::default() };
        kept.gates = self.gates_of_fork(&kept, cx).await?;
        let is_done = !has_rules || self.back_to_gates(&kept, None, cx)?;
        self.conclude(kept, commands, cx).await?;
        if is_done { Ok(()) } else { self.happened(&plan, Happened::Turn, cx).await }
    }

    /// Something happened in a run.
    async fn happened(&self, plan: &str, happened: Happened, cx: &Ctx) -> Result<()> {
        let Some(mut kept) = self.load(cx, plan).await? else { return Ok(()) };
        let mut known = Known::new(cx, self.catalogue(cx));
        let Some(instruction) = self.pinned(cx, &kept.run.hash).await? else {
            let reason = format!("the version of `{}` that it began with is not there any more", self.id());
            return self.abandon(kept, &reason, cx).await;
        };
        if happened == Happened::Turn {
            kept.root = Some(cx.event().root().clone());
        }
        // Of an event that may be awaited most is no news.
        let before = matches!(happened, Happened::Came { .. }).then(|| kept.run.clone());
        let commands = loop {
            match run::step(&instruction, &mut kept.run, happened.clone(), &known) {
                Ok(commands) => break commands,
                Err(Stop::Wanted(wanted)) => {
                    store::load_parts(cx, &mut kept.run, wanted.parts).await?;
                    known.load_events(cx, wanted.events).await?;
                }
                Err(Stop::Refused(reason)) => return Err(Error::invalid(reason)),
            }
        };
        if commands.is_empty() && before.is_some_and(|before| before == kept.run) {
            return Ok(());
        }
        self.conclude(kept, commands, cx).await
    }

    /// A run cannot go on.
    async fn abandon(&self, mut kept: Kept, reason: &str, cx: &Ctx) -> Result<()> {
        let known = Known::new(cx, self.catalogue(cx));
        let commands = run::abandon(&mut kept.run, reason, &known);
        self.conclude(kept, commands, cx).await
    }

    async fn load(&self, cx: &Ctx, plan: &str) -> Result<Option<Kept>> {
        head::load(cx, &self.stored, plan).await
    }

    async fn conclude(&self, mut kept: Kept, commands: Vec<Command>, cx: &Ctx) -> Result<()> {
        carry(self.id(), &kept, commands, cx).await?;
        store::save(cx, &mut kept).await
    }

    async fn asked(&self, verb: Verb, event: &Event, cx: &Ctx) -> Result<()> {
        let data = &event.data;
        match verb {
            Verb::Run if self.is_left_over(event) => forget_schedule(self.id(), cx),
            Verb::Run => self.ask_to_begin(event, data.decode()?, cx),
            Verb::Begin => self.begin(data.decode()?, cx).await,
            Verb::Enter | Verb::Leave | Verb::Queue | Verb::Go => self.at_gate(verb, event, cx).await,
            Verb::Fork => self.ask_to_fork(event, data.decode()?, cx),
            Verb::Forked => self.forked(data.decode()?, cx).await,
            Verb::Came => self.came(data.decode()?, cx).await,
            Verb::Returned => self.returned(data.decode()?, cx).await,
            Verb::Look => self.look(data.decode()?, cx).await,
            Verb::Timer => {
                let Timer { plan, at, what } = data.decode()?;
                let Some(at) = key::at(&at) else { return Ok(()) };
                self.happened(&plan, Happened::Due { at, what: what.into() }, cx).await
            }
            Verb::Decide => {
                let Decide { plan, at, approved, reason } = data.decode()?;
                let at = key::at(&at)
                    .ok_or_else(|| Error::invalid(format!("at {at:?}: take it from the question")))?;
                let by = cx.user().clone();
                self.happened(&plan, Happened::Decided { at, approved, by, reason }, cx).await
            }
            Verb::Pause | Verb::Resume | Verb::Cancel | Verb::Retry => {
                let Control { plan, step } = data.decode()?;
                let limited = verb == Verb::Retry && self.instruction.limits.is_some();
                if limited && event.source != *cx.driver() {
                    // Who asks has a tree with limits of its own: the run goes on in one with those of the instruction.
                    let again = Event::new(event.event_type.clone()).with_data(event.data.clone());
                    return self.plant(again.with_ordering_key(key::order(&plan)), cx);
                }
                if self.asked_at_gates(verb, &plan, step.as_ref(), cx).await? {
                    return Ok(());
                }
                if self.load(cx, &plan).await?.is_none() {
                    // Another plan asked for it, and wants it no more: it never began.
                    let unwanted = verb == Verb::Cancel && event.source.starts_with("instruction.");
                    return if unwanted { Ok(()) } else { Err(unknown(&plan)) };
                }
                let happened = match (verb, step) {
                    (Verb::Pause, _) => Happened::Pause,
                    (Verb::Resume, _) => Happened::Resume,
                    (Verb::Cancel, _) => Happened::Cancel,
                    (_, Some(step)) => Happened::RetryFrom { step },
                    (_, None) => return Err(Error::invalid("say from which `step` the plan is retried")),
                };
                self.happened(&plan, happened, cx).await
            }
        }
    }

    async fn handle(&self, event: &Event, cx: &Ctx) -> Result<()> {
        match event.event_type.as_str() {
            BranchEnded::TYPE => return self.ended(event.decode()?, cx).await,
            BranchHeld::TYPE => return self.held(event.decode()?, cx).await,
            DeliveryFailed::TYPE => return self.failed(event.decode()?, cx).await,
            _ => {}
        }
        if let Some(verb) = key::verb(self.id(), &event.event_type) {
            let data = event.data.value();
            key::in_turn(verb, data["plan"].as_str().unwrap_or_default(), event)?;
            return self.asked(verb, event, cx).await;
        }
        if event.event_type == PlanFinished::TYPE {
            self.child_finished(event, cx)?;
        }
        self.awaited(event, cx).await?;
        self.triggered(event, cx).await
    }
}

fn unknown(plan: &str) -> Error {
    Error::new(
        vextir::ErrorKind::NotFound,
        format!("there is no plan {plan:?}, or the instruction that it began with is gone"),
    )
}

/// The schedule of an instruction.
fn schedule_id(instruction: &str) -> String {
    format!("instruction-{instruction}")
}

fn forget_schedule(instruction: &str, cx: &Ctx) -> Result<()> {
    let id = schedule_id(instruction);
    let key = format!("schedule/{id}");
    cx.emit(Event::of(&CancelSchedule::new(id))?.with_ordering_key(key))
}

/// The driver that runs an instruction.
fn driver_id(instruction: &str) -> String {
    format!("instruction.{instruction}")
}

#[async_trait]
impl Driver for Workflow {
    fn manifest(&self) -> Manifest {
        self.manifest_of()
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        self.handle(&event, cx).await?;
        Ok(Vec::new())
    }

    async fn wiring(&self, known: &Application) -> Result<Wiring> {
        Ok(wiring::wiring(&driver_id(self.id()).into(), &self.instruction, known))
    }

    async fn start(&self, emitter: Emitter) -> Result<()> {
        let Some(schedule) = self.schedule() else { return Ok(()) };
        let emitter = emitter.for_user(self.user.clone());
        tokio::spawn(async move {
            // The processor may not take events yet.
            while let Err(error) = emitter.emit(schedule.clone()).await {
                if !error.kind().is_transient() && error.kind() != vextir::ErrorKind::Busy {
                    tracing::error!(%error, "an instruction's schedule was not set");
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
        Ok(())
    }
}
