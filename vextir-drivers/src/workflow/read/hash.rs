//! What an instruction says, as one number: how it was written does not matter.

use crate::workflow::instruction::{Act, Input, Instruction, OnError, Step, Trigger};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// SHA-256 of the canonical form, in hex.
pub(super) fn of(instruction: &Instruction) -> String {
    let mut text = String::new();
    write(&form(instruction), &mut text);
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn form(instruction: &Instruction) -> Value {
    let steps: Map<String, Value> =
        instruction.steps.iter().map(|each| (each.id.to_string(), step(each))).collect();
    let mut form = json!({
        // Raised when the canonical form changes.
        "form": 1,
        "id": instruction.id,
        "name": instruction.name,
        "description": instruction.description,
        "author": instruction.author,
        "version": instruction.version,
        "trigger": instruction.trigger.as_ref().map(trigger),
        "inputs": instruction.inputs.iter().map(input).collect::<Vec<_>>(),
        "limits": instruction.limits,
        "steps": steps,
    });
    // What came later leaves the form of instructions without it as it was.
    if let Some(fields) = form.as_object_mut().filter(|_| !instruction.flow.is_empty()) {
        fields.insert("flow".to_owned(), json!(instruction.flow));
    }
    form
}

fn trigger(trigger: &Trigger) -> Value {
    match trigger {
        Trigger::Schedule { cron, timezone } => json!({"schedule": cron, "timezone": timezone}),
        Trigger::Event { event, condition } => {
            json!({"event": event, "condition": condition.as_ref().map(|condition| condition.source())})
        }
        Trigger::Context { path } => json!({"context": path}),
    }
}

fn input(input: &Input) -> Value {
    let Input { name, kind, default, description } = input;
    // No default is something else than null.
    let default = default.as_ref().map(|value| json!([value]));
    json!({"name": name, "type": kind.as_str(), "default": default, "description": description})
}

fn step(step: &Step) -> Value {
    let mut depends_on = step.depends_on.clone();
    depends_on.sort_unstable();
    json!({
        "name": step.name,
        "depends_on": depends_on,
        "piped": step.piped,
        "condition": step.condition.as_ref().map(|condition| condition.source()),
        "for_each": step.for_each.as_ref().map(|each| {
            json!({"items": each.items.source(), "as": each.name, "parallel": each.parallel})
        }),
        "retry": step.retry.map(|retry| {
            json!({"attempts": retry.attempts, "delay": retry.delay.as_secs_f64(), "factor": retry.factor})
        }),
        "timeout": step.timeout.map(|timeout| timeout.as_secs_f64()),
        "on_error": match &step.on_error {
            OnError::Fail => json!("fail"),
            OnError::Continue => json!("continue"),
            OnError::Compensate(step) => json!({"compensate": step}),
        },
        "act": act(&step.act),
    })
}

fn act(act: &Act) -> Value {
    match act {
        Act::Emit { event_type, data } => json!({"emit": event_type, "data": data.source()}),
        Act::WaitFor { event, condition, look_back } => {
            let condition = condition.as_ref().map(|condition| condition.source());
            json!({"wait_for": event, "condition": condition, "look_back": look_back})
        }
        Act::Run { instruction, inputs } => json!({"run": instruction, "inputs": inputs.source()}),
        Act::Approve { message } => json!({"approve": message.source()}),
    }
}

/// JSON with sorted keys and without white space: the order of a `Map` depends on how serde_json was built.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in entries {
                write(&Value::String(key.clone()), text);
                text.push(':');
                write(value, text);
                text.push(',');
            }
            text.push('}');
        }
        plain => {
            // Writing to a string does not fail.
            let _ = write!(text, "{plain}");
        }
    }
}
