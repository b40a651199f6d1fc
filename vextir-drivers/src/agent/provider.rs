//! Models of providers, asked over HTTP. What is sent and what an answer means is pure, for each provider in a file of its own;
//! `http` is the only one that speaks.

mod anthropic;
mod complaint;
mod draft;
mod frames;
mod gemini;
mod http;
mod ollama;
mod openai;

pub(super) use http::Service;

use super::registry::{ModelSpec, Provider};
use super::{ModelError, ModelReply, ModelRequest, Tokens};
use complaint::Complaint;
use draft::Draft;
use serde_json::Value;

/// What stands at the end of a stream of OpenAI's form.
const DONE: &[u8] = b"[DONE]";

/// A provider's form.
#[derive(Debug, Clone, Copy)]
struct Form(Provider);

impl Form {
    /// What is asked below the endpoint.
    fn path(self, spec: &ModelSpec, model: &str) -> String {
        match self.0 {
            Provider::Anthropic => "messages".to_owned(),
            Provider::Gemini => {
                let verb = if spec.stream { "streamGenerateContent" } else { "generateContent" };
                format!("models/{}:{verb}", model.trim_start_matches("models/"))
            }
            // Some write the address with it.
            Provider::Ollama if spec.endpoint.trim_end_matches('/').ends_with("/api") => "chat".to_owned(),
            Provider::Ollama => "api/chat".to_owned(),
            Provider::OpenAi | Provider::OpenAiCompatible | Provider::Own => "chat/completions".to_owned(),
        }
    }

    /// The header that carries the key, and what stands before the key in it.
    fn key_header(self) -> (&'static str, &'static str) {
        match self.0 {
            Provider::Anthropic => ("x-api-key", ""),
            Provider::Gemini => ("x-goog-api-key", ""),
            _ => ("authorization", "Bearer "),
        }
    }

    fn encode(self, spec: &ModelSpec, model: &str, request: &ModelRequest) -> Result<Value, ModelError> {
        Ok(match self.0 {
            Provider::Anthropic => anthropic::encode(spec, model, request),
            Provider::Gemini => gemini::encode(spec, request),
            Provider::Ollama => ollama::encode(spec, model, request)?,
            Provider::OpenAi | Provider::OpenAiCompatible | Provider::Own => {
                openai::encode(spec, model, request)
            }
        })
    }

    /// Takes a part of an answer that comes bit by bit, or all of it. The failure that a part may tell is for who knows the
    /// address.
    fn take(self, draft: &mut Draft, bytes: &[u8], is_whole: bool, tokens: &Tokens<'_>) -> Result<(), Fault> {
        if !is_whole && bytes.trim_ascii() == DONE {
            draft.is_over = true;
            return Ok(());
        }
        let part: Value = serde_json::from_slice(bytes).map_err(|error| Fault::Json(error.is_eof()))?;
        if let Some(complaint) = Complaint::within(&part) {
            return Err(Fault::Complaint(complaint));
        }
        let taken = match (self.0, is_whole) {
            (Provider::Anthropic, false) => anthropic::take(draft, &part, tokens),
            (Provider::Anthropic, true) => anthropic::whole(draft, &part, tokens),
            (Provider::Gemini, false) => gemini::take(draft, &part, tokens),
            (Provider::Gemini, true) => gemini::whole(draft, &part, tokens),
            (Provider::Ollama, _) => ollama::take(draft, &part, tokens),
            (_, false) => openai::take(draft, &part, tokens),
            (_, true) => openai::whole(draft, &part, tokens),
        };
        taken.map_err(Fault::Wrong)
    }

    fn finish(self, draft: Draft, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        let reply = draft.finish(request)?;
        Ok(if self.0 == Provider::Anthropic { anthropic::as_asked(reply, request) } else { reply })
    }
}

/// What is wrong with a part of an answer.
#[derive(Debug)]
enum Fault {
    /// It is no JSON; whether it only ends too early.
    Json(bool),
    /// It tells a failure.
    Complaint(Complaint),
    /// It is not what it should be.
    Wrong(ModelError),
}

#[cfg(test)]
mod tests;
