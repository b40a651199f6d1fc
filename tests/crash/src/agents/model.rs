//! The model: what it answers follows from what it is asked alone, so that it is the same after a kill.

use super::journal::Journal;
use super::work::{self, Question};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;
use vextir_drivers::agent::{
    Message, Model, ModelError, ModelErrorClass, ModelReply, ModelRequest, Tokens, ToolCall,
};

/// Answers by a script, and notes each call before.
#[derive(Debug, Clone)]
pub struct Scripted(pub Journal);

/// Never answers.
#[derive(Debug, Clone, Copy)]
pub struct Overloaded;

#[vextir_core::async_trait]
impl Model for Scripted {
    async fn complete(&self, request: &ModelRequest, tokens: &Tokens<'_>) -> Result<ModelReply, ModelError> {
        let odd = |what: String| ModelError::new(ModelErrorClass::BadRequest, what);
        let asked = request.messages.iter().find(|one| matches!(one, Message::User { .. }));
        let asked = asked.map(Message::text).unwrap_or_default();
        let question = Question::parse(asked).ok_or_else(|| odd(format!("nobody asks {asked:?}")))?;
        let turn = 1 + request.messages.iter().filter(|one| matches!(one, Message::Assistant { .. })).count();
        if question.kind == "fails" && turn == 2 {
            return Err(ModelError::new(ModelErrorClass::Unauthorized, "the key is refused"));
        }
        let key = format!("model/{}/{turn}", question.tag);
        self.0.called(&key).map_err(|error| odd(error.to_string()))?;
        // So that a kill also finds models that think.
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..8_000))).await;
        let wanted = calls(&question, turn);
        let reply = if wanted.is_empty() {
            let text = answer(&question, &request.messages);
            tokens(&text);
            ModelReply::text(text)
        } else {
            ModelReply::calls(wanted)
        };
        let turn = u64::try_from(turn).unwrap_or(u64::MAX);
        let mut reply = reply.with_usage(100 * turn, 10 + turn);
        // So that its answer says which call it answers.
        reply.model = key;
        Ok(reply)
    }
}

#[vextir_core::async_trait]
impl Model for Overloaded {
    async fn complete(&self, _: &ModelRequest, _: &Tokens<'_>) -> Result<ModelReply, ModelError> {
        Err(ModelError::new(ModelErrorClass::Overloaded, "come back later"))
    }
}

/// The tools that it wants called in this turn; none if it answers.
fn calls(question: &Question, turn: usize) -> Vec<ToolCall> {
    let tag = &question.tag;
    let call = |(index, name): (usize, &'static str)| {
        let arguments = match name {
            "math_add" => json!({"of": format!("tool/{tag}/{turn}-{index}"), "a": turn, "b": index}),
            "context_write" => json!({"path": work::page(tag), "content": tag}),
            "work_ask" => json!({"question": format!("steps {tag}.{index}")}),
            _ => json!({"tag": tag}),
        };
        ToolCall::new(format!("{turn}-{index}"), name, arguments)
    };
    work::calls(question, turn).into_iter().enumerate().map(call).collect()
}

/// What it says in the end: the sum of all sums, and what other agents said.
fn answer(question: &Question, messages: &[Message]) -> String {
    let (mut sum, mut errors, mut said) = (0, 0, String::new());
    for message in messages.iter().filter(|one| matches!(one, Message::Tool { .. })) {
        let data: Value = serde_json::from_str(message.text()).unwrap_or_default();
        sum += data["sum"].as_u64().unwrap_or(0);
        errors += usize::from(message.text().contains("error: "));
        for event in data.as_array().into_iter().flatten().chain([&json!({"data": data})]) {
            if let Some(text) = event["data"]["text"].as_str() {
                let _ = write!(said, ", {text}");
            }
        }
    }
    work::answer(&question.tag, sum, errors, &said)
}
