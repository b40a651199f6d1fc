//! Models by event: the driver that asks them.

mod ask;
mod handle;
mod next;
mod payload;
mod span;

pub use handle::ModelHandle;
pub use payload::{ModelComplete, ModelCompleted, ModelFailed};

use super::registry::{LONGEST_CHAIN, Needs};
use super::{ModelErrorClass, ModelRegistry, TokenUsage};
use ask::{Ending, Question, ask};
use span::Spans;
use std::collections::BTreeMap;
use std::time::Duration;
use vextir::{
    Capability, Ctx, Driver, DriverKind, Effect, Event, HandlerResult, Manifest, Name, OutputSpec, Result,
    async_trait,
};

/// The unit of tokens in the ledger of a causal tree. `tokens/<model>` and `tokens/agent/<agent>` are counted beside it.
pub const TOKENS: &str = "tokens";
/// The unit of money in the ledger of a causal tree: a millionth of a dollar.
pub const MICRO_USD: &str = "micro_usd";
/// The signal with a part of an answer as it comes: `{"text", "agent", "run", "model", "attempt"}`. With another model or
/// attempt the answer begins anew.
pub const TOKEN: &str = "token";

/// The id of the driver.
pub(super) const DRIVER: &str = "models";
/// How long a call may take, with all that wait before it.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Asks models by event: `model.complete` ([`ModelComplete`]) is answered by `model.completed` ([`ModelCompleted`]), or by
/// `model.failed` ([`ModelFailed`]) where no model will answer.
///
/// * **What may pass by is tried again**: a model that is overloaded, limits its rate, cannot be reached or breaks off gets a
///   second try, after the pause that it asks for; then the next of the chain is asked. When none is left, the event is a
///   dead letter.
/// * **What may be another one's** (no key, no such model, too long, refused) is asked of the next at once.
/// * **The causal tree pays.** About what a call may use of `tokens` and `micro_usd` is reserved before it, and what it used is
///   drawn after it, failed tries included, for the model and for the agent, too.
/// * **A `request` for `model.completed`** ends as unanswered where `model.failed` comes; who wants both subscribes to both.
/// * **The policy obligation `restrict_to_cheap_models`** has the cheapest model asked that can do it.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::prelude::*;
/// use vextir_drivers::agent::{
///     Message, Model, ModelComplete, ModelCompleted, ModelError, ModelRegistry, ModelReply, ModelRequest, ModelSpec, Models, Tokens,
/// };
///
/// /// A double that repeats what it is told.
/// #[derive(Debug)]
/// struct Echo;
///
/// #[vextir::async_trait]
/// impl Model for Echo {
///     async fn complete(&self, request: &ModelRequest, tokens: &Tokens<'_>) -> Result<ModelReply, ModelError> {
///         let said = request.messages.last().map(Message::text).unwrap_or_default();
///         tokens(said);
///         Ok(ModelReply::text(said).with_usage(3, 3))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> vextir::Result<()> {
/// let models = ModelRegistry::new().with_model("echo", ModelSpec::own(), Echo);
/// let app = Processor::builder(vextir::MemoryBus::new()).driver(Models::new(models)).start().await?;
/// let asked = ModelComplete::new("echo", ModelRequest::new([Message::user("Hello")]));
/// let answer: ModelCompleted = app.as_user("ann").request(asked).await?;
/// assert_eq!(answer.reply.text, "Hello");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Models {
    registry: ModelRegistry,
    timeout: Duration,
    concurrency: usize,
    spans: Spans,
}

impl Models {
    /// Asks these models.
    #[must_use]
    pub fn new(registry: ModelRegistry) -> Self {
        Self { registry, timeout: TIMEOUT, concurrency: 64, spans: Spans::default() }
    }

    /// How long the handling of one event may take, waits for room included; 10 minutes by default. A call that is not over
    /// then counts as failed.
    #[must_use]
    pub fn with_timeout(self, limit: Duration) -> Self {
        Self { timeout: limit, ..self }
    }

    /// How many events are handled at a time, over all models; 64 by default.
    #[must_use]
    pub fn with_concurrency(self, calls: usize) -> Self {
        Self { concurrency: calls, ..self }
    }

    /// Whether spans hold what is said and answered; false by default, for whoever reads spans would read it.
    #[must_use]
    pub fn record_contents(self, contents: bool) -> Self {
        Self { spans: Spans { contents }, ..self }
    }

    /// The models that it asks.
    #[must_use]
    pub fn registry(&self) -> &ModelRegistry {
        &self.registry
    }

    /// A model, to be asked inside of a handler.
    ///
    /// # Errors
    /// As [`ModelRegistry::get`].
    pub fn get(&self, name: &str) -> Result<ModelHandle> {
        Ok(self.registry.get(name)?.with_spans(self.spans))
    }
}

#[async_trait]
impl Driver for Models {
    fn manifest(&self) -> Manifest {
        let mut complete = Capability::of::<ModelComplete>().effect(Effect::ActsOutside);
        complete.description = "Ask a language model.".to_owned();
        complete.outputs = vec![OutputSpec::of::<ModelCompleted>(), OutputSpec::of::<ModelFailed>()];
        Manifest::new(DRIVER)
            .with_description("Asks language models.")
            .with_kind(DriverKind::Tool)
            .can(complete)
            .with_timeout(self.timeout)
            .with_concurrency(self.concurrency)
            // Each model of a chain gets two tries, the second one together with the first one of the next.
            .with_retries(u32::try_from(LONGEST_CHAIN).unwrap_or(u32::MAX))
    }

    fn check(&self, event: &Event) -> Result<()> {
        let ask: ModelComplete = event.decode()?;
        self.registry.chain(&ask.model, Needs::of(&ask.request)).map(drop)
    }

    fn reserves(&self, event: &Event) -> BTreeMap<Name, u64> {
        let Ok(ask) = event.decode::<ModelComplete>() else { return BTreeMap::new() };
        let Ok(chain) = self.registry.chain(&ask.model, Needs::of(&ask.request)) else {
            return BTreeMap::new();
        };
        let (tokens, cost) = ModelRegistry::expect(&chain, &ask.request);
        [(Name::literal(TOKENS), tokens), (Name::literal(MICRO_USD), cost)].into()
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        let ModelComplete { model, agent, run, turn, request } = event.decode()?;
        let chain = match self.registry.chain(&model, Needs::of(&request).under(cx)) {
            Ok(chain) => chain,
            Err(error) => {
                let (class, usage) = (ModelErrorClass::UnknownModel, TokenUsage::default());
                let message = error.message().to_owned();
                let failed = ModelFailed { class, message, model: None, agent, run, turn, usage, cost: 0 };
                return Ok(vec![Event::of(&failed)?]);
            }
        };
        let question =
            Question { request: &request, agent: agent.as_ref(), run: run.as_ref(), spans: self.spans };
        let answer = match ask(&chain, question, cx).await? {
            Ending::Answered { model, reply, cost, asked } => {
                Event::of(&ModelCompleted { model, agent, run, turn, reply, cost, attempts: asked })?
            }
            Ending::Failed { model, error, usage, cost } => {
                let (class, message, model) = (error.class(), error.to_string(), Some(model));
                Event::of(&ModelFailed { class, message, model, agent, run, turn, usage, cost })?
            }
        };
        Ok(vec![answer])
    }
}
