//! What a model is told of instructions, and of what the application can do.

use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use vextir::{Capability, Manifest, Pattern};

/// What it is to do.
pub(super) const TASK: &str = "\
You write instructions: workflows as data. Answer with one instruction and nothing else, as JSON or YAML.

An instruction is a map:
  name: for people, needed
  trigger: optional, one of {schedule: \"0 9 * * MON-FRI\", timezone: Europe/Berlin}, {event: some.type}, {context: /a/path}
  plan: a list of steps, needed

A step is a map:
  id: ASCII letters, digits and _, needed
  depends_on: a list of ids of steps that are done before it
  emit: {type: an event type, data: what that event takes}, needed
What a step has given stands in later steps as \"{{its_id.output}}\" or \"{{its_id.output.field}}\"; a step that reads another one lists it \
in depends_on. Use only these events:";

/// How many events are described.
const EVENTS: usize = 60;
/// Up to how many bytes a schema is shown.
const SCHEMA: usize = 1_500;
/// Up to how many events each has a form of its own in the schema of the answer.
const FORMS: usize = 24;
/// How many steps a draft in the simple form has at most.
const STEPS: usize = 6;
/// Events that no plan emits: the kernel's, and the inner ones of agents, models, plans, schedules.
const INNER: [&str; 10] = [
    "agent.**",
    "branch.**",
    "delivery.**",
    "error",
    "handler.**",
    "instruction.**",
    "lease.**",
    "model.**",
    "plan.**",
    "schedule.**",
];

/// What the model is told of the events that drivers handle.
pub(super) fn brief(manifests: &[Manifest]) -> String {
    let events = events(manifests);
    let mut text = String::new();
    for event in &events {
        let _ = write!(text, "\n- {}", event.pattern);
        if !event.description.is_empty() {
            let _ = write!(text, ": {}", event.description.trim());
        }
        let schema = event.input.as_ref().map(|schema| bare(schema.as_value().clone()).to_string());
        if let Some(schema) = schema.filter(|schema| schema.len() <= SCHEMA) {
            let _ = write!(text, "\n  data: {schema}");
        }
    }
    text
}

fn events(manifests: &[Manifest]) -> Vec<&Capability> {
    let inner = |event: &str| {
        INNER
            .iter()
            .any(|inner| Pattern::new(vextir::Name::literal(inner)).is_ok_and(|inner| inner.matches(event)))
    };
    let all = manifests.iter().flat_map(|manifest| &manifest.capabilities);
    let mut events: Vec<&Capability> =
        all.filter(|one| !one.pattern.contains('*') && !inner(&one.pattern)).collect();
    events.sort_by(|one, other| one.pattern.cmp(&other.pattern));
    events.dedup_by(|one, other| one.pattern == other.pattern);
    events.truncate(EVENTS);
    events
}

/// The form of a simple instruction, with the events that there are: a sequence of steps.
pub(super) fn form(manifests: &[Manifest]) -> Value {
    let events = events(manifests);
    let form = |event: &&Capability| {
        let data = event.input.as_ref().map(|schema| bare(schema.as_value().clone()));
        // What refers to other parts of itself cannot stand inside another schema.
        let data = data
            .filter(|data| !data.to_string().contains("\"$ref\""))
            .unwrap_or_else(|| json!({"type": "object"}));
        json!({
            "type": "object",
            "properties": {"type": {"const": event.pattern}, "data": data},
            "required": ["type", "data"],
        })
    };
    let emit = if !events.is_empty() && events.len() <= FORMS {
        json!({"oneOf": events.iter().map(form).collect::<Vec<_>>()})
    } else {
        let types: Vec<&str> = events.iter().map(|event| event.pattern.as_str()).collect();
        let types = if types.is_empty() { json!({"type": "string"}) } else { json!({"enum": types}) };
        json!({"type": "object", "properties": {"type": types, "data": {"type": "object"}}, "required": ["type"]})
    };
    // What a form leaves no choice in, no model gets wrong: steps without ids are done one after the other.
    let step = json!({"type": "object", "properties": {"emit": emit}, "required": ["emit"]});
    let trigger = |key: &str, longest: usize| json!({"type": "object", "properties": {key: {"type": "string", "maxLength": longest}}, "required": [key]});
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 80},
            "plan": {"type": "array", "minItems": 1, "maxItems": STEPS, "items": step},
            "trigger": {"oneOf": [{"type": "null"}, trigger("schedule", 60), trigger("event", 80)]},
        },
        "required": ["name", "plan"],
    })
}

/// A schema without what a model has no use for.
fn bare(schema: Value) -> Value {
    match schema {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(key, _)| !matches!(key.as_str(), "$schema" | "title"));
            members.map(|(key, value)| (key, bare(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(values) => values.into_iter().map(bare).collect(),
        other => other,
    }
}
