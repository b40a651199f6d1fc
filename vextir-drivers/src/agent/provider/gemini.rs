//! Gemini's generated content: pure.

use super::draft::{Draft, count, list, malformed, text};
use crate::agent::registry::ModelSpec;
use crate::agent::{
    Finish, Image, Message, ModelError, ModelErrorClass, ModelRequest, OutputSchema, TokenUsage, Tokens,
    ToolCall, ToolChoice, ToolSpec,
};
use serde_json::{Value, json};

/// The body of a request.
pub(super) fn encode(spec: &ModelSpec, request: &ModelRequest) -> Value {
    let systems = request.messages.iter().filter(|message| matches!(message, Message::System { .. }));
    let system: Vec<Value> = systems.map(|message| json!({"text": message.text()})).collect();
    let mut body = json!({"contents": contents(&request.messages)});
    if !system.is_empty() {
        body["systemInstruction"] = json!({"parts": system});
    }
    if !request.tools.is_empty() {
        let tool = |tool: &ToolSpec| json!({"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.schema});
        let tools: Vec<Value> = request.tools.iter().map(tool).collect();
        body["tools"] = json!([{"functionDeclarations": tools}]);
        let choice = match &request.tool_choice {
            ToolChoice::Auto => json!({"mode": "AUTO"}),
            ToolChoice::None => json!({"mode": "NONE"}),
            ToolChoice::Required => json!({"mode": "ANY"}),
            ToolChoice::Tool(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        };
        body["toolConfig"] = json!({"functionCallingConfig": choice});
    }
    let mut config = json!({});
    if let Some(OutputSchema { schema, .. }) = &request.output {
        config["responseMimeType"] = "application/json".into();
        config["responseJsonSchema"] = schema.clone();
    }
    if let Some(tokens) = spec.answer_tokens(request.max_tokens) {
        config["maxOutputTokens"] = tokens.into();
    }
    if let Some(temperature) = request.temperature {
        config["temperature"] = temperature.into();
    }
    if let Some(seed) = request.seed {
        config["seed"] = seed.into();
    }
    if !request.stop.is_empty() {
        config["stopSequences"] = json!(request.stop);
    }
    body["generationConfig"] = config;
    body
}

/// The conversation, in turns of one side and the other.
fn contents(all: &[Message]) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in all {
        let (role, parts) = match message {
            Message::System { .. } => continue,
            Message::User { text, images } => ("user", said(text).chain(images.iter().map(image)).collect()),
            Message::Assistant { text, calls } => {
                ("model", said(text).chain(calls.iter().map(called)).collect())
            }
            Message::Tool { name, text, .. } => {
                let response = match serde_json::from_str::<Value>(text) {
                    Ok(object @ Value::Object(_)) => object,
                    _ => json!({"result": text}),
                };
                ("user", vec![json!({"functionResponse": {"name": name, "response": response}})])
            }
        };
        let parts: Vec<Value> = parts;
        match turns.last_mut() {
            Some((last, content)) if *last == role => content.extend(parts),
            _ if parts.is_empty() => {}
            _ => turns.push((role, parts)),
        }
    }
    turns.into_iter().map(|(role, parts)| json!({"role": role, "parts": parts})).collect()
}

fn said(text: &str) -> impl Iterator<Item = Value> {
    (!text.is_empty()).then(|| json!({"text": text})).into_iter()
}

fn called(call: &ToolCall) -> Value {
    let arguments = if call.arguments.is_object() { call.arguments.clone() } else { json!({}) };
    let mut part = json!({"functionCall": {"name": call.name, "args": arguments}});
    if let Some(signature) = &call.signature {
        part["thoughtSignature"] = signature.as_str().into();
    }
    part
}

fn image(image: &Image) -> Value {
    if image.is_address() {
        json!({"fileData": {"mimeType": image.media_type, "fileUri": image.source}})
    } else {
        json!({"inlineData": {"mimeType": image.media_type, "data": image.source}})
    }
}

/// Takes a part of a streamed answer.
pub(super) fn take(draft: &mut Draft, part: &Value, tokens: &Tokens<'_>) -> Result<(), ModelError> {
    if draft.model.is_empty() {
        text(part, "modelVersion").clone_into(&mut draft.model);
    }
    if let Some(usage) = part.get("usageMetadata") {
        draft.usage = Some(TokenUsage {
            input: count(usage, "promptTokenCount") + count(usage, "toolUsePromptTokenCount"),
            output: count(usage, "candidatesTokenCount") + count(usage, "thoughtsTokenCount"),
            cached: count(usage, "cachedContentTokenCount"),
            estimated: false,
        });
    }
    let blocked =
        part.get("promptFeedback").map(|feedback| text(feedback, "blockReason")).unwrap_or_default();
    if !blocked.is_empty() {
        return Err(ModelError::new(ModelErrorClass::Refused, "the provider does not answer this request"));
    }
    let Some(candidate) = list(part, "candidates").first() else { return Ok(()) };
    draft.is_begun = true;
    let content = candidate.get("content").unwrap_or(&Value::Null);
    for one in list(content, "parts") {
        if one.get("thought").and_then(Value::as_bool) != Some(true) {
            draft.say(text(one, "text"), tokens);
        }
        let Some(function) = one.get("functionCall") else { continue };
        let call = draft.call(draft.calls())?;
        text(function, "id").clone_into(&mut call.id);
        text(function, "name").clone_into(&mut call.name);
        call.give(function.get("args").unwrap_or(&Value::Null));
        call.signature = one.get("thoughtSignature").and_then(Value::as_str).map(str::to_owned);
    }
    draft.finish = match text(candidate, "finishReason") {
        "" => draft.finish,
        "STOP" => Some(Finish::Stop),
        "MAX_TOKENS" => Some(Finish::Length),
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" => {
            return Err(malformed("the model wrote a call that is none"));
        }
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE"
        | "IMAGE_SAFETY" => Some(Finish::Filtered),
        _ => Some(Finish::Stop),
    };
    Ok(())
}

/// Takes a whole answer: one part, or a list of them.
pub(super) fn whole(draft: &mut Draft, answer: &Value, tokens: &Tokens<'_>) -> Result<(), ModelError> {
    let parts = answer.as_array().map_or(std::slice::from_ref(answer), Vec::as_slice);
    parts.iter().try_for_each(|part| take(draft, part, tokens))?;
    if !draft.is_begun {
        return Err(malformed("the answer has no `candidates`; is this a service of Gemini's form?"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
