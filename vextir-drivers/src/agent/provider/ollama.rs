//! Ollama's own form, which unlike its OpenAI form lets a request say how long its context is: pure.

use super::draft::{Draft, count, list, malformed, text};
use crate::agent::registry::ModelSpec;
use crate::agent::{
    Finish, Message, ModelError, ModelErrorClass, ModelRequest, TokenUsage, Tokens, ToolCall, ToolChoice,
    ToolSpec,
};
use serde_json::{Value, json};

/// The body of a request.
///
/// # Errors
/// `BadRequest`: an image that is an address, which such a server does not follow.
pub(super) fn encode(spec: &ModelSpec, model: &str, request: &ModelRequest) -> Result<Value, ModelError> {
    let messages = request.messages.iter().map(message).collect::<Result<Vec<Value>, _>>()?;
    let mut body = json!({"model": model, "messages": messages, "stream": spec.stream});
    // It cannot be told to call a tool: it is offered those alone that it may call.
    let is_offered = |tool: &&ToolSpec| match &request.tool_choice {
        ToolChoice::None => false,
        ToolChoice::Tool(name) => tool.name == *name,
        ToolChoice::Auto | ToolChoice::Required => true,
    };
    let tool = |tool: &ToolSpec| json!({"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema}});
    let tools: Vec<Value> = request.tools.iter().filter(is_offered).map(tool).collect();
    if !tools.is_empty() {
        body["tools"] = tools.into();
    }
    if let Some(output) = &request.output {
        body["format"] = output.schema.clone();
    }
    let mut options = json!({});
    if let Some(tokens) = spec.answer_tokens(request.max_tokens) {
        options["num_predict"] = tokens.into();
    }
    if let Some(tokens) = spec.context_window {
        options["num_ctx"] = tokens.into();
    }
    if let Some(temperature) = request.temperature {
        options["temperature"] = temperature.into();
    }
    if let Some(seed) = request.seed {
        options["seed"] = seed.into();
    }
    if !request.stop.is_empty() {
        options["stop"] = json!(request.stop);
    }
    body["options"] = options;
    Ok(body)
}

fn message(message: &Message) -> Result<Value, ModelError> {
    Ok(match message {
        Message::System { text } => json!({"role": "system", "content": text}),
        Message::User { text, images } if images.is_empty() => json!({"role": "user", "content": text}),
        Message::User { text, images } => {
            if images.iter().any(crate::agent::Image::is_address) {
                let why = "an Ollama server takes images as their bytes, not as an address";
                return Err(ModelError::new(ModelErrorClass::BadRequest, why));
            }
            let images: Vec<&str> = images.iter().map(|image| image.source.as_str()).collect();
            json!({"role": "user", "content": text, "images": images})
        }
        Message::Assistant { text, calls } if calls.is_empty() => {
            json!({"role": "assistant", "content": text})
        }
        Message::Assistant { text, calls } => {
            let call = |call: &ToolCall| {
                let arguments = if call.arguments.is_object() { call.arguments.clone() } else { json!({}) };
                json!({"function": {"name": call.name, "arguments": arguments}})
            };
            json!({"role": "assistant", "content": text, "tool_calls": calls.iter().map(call).collect::<Vec<_>>()})
        }
        Message::Tool { name, text, .. } => json!({"role": "tool", "content": text, "tool_name": name}),
    })
}

/// Takes a line of a streamed answer, or the only one of a whole answer.
pub(super) fn take(draft: &mut Draft, part: &Value, tokens: &Tokens<'_>) -> Result<(), ModelError> {
    let Some(message) = part.get("message") else {
        return Err(malformed("a line of the answer has no `message`; is this an Ollama server?"));
    };
    draft.is_begun = true;
    if draft.model.is_empty() {
        text(part, "model").clone_into(&mut draft.model);
    }
    draft.say(text(message, "content"), tokens);
    for one in list(message, "tool_calls") {
        let function = one.get("function").unwrap_or(&Value::Null);
        let call = draft.call(draft.calls())?;
        text(one, "id").clone_into(&mut call.id);
        text(function, "name").clone_into(&mut call.name);
        call.give(function.get("arguments").unwrap_or(&Value::Null));
    }
    if part.get("done").and_then(Value::as_bool) == Some(true) {
        draft.is_over = true;
        draft.finish =
            Some(if text(part, "done_reason") == "length" { Finish::Length } else { Finish::Stop });
        let (input, output) = (count(part, "prompt_eval_count"), count(part, "eval_count"));
        draft.usage = Some(TokenUsage { input, output, ..TokenUsage::default() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
