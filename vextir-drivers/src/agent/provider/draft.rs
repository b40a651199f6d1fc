//! An answer as far as it has come: pure.

use crate::agent::{
    Finish, ModelError, ModelErrorClass, ModelReply, ModelRequest, TokenUsage, Tokens, ToolCall,
};
use serde_json::{Map, Value};

/// The most tools that one answer may want called.
const MOST_CALLS: usize = 128;

/// An answer as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Draft {
    text: String,
    calls: Vec<Pending>,
    /// Why it ended, once that was said.
    pub(super) finish: Option<Finish>,
    pub(super) usage: Option<TokenUsage>,
    pub(super) model: String,
    /// Something of it has come: tokens were used.
    pub(super) is_begun: bool,
    /// The service has said that nothing follows.
    pub(super) is_over: bool,
}

/// A call as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Pending {
    place: u64,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
    pub(super) signature: Option<String>,
}

impl Draft {
    /// Adds text, and passes it on.
    pub(super) fn say(&mut self, text: &str, tokens: &Tokens<'_>) {
        if !text.is_empty() {
            tokens(text);
            self.text.push_str(text);
        }
    }

    /// The call at this place of the answer.
    pub(super) fn call(&mut self, place: u64) -> Result<&mut Pending, ModelError> {
        let at = match self.calls.iter().position(|call| call.place == place) {
            Some(at) => at,
            None if self.calls.len() == MOST_CALLS => {
                let message = format!("the answer wants more than {MOST_CALLS} tools called at once");
                return Err(ModelError::new(ModelErrorClass::Malformed, message));
            }
            None => {
                self.calls.push(Pending { place, ..Pending::default() });
                self.calls.len() - 1
            }
        };
        Ok(&mut self.calls[at])
    }

    /// The call that came last.
    pub(super) fn last_call(&self) -> Option<&Pending> {
        self.calls.last()
    }

    /// How many calls there are.
    pub(super) fn calls(&self) -> u64 {
        self.calls.len() as u64
    }

    /// What has been used so far, or about that; nothing if nothing came.
    pub(super) fn used(&self, request: &ModelRequest) -> Option<TokenUsage> {
        self.is_begun.then(|| self.usage_or_estimate(request))
    }

    fn usage_or_estimate(&self, request: &ModelRequest) -> TokenUsage {
        let said = self.usage.filter(|usage| usage.total() > 0);
        said.unwrap_or_else(|| {
            let written = self.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>();
            let output = (self.text.len() + written).div_ceil(4) as u64;
            TokenUsage { input: request.estimate(), output, estimated: true, ..TokenUsage::default() }
        })
    }

    /// The whole answer.
    ///
    /// # Errors
    /// It broke off, or there is none because the provider will not say it.
    pub(super) fn finish(self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        let usage = self.usage_or_estimate(request);
        let failed = |class, message: &str| Err(ModelError::new(class, message).used(usage));
        let Some(finish) = self.finish.or_else(|| self.is_over.then_some(Finish::Stop)) else {
            return failed(ModelErrorClass::Network, "the answer broke off");
        };
        if finish == Finish::Filtered && self.text.is_empty() && self.calls.is_empty() {
            return failed(ModelErrorClass::Refused, "the provider does not answer this");
        }
        // Some say that they stopped when they want tools called.
        let finish =
            if finish == Finish::Stop && !self.calls.is_empty() { Finish::ToolCalls } else { finish };
        let turn = request.messages.len();
        let named = |(number, call): (usize, Pending)| call.finish(turn, number);
        let calls = self.calls.into_iter().enumerate().map(named).collect();
        Ok(ModelReply { text: self.text, calls, finish, usage, model: self.model })
    }
}

impl Pending {
    /// Adds arguments: a part of their text, or the whole as JSON.
    pub(super) fn give(&mut self, arguments: &Value) {
        match arguments {
            Value::Null => {}
            Value::String(part) => self.arguments.push_str(part),
            whole => self.arguments = whole.to_string(),
        }
    }

    /// A provider that names no calls gets names that no other turn of the conversation has.
    fn finish(self, turn: usize, number: usize) -> ToolCall {
        let id = if self.id.is_empty() { format!("call_{turn}_{number}") } else { self.id };
        let arguments = match self.arguments.trim() {
            "" => Value::Object(Map::new()),
            written => {
                serde_json::from_str(written).unwrap_or_else(|_| Value::String(self.arguments.clone()))
            }
        };
        ToolCall { id, name: self.name, arguments, signature: self.signature }
    }
}

/// What an answer that is not what it should be is told as. The parser's own words may repeat what it holds.
pub(super) fn malformed(why: &str) -> ModelError {
    ModelError::new(ModelErrorClass::Malformed, why)
}

/// A number of tokens; no service uses so many that sums of them have no room.
pub(super) fn count(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0).min(u32::MAX.into())
}

/// Text below a key; empty if there is none.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What stands in a list below a key.
pub(super) fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
