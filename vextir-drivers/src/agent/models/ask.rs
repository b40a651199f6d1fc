//! Asks the models of a chain, one after the other, inside of a handler: its ledger pays, and its listeners see the text come.

use super::next::{Next, first, next, telling};
use super::span::Spans;
use super::{MICRO_USD, TOKEN, TOKENS};
use crate::agent::registry::Entry;
use crate::agent::{ModelError, ModelErrorClass, ModelReply, ModelRequest, TokenUsage};
use serde_json::json;
use std::sync::Arc;
use tracing::Instrument as _;
use vextir::{BoxError, Ctx, Failure, Name};

/// A question, and who asks it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) request: &'a ModelRequest,
    pub(super) agent: Option<&'a Name>,
    pub(super) run: Option<&'a Name>,
    pub(super) spans: Spans,
}

/// How a chain ended for good.
#[derive(Debug)]
pub(super) enum Ending {
    /// One has answered.
    Answered {
        model: Name,
        reply: ModelReply,
        cost: u64,
        /// How many were asked.
        asked: u32,
    },
    /// None will; what was used all the same, and what that cost.
    Failed { model: Name, error: ModelError, usage: TokenUsage, cost: u64 },
}

/// Asks the chain as far as this attempt at the event goes.
///
/// # Errors
/// A [`Failure`]: later, or never if it was tried often enough.
pub(super) async fn ask(chain: &[Arc<Entry>], question: Question<'_>, cx: &Ctx) -> Result<Ending, BoxError> {
    let attempt = cx.attempt();
    let (mut lost, mut cost, mut asked) = (TokenUsage::default(), 0_u64, 0);
    let mut worst = None;
    for (at, entry) in chain.iter().enumerate().skip(first(attempt, chain.len())) {
        asked += 1;
        let error = match one(entry, question, cx).await? {
            Ok(reply) => {
                let cost = draw(entry, question, reply.usage, cx);
                return Ok(Ending::Answered { model: entry.name.clone(), reply, cost, asked });
            }
            Err(error) => error,
        };
        if let Some(usage) = error.usage() {
            cost = cost.saturating_add(draw(entry, question, usage, cx));
            lost.input = lost.input.saturating_add(usage.input);
            lost.output = lost.output.saturating_add(usage.output);
            lost.estimated |= usage.estimated;
        }
        tracing::debug!(model = %entry.name, class = error.class().as_str(), %error, attempt, "a model did not answer");
        let step = next(&error, attempt, at, chain.len());
        let told = |error: ModelError| format!("the model {}: {error}", entry.name);
        match step {
            Next::Another => worst = Some(telling(worst, (entry.name.clone(), error))),
            Next::Later(Some(pause)) => {
                return Err(Failure::transient(told(error)).retry_after(pause).into());
            }
            Next::Later(None) => return Err(Failure::transient(told(error)).into()),
            Next::GiveUp => return Err(Failure::permanent(told(error)).into()),
            Next::Over => {
                let (model, error) = telling(worst, (entry.name.clone(), error));
                return Ok(Ending::Failed { model, error, usage: lost, cost });
            }
        }
    }
    Err(Failure::permanent("there is no model to ask").into())
}

/// One call of one model, when it has room.
async fn one(
    entry: &Entry,
    question: Question<'_>,
    cx: &Ctx,
) -> Result<Result<ModelReply, ModelError>, BoxError> {
    let span = question.spans.begin(entry, question);
    let tokens = |text: &str| {
        let told = json!({
            "text": text,
            "agent": question.agent,
            "run": question.run,
            "model": entry.name,
            "attempt": cx.attempt(),
        });
        cx.signal(TOKEN, told);
    };
    let call = async {
        let Ok(_permit) = entry.permits.acquire().await else {
            // Nobody closes it.
            return Err(ModelError::new(ModelErrorClass::Overloaded, "the model takes no calls any more"));
        };
        entry.model.complete(question.request, &tokens).await
    };
    let answered = tokio::select! {
        biased;
        () = cx.cancelled() => return Err(Failure::transient("stopped before the model had answered").into()),
        answered = call.instrument(span.clone()) => answered,
    };
    question.spans.end(&span, &answered);
    Ok(answered)
}

/// Draws what a call used on the ledger of the causal tree: for all, for the model, for the agent. Says what it cost.
fn draw(entry: &Entry, question: Question<'_>, usage: TokenUsage, cx: &Ctx) -> u64 {
    let cost = entry.spec.price.of(&usage);
    let total = usage.total();
    cx.draw(TOKENS, total);
    cx.draw(format!("{}/{}", TOKENS, entry.name), total);
    if let Some(agent) = question.agent {
        cx.draw(format!("{TOKENS}/agent/{agent}"), total);
    }
    if cost > 0 {
        cx.draw(MICRO_USD, cost);
    }
    cost
}
