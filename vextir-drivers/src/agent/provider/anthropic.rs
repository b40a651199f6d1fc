//! Anthropic's messages: pure.

use super::draft::{Draft, count, malformed, text};
use crate::agent::registry::ModelSpec;
use crate::agent::{
    Finish, Image, Message, ModelError, ModelReply, ModelRequest, OutputSchema, TokenUsage, Tokens,
    ToolChoice, ToolSpec,
};
use serde_json::{Value, json};

/// What an answer may have at most, where nobody says it: these models have to be told.
const MOST: u32 = 4_096;
/// What stands for an answer that is no object, in the object that a tool takes.
const VALUE: &str = "value";

/// The body of a request. An answer by a schema is asked for as the call of a tool, which all of these models can make.
pub(super) fn encode(spec: &ModelSpec, model: &str, request: &ModelRequest) -> Value {
    let systems = request.messages.iter().filter(|message| matches!(message, Message::System { .. }));
    let system = systems.map(Message::text).collect::<Vec<_>>().join("\n\n");
    let most = spec.answer_tokens(request.max_tokens).unwrap_or(MOST);
    let mut body = json!({
        "model": model,
        "max_tokens": most,
        "messages": messages(&request.messages),
        "stream": spec.stream,
    });
    if !system.is_empty() {
        body["system"] = system.into();
    }
    let mut tools: Vec<Value> = request.tools.iter().map(tool).collect();
    if let Some(OutputSchema { name, schema }) = &request.output {
        let description = "Gives the answer. Call it once, with the whole answer.".to_owned();
        tools.push(tool(&ToolSpec { name: name.clone(), description, schema: as_object(schema) }));
    }
    if !tools.is_empty() {
        let answer = request.output.as_ref().map(|output| &output.name);
        body["tools"] = tools.into();
        body["tool_choice"] = match (&request.tool_choice, answer) {
            (ToolChoice::Tool(name), _) => json!({"type": "tool", "name": name}),
            (ToolChoice::None, Some(answer)) => json!({"type": "tool", "name": answer}),
            (ToolChoice::None, None) => json!({"type": "none"}),
            (_, Some(answer)) if request.tools.is_empty() => json!({"type": "tool", "name": answer}),
            (ToolChoice::Required, _) | (ToolChoice::Auto, Some(_)) => json!({"type": "any"}),
            (ToolChoice::Auto, None) => json!({"type": "auto"}),
        };
    }
    if let Some(temperature) = request.temperature {
        // These models know no more than 1.
        body["temperature"] = temperature.min(1.0).into();
    }
    if !request.stop.is_empty() {
        body["stop_sequences"] = json!(request.stop);
    }
    body
}

fn tool(tool: &ToolSpec) -> Value {
    json!({"name": tool.name, "description": tool.description, "input_schema": tool.schema})
}

fn is_object(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "object")
}

/// A schema of an object: itself, or one around it. What it refers to stays at the top.
fn as_object(schema: &Value) -> Value {
    if is_object(schema) {
        return schema.clone();
    }
    let mut inner = schema.clone();
    let definitions = inner.as_object_mut().and_then(|map| map.remove("$defs"));
    let mut outer = json!({"type": "object", "properties": {VALUE: inner}, "required": [VALUE]});
    if let Some(definitions) = definitions {
        outer["$defs"] = definitions;
    }
    outer
}

/// The conversation, in turns of one side and the other: what several tools answered is one turn.
fn messages(all: &[Message]) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in all {
        let (role, blocks) = match message {
            Message::System { .. } => continue,
            Message::User { text, images } => ("user", said(text).chain(images.iter().map(image)).collect()),
            Message::Assistant { text, calls } => {
                let call = |call: &crate::agent::ToolCall| {
                    let input = if call.arguments.is_object() { call.arguments.clone() } else { json!({}) };
                    json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input})
                };
                ("assistant", said(text).chain(calls.iter().map(call)).collect::<Vec<_>>())
            }
            Message::Tool { call, text, .. } => {
                ("user", vec![json!({"type": "tool_result", "tool_use_id": call, "content": text})])
            }
        };
        match turns.last_mut() {
            Some((last, content)) if *last == role => content.extend(blocks),
            _ if blocks.is_empty() => {}
            _ => turns.push((role, blocks)),
        }
    }
    turns.into_iter().map(|(role, content)| json!({"role": role, "content": content})).collect()
}

/// A block of text; none for an empty one, which is refused.
fn said(text: &str) -> impl Iterator<Item = Value> {
    (!text.trim().is_empty()).then(|| json!({"type": "text", "text": text})).into_iter()
}

fn image(image: &Image) -> Value {
    let source = if image.is_address() {
        json!({"type": "url", "url": image.source})
    } else {
        json!({"type": "base64", "media_type": image.media_type, "data": image.source})
    };
    json!({"type": "image", "source": source})
}

/// Takes a part of a streamed answer.
pub(super) fn take(draft: &mut Draft, part: &Value, tokens: &Tokens<'_>) -> Result<(), ModelError> {
    let place = count(part, "index");
    match text(part, "type") {
        "message_start" => {
            let message = part.get("message").unwrap_or(&Value::Null);
            draft.is_begun = true;
            text(message, "model").clone_into(&mut draft.model);
            used(draft, message);
        }
        "content_block_start" => {
            block(draft, place, part.get("content_block").unwrap_or(&Value::Null), tokens)?
        }
        "content_block_delta" => {
            let delta = part.get("delta").unwrap_or(&Value::Null);
            match text(delta, "type") {
                "text_delta" => draft.say(text(delta, "text"), tokens),
                "input_json_delta" => {
                    draft.call(place)?.give(delta.get("partial_json").unwrap_or(&Value::Null))
                }
                _ => {}
            }
        }
        "message_delta" => {
            ended(draft, part.get("delta").unwrap_or(&Value::Null));
            used(draft, part);
        }
        "message_stop" => draft.is_over = true,
        _ => {}
    }
    Ok(())
}

/// Takes a whole answer.
pub(super) fn whole(draft: &mut Draft, answer: &Value, tokens: &Tokens<'_>) -> Result<(), ModelError> {
    let Some(content) = answer.get("content").and_then(Value::as_array) else {
        return Err(malformed("the answer has no `content`; is this a service of Anthropic's form?"));
    };
    draft.is_begun = true;
    text(answer, "model").clone_into(&mut draft.model);
    for (place, one) in (0..).zip(content) {
        block(draft, place, one, tokens)?;
    }
    ended(draft, answer);
    used(draft, answer);
    draft.is_over = true;
    Ok(())
}

fn block(draft: &mut Draft, place: u64, block: &Value, tokens: &Tokens<'_>) -> Result<(), ModelError> {
    match text(block, "type") {
        "text" => draft.say(text(block, "text"), tokens),
        "tool_use" => {
            let call = draft.call(place)?;
            text(block, "id").clone_into(&mut call.id);
            text(block, "name").clone_into(&mut call.name);
            // A streamed call begins with an empty object, and its parts follow.
            if let Some(input) = block.get("input").filter(|input| **input != json!({})) {
                call.give(input);
            }
        }
        _ => {}
    }
    Ok(())
}

fn ended(draft: &mut Draft, said: &Value) {
    draft.finish = match text(said, "stop_reason") {
        "" => return,
        "max_tokens" | "model_context_window_exceeded" => Some(Finish::Length),
        "tool_use" => Some(Finish::ToolCalls),
        "refusal" => Some(Finish::Filtered),
        _ => Some(Finish::Stop),
    };
}

/// The counts of the answer grow, and the last ones count; those of the request may be said at its beginning only.
fn used(draft: &mut Draft, said: &Value) {
    let Some(usage) = said.get("usage") else { return };
    let before = draft.usage.unwrap_or_default();
    let cached = count(usage, "cache_read_input_tokens");
    let input = count(usage, "input_tokens") + cached + count(usage, "cache_creation_input_tokens");
    draft.usage = Some(TokenUsage {
        input: before.input.max(input),
        output: before.output.max(count(usage, "output_tokens")),
        cached: before.cached.max(cached),
        estimated: false,
    });
}

/// The answer that was given as a call is the text that was asked for.
pub(super) fn as_asked(mut reply: ModelReply, request: &ModelRequest) -> ModelReply {
    let Some(OutputSchema { name, schema }) = &request.output else { return reply };
    let is_tool = request.tools.iter().any(|tool| tool.name == *name);
    let Some(at) = reply.calls.iter().position(|call| call.name == *name).filter(|_| !is_tool) else {
        return reply;
    };
    // Other tools come first: the model answers when it has seen what they say.
    let answer = reply.calls.remove(at);
    if reply.calls.is_empty() {
        let inner = answer.arguments.get(VALUE).filter(|_| !is_object(schema));
        reply.text = match inner.unwrap_or(&answer.arguments) {
            Value::String(as_it_came) if inner.is_none() => as_it_came.clone(),
            answer => answer.to_string(),
        };
        if reply.finish == Finish::ToolCalls {
            reply.finish = Finish::Stop;
        }
    }
    reply
}

#[cfg(test)]
mod tests;
