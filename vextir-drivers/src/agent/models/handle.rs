//! A model inside of a handler of one's own.

use super::ask::{Ending, Question, ask};
use super::span::Spans;
use crate::agent::registry::Needs;
use crate::agent::{ModelChoice, ModelRegistry, ModelReply, ModelRequest};
use vextir::{BoxError, Ctx, Failure};

/// A model, or several to choose from, for handlers of your own. A clone is the same one.
///
/// What it uses is drawn on the ledger of the handled event's causal tree; nothing is reserved before, so a handler that asks
/// for much says so ([`Capability::reserves`](vextir::Capability::reserves)).
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::prelude::*;
/// use vextir::BoxError;
/// use vextir_drivers::agent::{Message, ModelHandle, ModelRequest};
///
/// #[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
/// #[payload(type = "research.request")]
/// struct Research { query: String }
///
/// #[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
/// #[payload(type = "research.result")]
/// struct Result { text: String }
///
/// struct Researcher { model: ModelHandle }
///
/// #[driver("research_agent", kind = "agent")]
/// impl Researcher {
///     #[on]
///     async fn research(&self, ask: Research, cx: &Ctx) -> std::result::Result<Result, BoxError> {
///         let messages = [Message::system("You are a research assistant."), Message::user(ask.query)];
///         let reply = self.model.complete(cx, ModelRequest::new(messages)).await?;
///         Ok(Result { text: reply.text })
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct ModelHandle {
    registry: ModelRegistry,
    choice: ModelChoice,
    spans: Spans,
}

impl ModelHandle {
    pub(crate) fn new(registry: ModelRegistry, choice: ModelChoice) -> Self {
        Self { registry, choice, spans: Spans::default() }
    }

    pub(super) fn with_spans(self, spans: Spans) -> Self {
        Self { spans, ..self }
    }

    /// Asks the model, and those behind it where it does not answer. Text comes as the signal `token` while it is written.
    ///
    /// # Errors
    /// A [`Failure`] for the handler to pass on: one that is transient makes the event be tried again, with the pause that the
    /// provider asks for; each model gets two tries, if the driver allows as many
    /// ([`Manifest::with_retries`](vextir::Manifest::with_retries)).
    pub async fn complete(&self, cx: &Ctx, request: ModelRequest) -> Result<ModelReply, BoxError> {
        let chain = self.registry.chain(&self.choice, Needs::of(&request).under(cx));
        let chain = chain.map_err(Failure::permanent)?;
        let driver = Some(cx.driver());
        let question = Question { request: &request, agent: driver, run: None, spans: self.spans };
        match ask(&chain, question, cx).await? {
            Ending::Answered { reply, .. } => Ok(reply),
            Ending::Failed { error, .. } => Err(Failure::permanent(error).into()),
        }
    }
}
