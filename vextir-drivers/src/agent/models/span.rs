//! Spans of calls, named and with attributes as OpenTelemetry's conventions for generative models say.

use super::ask::Question;
use crate::agent::registry::Entry;
use crate::agent::{Finish, ModelError, ModelReply};
use tracing::Span;
use tracing::field::{Empty, display};

/// What spans hold.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spans {
    /// What is said and answered, too.
    pub(super) contents: bool,
}

impl Spans {
    /// The span of a call, with what is known before it.
    pub(super) fn begin(self, entry: &Entry, question: Question<'_>) -> Span {
        let asked = if entry.spec.model.is_empty() { entry.name.as_str() } else { entry.spec.model.as_str() };
        let request = question.request;
        let span = tracing::info_span!(
            "chat",
            otel.name = %format_args!("chat {asked}"),
            otel.kind = "client",
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = provider(entry.spec.provider),
            gen_ai.request.model = asked,
            gen_ai.request.max_tokens = entry.spec.answer_tokens(request.max_tokens),
            gen_ai.request.temperature = request.temperature,
            gen_ai.agent.id = question.agent.map(|agent| agent.as_str()),
            gen_ai.conversation.id = question.run.map(|run| run.as_str()),
            gen_ai.response.model = Empty,
            gen_ai.response.finish_reasons = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            gen_ai.input.messages = Empty,
            gen_ai.output.messages = Empty,
            error.type = Empty,
        );
        if self.contents
            && let Ok(messages) = serde_json::to_string(&request.messages)
        {
            span.record("gen_ai.input.messages", messages);
        }
        span
    }

    /// What is known after it.
    pub(super) fn end(self, span: &Span, answered: &Result<ModelReply, ModelError>) {
        let usage = match answered {
            Ok(reply) => {
                if !reply.model.is_empty() {
                    span.record("gen_ai.response.model", reply.model.as_str());
                }
                span.record(
                    "gen_ai.response.finish_reasons",
                    display(format_args!("[\"{}\"]", reason(reply.finish))),
                );
                if self.contents
                    && let Ok(answer) = serde_json::to_string(reply)
                {
                    span.record("gen_ai.output.messages", answer);
                }
                Some(reply.usage)
            }
            Err(error) => {
                span.record("error.type", error.class().as_str());
                error.usage()
            }
        };
        if let Some(usage) = usage {
            span.record("gen_ai.usage.input_tokens", usage.input);
            span.record("gen_ai.usage.output_tokens", usage.output);
        }
    }
}

/// The provider, as the conventions call it.
fn provider(provider: crate::agent::Provider) -> &'static str {
    match provider {
        crate::agent::Provider::Gemini => "gcp.gemini",
        other => other.as_str(),
    }
}

fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered => "content_filter",
    }
}
