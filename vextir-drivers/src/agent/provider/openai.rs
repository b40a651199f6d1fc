//! OpenAI's chat completions, and all who speak as they do: pure.

use super::draft::{Draft, count, list, malformed, text};
use crate::agent::registry::{ModelSpec, Provider};
use crate::agent::{
    Finish, Image, Message, ModelError, ModelRequest, OutputSchema, TokenUsage, Tokens, ToolCall, ToolChoice,
};
use serde_json::{Value, json};

/// The body of a request.
pub(super) fn encode(spec: &ModelSpec, model: &str, request: &ModelRequest) -> Value {
    let messages: Vec<Value> = request.messages.iter().map(message).collect();
    let mut body = json!({"model": model, "messages": messages, "stream": spec.stream});
    if spec.stream {
        body["stream_options"] = json!({"include_usage": true});
    }
    if !request.tools.is_empty() {
        let tool = |tool: &crate::agent::ToolSpec| json!({"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema}});
        body["tools"] = request.tools.iter().map(tool).collect();
        body["tool_choice"] = match &request.tool_choice {
            ToolChoice::Auto => json!("auto"),
            ToolChoice::None => json!("none"),
            ToolChoice::Required => json!("required"),
            ToolChoice::Tool(name) => json!({"type": "function", "function": {"name": name}}),
        };
    }
    if let Some(OutputSchema { name, schema }) = &request.output {
        let schema = json!({"name": name, "schema": schema, "strict": is_closed(schema)});
        body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
    }
    if let Some(tokens) = spec.answer_tokens(request.max_tokens) {
        // OpenAI's newer models refuse the old name, and other services do not know the new one.
        let key = if spec.provider == Provider::OpenAi { "max_completion_tokens" } else { "max_tokens" };
        body[key] = tokens.into();
    }
    if let Some(temperature) = request.temperature {
        body["temperature"] = temperature.into();
    }
    if let Some(seed) = request.seed {
        body["seed"] = seed.into();
    }
    if !request.stop.is_empty() {
        body["stop"] = json!(request.stop);
    }
    body
}

fn message(message: &Message) -> Value {
    match message {
        Message::System { text } => json!({"role": "system", "content": text}),
        Message::User { text, images } if images.is_empty() => json!({"role": "user", "content": text}),
        Message::User { text, images } => {
            let text = json!({"type": "text", "text": text});
            let image = |image| json!({"type": "image_url", "image_url": {"url": address(image)}});
            json!({"role": "user", "content": std::iter::once(text).chain(images.iter().map(image)).collect::<Vec<_>>()})
        }
        Message::Assistant { text, calls } if calls.is_empty() => {
            json!({"role": "assistant", "content": text})
        }
        Message::Assistant { text, calls } => {
            let content = (!text.is_empty()).then_some(text);
            json!({"role": "assistant", "content": content, "tool_calls": calls.iter().map(called).collect::<Vec<_>>()})
        }
        Message::Tool { call, text, .. } => json!({"role": "tool", "tool_call_id": call, "content": text}),
    }
}

fn called(call: &ToolCall) -> Value {
    let arguments = match &call.arguments {
        Value::Null => "{}".to_owned(),
        Value::String(as_it_came) => as_it_came.clone(),
        arguments => arguments.to_string(),
    };
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
}

fn address(image: &Image) -> String {
    if image.is_address() {
        image.source.clone()
    } else {
        format!("data:{};base64,{}", image.media_type, image.source)
    }
}

/// Whether a schema is what OpenAI takes as strict: each object closed, each of its members required.
fn is_closed(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            let is_object =
                map.get("type").is_some_and(|kind| kind == "object") || map.contains_key("properties");
            let names = map.get("properties").and_then(Value::as_object);
            let required = list(schema, "required");
            let has_all = names.is_none_or(|names| {
                names.len() == required.len()
                    && names.keys().all(|name| required.iter().any(|one| one == name))
            });
            let is_shut = map.get("additionalProperties") == Some(&Value::Bool(false));
            (!is_object || (is_shut && has_all)) && map.values().all(is_closed)
        }
        Value::Array(all) => all.iter().all(is_closed),
        _ => true,
    }
}

/// Takes a part of a streamed answer.
pub(super) fn take(draft: &mut Draft, part: &Value, tokens: &Tokens<'_>) -> Result<(), ModelError> {
    used(draft, part);
    let Some(choice) = list(part, "choices").first() else { return Ok(()) };
    draft.is_begun = true;
    said(draft, choice.get("delta").unwrap_or(&Value::Null), tokens)?;
    ended(draft, choice);
    Ok(())
}

/// Takes a whole answer.
pub(super) fn whole(draft: &mut Draft, answer: &Value, tokens: &Tokens<'_>) -> Result<(), ModelError> {
    used(draft, answer);
    let choice = list(answer, "choices").first();
    let message = choice.and_then(|choice| choice.get("message"));
    let (Some(choice), Some(message)) = (choice, message) else {
        return Err(malformed(
            "the answer has no `choices[].message`; is this an OpenAI-compatible service?",
        ));
    };
    draft.is_begun = true;
    said(draft, message, tokens)?;
    ended(draft, choice);
    draft.is_over = true;
    Ok(())
}

fn said(draft: &mut Draft, delta: &Value, tokens: &Tokens<'_>) -> Result<(), ModelError> {
    draft.say(text(delta, "content"), tokens);
    let refusal = text(delta, "refusal");
    if !refusal.is_empty() {
        draft.say(refusal, tokens);
        draft.finish = Some(Finish::Filtered);
    }
    for call in list(delta, "tool_calls") {
        let id = text(call, "id");
        let place = call.get("index").and_then(Value::as_u64).unwrap_or_else(|| {
            // A service that counts nothing begins a call with its id.
            let is_same = draft.last_call().is_some_and(|last| id.is_empty() || last.id == id);
            draft.calls().saturating_sub(u64::from(is_same))
        });
        let pending = draft.call(place)?;
        if pending.id.is_empty() {
            id.clone_into(&mut pending.id);
        }
        let function = call.get("function").unwrap_or(&Value::Null);
        let name = text(function, "name");
        // Some repeat the whole name with each part.
        if pending.name != name {
            pending.name.push_str(name);
        }
        pending.give(function.get("arguments").unwrap_or(&Value::Null));
    }
    Ok(())
}

fn ended(draft: &mut Draft, choice: &Value) {
    let finish = match text(choice, "finish_reason") {
        "" => return,
        "length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::Filtered,
        _ => Finish::Stop,
    };
    draft.finish = draft.finish.filter(|finish| *finish == Finish::Filtered).or(Some(finish));
}

fn used(draft: &mut Draft, part: &Value) {
    let model = text(part, "model");
    if draft.model.is_empty() {
        model.clone_into(&mut draft.model);
    }
    let Some(usage) = part.get("usage").filter(|usage| usage.is_object()) else { return };
    let details = usage.get("prompt_tokens_details").unwrap_or(&Value::Null);
    draft.usage = Some(TokenUsage {
        input: count(usage, "prompt_tokens"),
        output: count(usage, "completion_tokens"),
        cached: count(details, "cached_tokens"),
        estimated: false,
    });
}

#[cfg(test)]
mod tests;
