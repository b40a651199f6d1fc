//! The driver that carries runs of an agent out: what happens goes to the turn, and what that decides is emitted and written, all with
//! the settlement of the event that happened.

mod carry;
mod key;
mod recall;
mod store;
mod told;
mod turns;
mod wiring;

pub use store::AgentRuns;

use super::ModelChoice;
use super::critic::Critic;
use super::payload::{AgentAnswer, AgentDegraded, AgentFinished};
use super::run::{AgentRun, RunStatus};
use super::spec::{AgentCapability, AgentSpec};
use super::toolbox::{Toolbox, offered};
use super::tools::ToolRegistry;
use super::turn::{self, Given, Next};
use crate::yaml::Faults;
use carry::carry;
use key::{Verb, event_type, order, run_of};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use vextir::check::{self, Wiring};
use vextir::{
    BranchEnded, BranchHeld, Capability, Category, Ctx, DeliveryFailed, Driver, DriverKind, Effect, Error,
    Event, EventId, HandlerResult, Limits, Manifest, Name, OutputSpec, Payload, Result, async_trait,
};

/// How many runs of an agent take a step at a time. What concerns one run comes one after the other.
const RUNS: usize = 256;

/// An agent as a driver. Written in YAML as the specification prints it, or in Rust:
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::Driver;
/// use vextir_drivers::agent::Agent;
///
/// let agent = Agent::new("research_agent")
///     .model("gpt-4")
///     .system_prompt("You are a research assistant.")
///     .tools(["web_search", "context_read", "context_write"])
///     .handles("research.request")
///     .handles("question.complex");
/// assert_eq!(agent.manifest().id, "research_agent");
/// ```
///
/// It asks models by the event `model.complete`, so a driver must handle that: [`Models`](super::Models).
#[derive(Debug)]
pub struct Agent {
    spec: AgentSpec,
    tools: Arc<ToolRegistry>,
    /// The tools that there were when it was looked, by the number of drivers.
    known: Mutex<Option<(usize, Arc<Toolbox>)>>,
    /// What it was told to lack.
    told: Mutex<Vec<String>>,
    critic: Option<Arc<dyn Critic>>,
    turns: turns::Turns,
}

/// A run is to begin.
#[derive(Debug, Serialize, Deserialize)]
struct Begin {
    run: Name,
    cause: EventId,
}

/// Something is asked of a run.
#[derive(Debug, Serialize, Deserialize)]
struct Control {
    run: Name,
}

impl Agent {
    /// An agent that handles nothing yet.
    pub fn new(id: impl Into<Name>) -> Self {
        Self::from_spec(AgentSpec::new(id))
    }

    /// An agent that is all that this says.
    #[must_use]
    pub fn from_spec(spec: AgentSpec) -> Self {
        Self {
            spec,
            tools: Arc::default(),
            known: Mutex::default(),
            told: Mutex::default(),
            critic: None,
            turns: turns::Turns::default(),
        }
    }

    /// Reads an agent; `file_name` is for what is said of its faults.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place.
    pub fn from_yaml(file_name: &str, text: &str) -> Result<Self, Faults> {
        AgentSpec::from_yaml(file_name, text).map(Self::from_spec)
    }

    /// Reads an agent from a file. It waits for the disk.
    ///
    /// # Errors
    /// As [`Agent::from_yaml`]; or why the file cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Faults> {
        AgentSpec::from_file(path).map(Self::from_spec)
    }

    fn with(mut self, change: impl FnOnce(&mut AgentSpec)) -> Self {
        change(&mut self.spec);
        self
    }

    /// Says which model answers: a name of the model registry, or what the model has to be able to do.
    #[must_use]
    pub fn model(self, model: impl Into<ModelChoice>) -> Self {
        let model = model.into();
        self.with(|spec| spec.model = model)
    }

    /// Says what the model is told to be and to do.
    #[must_use]
    pub fn system_prompt(self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.with(|spec| spec.system_prompt = text)
    }

    /// Adds tools: see [`AgentSpec::tools`].
    #[must_use]
    pub fn tools(self, tools: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with(|spec| spec.tools.extend(tools.into_iter().map(Into::into)))
    }

    /// Handles events of this type; the answer is the event `<type>.result` with [`AgentAnswer`] as its data.
    #[must_use]
    pub fn handles(self, event_type: impl Into<Name>) -> Self {
        let capability = AgentCapability::new(event_type);
        self.with(|spec| spec.capabilities.push(capability))
    }

    /// Handles the events of a payload, and answers with another one: then [`request`](vextir::Processor::request) gives the
    /// answer typed. The type of the answer must be `<type>.result`.
    #[must_use]
    pub fn answers<Q: Payload, A: Payload>(self) -> Self {
        let schema = |schema: schemars::Schema| Some(schema.to_value());
        let capability = AgentCapability {
            event_type: Name::literal(Q::TYPE),
            description: Q::DESCRIPTION.to_owned(),
            input: schema(schemars::schema_for!(Q)),
            output: schema(schemars::schema_for!(A)),
        };
        debug_assert_eq!(
            capability.result(),
            A::TYPE,
            "the answer's type is that of the question and `.result`"
        );
        self.with(|spec| spec.capabilities.push(capability))
    }

    /// Shows the model these documents, whole, before it begins. In a path, `{topic}` stands for the event's `topic`.
    #[must_use]
    pub fn shows_documents(self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with(|spec| spec.recall.documents.extend(paths.into_iter().map(Into::into)))
    }

    /// Shows the model the guides of a folder, what is in it, and the best hits of a search for the question.
    #[must_use]
    pub fn shows_folder(self, path: impl Into<String>, hits: usize) -> Self {
        let path = path.into();
        self.with(|spec| {
            spec.recall.folders.push(path);
            spec.recall.hits = hits;
        })
    }

    /// Keeps its tools within these folders.
    #[must_use]
    pub fn within(self, folders: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with(|spec| spec.scopes.folders.extend(folders.into_iter().map(Into::into)))
    }

    /// Gives each run a causal tree of its own with these limits; see [`Bounds::limits`](super::Bounds::limits).
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        self.with(|spec| spec.bounds.limits = Some(limits))
    }

    /// Limits each answer of the model, in tokens.
    #[must_use]
    pub fn max_tokens(self, tokens: u32) -> Self {
        self.with(|spec| spec.max_tokens = Some(tokens))
    }

    /// Says how freely words are chosen, from 0 to 2.
    #[must_use]
    pub fn temperature(self, temperature: f64) -> Self {
        self.with(|spec| spec.temperature = Some(temperature))
    }

    /// Changes how far a run may go.
    #[must_use]
    pub fn bounds(self, change: impl FnOnce(&mut super::Bounds)) -> Self {
        self.with(|spec| change(&mut spec.bounds))
    }

    /// Names for tools that are no event of a driver by themselves.
    #[must_use]
    pub fn with_tools(self, tools: impl Into<Arc<ToolRegistry>>) -> Self {
        Self { tools: tools.into(), ..self }
    }

    pub(super) fn with_critic(self, critic: Arc<dyn Critic>) -> Self {
        Self { critic: Some(critic), ..self }
    }

    /// What it is told to be.
    #[must_use]
    pub fn spec(&self) -> &AgentSpec {
        &self.spec
    }

    /// What it lacks of the tools that it declares, where these are the drivers: a name and why, for each.
    #[must_use]
    pub fn missing(&self, manifests: &[Manifest]) -> Vec<String> {
        missing(&offered(&self.spec.tools, &self.tools, manifests, &self.spec.id))
    }

    /// Its tools, as long as no other driver comes.
    fn toolbox(&self, cx: &Ctx) -> Arc<Toolbox> {
        let manifests = cx.manifests();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((count, toolbox)) if *count == manifests.len() => toolbox.clone(),
            _ => {
                let toolbox = Arc::new(offered(&self.spec.tools, &self.tools, &manifests, &self.spec.id));
                *known = Some((manifests.len(), toolbox.clone()));
                toolbox
            }
        }
    }

    fn manifest_of(&self) -> Manifest {
        let spec = &self.spec;
        let mut manifest = Manifest::new(spec.id.clone()).with_kind(DriverKind::Agent).with_concurrency(RUNS);
        manifest.name.clone_from(&spec.name);
        manifest.author.clone_from(&spec.author);
        manifest.version.clone_from(&spec.version);
        manifest.description.clone_from(&spec.description);
        let asked = spec.capabilities.iter().map(|capability| {
            let description =
                if capability.description.is_empty() { &spec.description } else { &capability.description };
            let mut can = Capability::new(capability.event_type.clone()).describe(description.clone());
            can.input = capability.input.clone().and_then(|schema| schema.try_into().ok());
            let output = capability.output.clone().and_then(|schema| schema.try_into().ok());
            let schema = output.unwrap_or_else(|| schemars::schema_for!(AgentAnswer));
            can.outputs =
                vec![OutputSpec { event_type: capability.result(), schema, category: Category::Output }];
            can
        });
        let mut own: Vec<Name> =
            [BranchEnded::TYPE, BranchHeld::TYPE, DeliveryFailed::TYPE].map(Name::literal).to_vec();
        own.extend(Verb::ALL.into_iter().map(|verb| event_type(&spec.id, verb)));
        manifest.capabilities = asked.chain(own.into_iter().map(Capability::new)).collect();
        for capability in &mut manifest.capabilities {
            // What it does outside, its tools do, each under its own verdict.
            capability.effect = Effect::WritesContext;
        }
        manifest
    }

    /// A run has its own ordering key from its first event on.
    fn ask_to_begin(&self, event: &Event, cx: &Ctx) -> Result<()> {
        let run = run_of(&self.spec.id, event);
        let begin = json!(Begin { run: run.clone(), cause: event.id.clone() });
        let begin = Event::new(event_type(&self.spec.id, Verb::Begin)).with_data(begin);
        let begin = begin.with_id(key::begin(&run)?).with_ordering_key(order(&run));
        match self.spec.bounds.limits.clone() {
            Some(limits) => cx.emit_root_with(begin, limits),
            None => cx.emit(begin),
        }
    }

    async fn begin(&self, begin: Begin, cx: &Ctx) -> Result<()> {
        // Or it was asked for twice. One that failed before it had asked anything begins anew.
        if let Some(run) = store::load(cx, &begin.run).await?
            && !(run.status == RunStatus::Failed && run.turn == 0)
        {
            return Ok(());
        }
        let cause = cx.find(&begin.cause).await?.ok_or_else(|| {
            Error::invalid(format!("the event {} that the run {} is about is gone", begin.cause, begin.run))
        })?;
        if begin.run != run_of(&self.spec.id, &cause) || self.spec.capability(&cause.event_type).is_none() {
            return Err(Error::invalid(format!("the run {:?} is none of the event {}", begin.run, cause.id)));
        }
        let mut run = AgentRun::new(begin.run, self.spec.id.clone(), begin.cause, cause.event_type.clone());
        (run.root, run.home) = (Some(cx.event().root().clone()), Some(cx.event().id.clone()));
        let toolbox = self.toolbox(cx);
        run.missing = missing(&toolbox);
        self.tell_missing(&run, cx)?;
        run.labels.extend(cx.event().labels.iter().chain(&cause.labels).cloned());
        let brief = self.critic.as_ref().map(|critic| critic.brief(&cx.manifests()));
        recall::opening(&mut run, &self.spec, brief.as_deref(), &cause, cx).await?;
        let next = turn::ask(&mut run, self.given(&toolbox, &cx.manifests()));
        self.conclude(run, next, cx).await
    }

    fn given<'a>(&'a self, toolbox: &'a Toolbox, manifests: &'a [Manifest]) -> Given<'a> {
        Given { spec: &self.spec, toolbox, critic: self.critic.as_deref(), manifests }
    }

    /// Says with each run what is missing, and in the log once.
    fn tell_missing(&self, run: &AgentRun, cx: &Ctx) -> Result<()> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != run.missing {
            tracing::warn!(agent = %self.spec.id, missing = run.missing.join("; "), "an agent lacks tools that it declares");
            run.missing.clone_into(&mut told);
        }
        if run.missing.is_empty() {
            return Ok(());
        }
        let degraded =
            AgentDegraded { agent: self.spec.id.clone(), run: run.run.clone(), missing: run.missing.clone() };
        cx.emit(Event::of(&degraded)?)
    }

    async fn conclude(&self, mut run: AgentRun, next: Next, cx: &Ctx) -> Result<()> {
        if let (Next::Answer(answer), Some(critic)) = (&next, &self.critic) {
            critic.keep(answer, cx).await?;
        }
        let calls = matches!(next, Next::Call(_));
        carry(&self.spec, &mut run, next, cx).await?;
        if calls {
            self.turns.begin(cx.user(), &run);
        } else if run.status.is_over() {
            self.turns.forget(cx.user(), &run.run);
        }
        store::save(cx, &run).await
    }

    async fn asked(&self, verb: Verb, event: &Event, cx: &Ctx) -> Result<()> {
        if verb == Verb::Begin {
            let begin: Begin = event.data.decode()?;
            key::in_turn(event, &begin.run)?;
            if event.source != self.spec.id {
                return Err(Error::invalid("a run is begun by the event that the agent handles: emit that"));
            }
            return self.begin(begin, cx).await;
        }
        let Control { run } = event.data.decode()?;
        key::in_turn(event, &run)?;
        let unknown = || Error::new(vextir::ErrorKind::NotFound, format!("there is no run {run:?}"));
        let mut run =
            store::load(cx, &run).await?.filter(|run| run.agent == self.spec.id).ok_or_else(unknown)?;
        match verb {
            Verb::Cancel if !run.status.is_over() => {
                carry::cancel_open(&run, cx)?;
                run.status = RunStatus::Cancelled;
                carry::finished(&run, None, cx).await?;
                store::save(cx, &run).await
            }
            Verb::Retry if run.status == RunStatus::Failed => match self.spec.bounds.limits.clone() {
                // It goes on in a causal tree with the limits of its agent, too.
                Some(limits) if event.source != self.spec.id => {
                    let again = Event::new(event.event_type.clone()).with_data(event.data.clone());
                    cx.emit_root_with(again.with_ordering_key(order(&run.run)), limits)
                }
                _ if run.turn == 0 => self.begin(Begin { run: run.run, cause: run.cause }, cx).await,
                _ => {
                    (run.corrections, run.home) = (0, Some(event.id.clone()));
                    run.root = Some(event.root().clone());
                    let toolbox = self.toolbox(cx);
                    let next = turn::again(&mut run, self.given(&toolbox, &cx.manifests()));
                    self.conclude(run, next, cx).await
                }
            },
            Verb::Retry if !run.status.is_over() => Ok(()),
            Verb::Retry => Err(Error::invalid(format!("the run {} has not failed", run.run))),
            _ => Ok(()),
        }
    }

    async fn handle(&self, event: &Event, cx: &Ctx) -> Result<()> {
        match event.event_type.as_str() {
            BranchEnded::TYPE => return self.ended(event.decode()?, cx).await,
            BranchHeld::TYPE => return self.held(event.decode()?, cx).await,
            DeliveryFailed::TYPE => return self.failed(event.decode()?, cx).await,
            _ => {}
        }
        match key::verb(&self.spec.id, &event.event_type) {
            Some(verb) => self.asked(verb, event, cx).await,
            None => self.ask_to_begin(event, cx),
        }
    }
}

fn missing(toolbox: &Toolbox) -> Vec<String> {
    toolbox.missing.iter().map(|missing| format!("{}: {}", missing.name, missing.reason)).collect()
}

#[async_trait]
impl Driver for Agent {
    fn manifest(&self) -> Manifest {
        self.manifest_of()
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        let span = tracing::info_span!(
            "invoke_agent",
            otel.name = format!("invoke_agent {}", self.spec.id),
            gen_ai.operation.name = "invoke_agent",
            gen_ai.agent.id = %self.spec.id,
            gen_ai.agent.name = if self.spec.name.is_empty() { self.spec.id.as_str() } else { self.spec.name.as_str() },
            gen_ai.conversation.id = event.ordering_key.as_deref().and_then(|key| key.strip_prefix("agent/")),
        );
        tracing::Instrument::instrument(self.handle(&event, cx), span).await?;
        Ok(Vec::new())
    }

    async fn wiring(&self, known: &check::Known) -> Result<Wiring> {
        Ok(wiring::wiring(&self.spec, &self.tools, known))
    }
}
