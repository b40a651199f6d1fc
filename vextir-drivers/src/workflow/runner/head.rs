//! The document of a plan, and what stands beside it so that a transition writes little: large inputs, which do not
//! change, and how far long lists are, which changes with each element.

use super::payload::Parent;
use super::store::{FOLDER, Kept, Stored, json_of, path, read};
use crate::workflow::run::{Cause, PART, Run};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use vextir::{Ctx, Error, Result};

/// From so many bytes on, what a run was given stands beside its document.
const LARGE: usize = 4 << 10;
/// How often the document of a long list is behind before it is written again.
const BEHIND: u64 = 128;
/// What changes with each element.
const MOVING: [&str; 3] = ["at_work", "items", "attempts"];

/// How the document was when it was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Without what moves.
    rest: Value,
    /// How often what moves was written since the document was.
    behind: u64,
    /// What it was given stands beside it.
    given: bool,
}

/// What a run was given, where that is large.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Given {
    inputs: Arc<Map<String, Value>>,
    #[serde(default)]
    data: Option<Arc<Value>>,
}

fn given_path(plan: &str) -> String {
    format!("{FOLDER}/.parts/{plan}/given")
}

fn moving_path(plan: &str) -> String {
    format!("{FOLDER}/.parts/{plan}/progress")
}

/// A document is not what it should be.
fn wrong(path: &str, what: &str, error: impl Display) -> Error {
    Error::invalid(format!("{path}: no {what}: {error}"))
}

fn nodes(value: &mut Value) -> Option<&mut Map<String, Value>> {
    value.get_mut("dag")?.get_mut("nodes")?.as_object_mut()
}

/// Takes out what changes with each element of the long lists that are not over.
fn take_moving(value: &mut Value) -> Map<String, Value> {
    let mut moving = Map::new();
    for (step, node) in nodes(value).into_iter().flatten() {
        let is_long = node["items"]["count"].as_u64().is_some_and(|count| count > u64::from(PART));
        let Some(fields) = node.as_object_mut().filter(|node| is_long && node["status"] == "running") else {
            continue;
        };
        let moves = |key: &str| fields.remove(key).map(|value| (key.to_owned(), value));
        let taken: Map<String, Value> = MOVING.into_iter().filter_map(moves).collect();
        moving.insert(step.clone(), Value::Object(taken));
    }
    moving
}

fn put_moving(value: &mut Value, moving: Map<String, Value>) {
    let Some(nodes) = nodes(value) else { return };
    for (step, moved) in moving {
        if let (Some(Value::Object(node)), Value::Object(moved)) = (nodes.get_mut(&step), moved) {
            node.extend(moved);
        }
    }
}

/// An attempt at work, as most are.
fn first_try() -> Value {
    json!({"attempt": 1, "phase": "working"})
}

/// What moves, as it stands beside the document.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    /// How often it was written since the document was.
    behind: u64,
    /// By step.
    nodes: BTreeMap<String, Moved>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Moved {
    /// Of most attempts the number of the element is enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    first: Vec<u32>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl Progress {
    fn packed(behind: u64, moving: Map<String, Value>) -> Self {
        let usual = first_try();
        let pack = |(step, moved): (String, Value)| {
            let Value::Object(mut fields) = moved else { return None };
            let mut first = Vec::new();
            if let Some(slots) = fields.get_mut("at_work").and_then(Value::as_object_mut) {
                slots.retain(|item, slot| match item.parse::<u32>() {
                    Ok(item) if *slot == usual => {
                        first.push(item);
                        false
                    }
                    _ => true,
                });
            }
            first.sort_unstable();
            Some((step, Moved { first, fields }))
        };
        Self { behind, nodes: moving.into_iter().filter_map(pack).collect() }
    }

    /// What it says of these steps, which the document has at work.
    ///
    /// # Errors
    /// Which of them is missing.
    fn of(mut self, steps: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        let unpack = |step: &String| {
            let moved = self.nodes.remove(step).ok_or_else(|| format!("nothing of step `{step}`"))?;
            let Moved { first, mut fields } = moved;
            let slots = fields.entry("at_work").or_insert_with(|| json!({}));
            if let Some(slots) = slots.as_object_mut() {
                slots.extend(first.iter().map(|item| (item.to_string(), first_try())));
            }
            Ok((step.clone(), Value::Object(fields)))
        };
        steps.keys().map(unpack).collect()
    }
}

pub(super) async fn load(cx: &Ctx, stored: &Stored, plan: &str) -> Result<Option<Kept>> {
    let Some(mut value) = read(cx, &path(plan)).await? else { return Ok(None) };
    let no_plan = |error: serde_json::Error| wrong(&path(plan), "plan", error);
    let given = value["given"].as_str().is_some();
    let mut moving = take_moving(&mut value);
    let (rest, mut behind) = (value.clone(), 0);
    if !moving.is_empty()
        && let Some(newer) = read(cx, &moving_path(plan)).await?
    {
        let newer = serde_json::from_value(newer).map_err(|error| error.to_string());
        let read = newer.and_then(|newer: Progress| Ok((newer.behind, newer.of(&moving)?)));
        (behind, moving) = read.map_err(|error| wrong(&moving_path(plan), "progress of a plan", error))?;
    }
    put_moving(&mut value, moving);
    let parent = serde_json::from_value(value["parent"].take()).map_err(no_plan)?;
    let root = serde_json::from_value(value["root"].take()).map_err(no_plan)?;
    let gates: Option<Vec<_>> = serde_json::from_value(value["gates"].take()).map_err(no_plan)?;
    let mut run: Run = serde_json::from_value(value).map_err(no_plan)?;
    if run.id != *plan {
        return Ok(None);
    }
    if given {
        let given = given_to(cx, stored, plan).await?;
        run.inputs = given.inputs;
        if let Some(trigger) = run.trigger.as_mut().filter(|trigger| trigger.data.is_none()) {
            *trigger = Arc::new(Cause { data: given.data, ..(**trigger).clone() });
        }
    }
    Ok(Some(Kept { run, parent, root, gates: gates.unwrap_or_default(), read: Read { rest, behind, given } }))
}

async fn given_to(cx: &Ctx, stored: &Stored, plan: &str) -> Result<Given> {
    if let Some(known) = stored.given(cx.user(), plan) {
        return Ok(known);
    }
    let path = given_path(plan);
    let value = read(cx, &path).await?.ok_or_else(|| Error::invalid(format!("{path} is gone")))?;
    let given: Given =
        serde_json::from_value(value).map_err(|error| wrong(&path, "inputs of a plan", error))?;
    stored.know(cx.user(), plan, given.clone());
    Ok(given)
}

/// Takes what is large out of a run that is to be written: whether there was any.
async fn set_aside(cx: &Ctx, run: &mut Run, known: bool) -> Result<bool> {
    if !known {
        let data = run.trigger.as_ref().and_then(|trigger| trigger.data.clone());
        let given = json_of(&Given { inputs: run.inputs.clone(), data })?;
        if given.to_string().len() <= LARGE {
            return Ok(false);
        }
        cx.context().write(&given_path(&run.id), given).await?;
    }
    run.inputs = Arc::default();
    if let Some(trigger) = &mut run.trigger {
        *trigger = Arc::new(Cause {
            id: trigger.id.clone(),
            event_type: trigger.event_type.clone(),
            time: trigger.time,
            data: None,
        });
    }
    Ok(true)
}

/// Writes the document, or only what moved.
pub(super) async fn save(cx: &Ctx, kept: &mut Kept) -> Result<()> {
    let (plan, read) = (kept.run.id.clone(), std::mem::take(&mut kept.read));
    let given = set_aside(cx, &mut kept.run, read.given).await?;
    let mut value = json_of(&kept.run)?;
    if let Some(fields) = value.as_object_mut() {
        let parent: &Option<Parent> = &kept.parent;
        let gates = (!kept.gates.is_empty()).then_some(&kept.gates);
        let beside = [
            ("parent", json_of(parent)?),
            ("root", json_of(&kept.root)?),
            ("gates", json_of(&gates)?),
            ("given", if given { json!(given_path(&plan)) } else { Value::Null }),
        ];
        let beside = beside.into_iter().filter(|(_, value)| !value.is_null());
        fields.extend(beside.map(|(key, value)| (key.to_owned(), value)));
    }
    let moving = take_moving(&mut value);
    if !moving.is_empty() && read.behind < BEHIND && value == read.rest {
        let newer = json_of(&Progress::packed(read.behind + 1, moving))?;
        return cx.context().write(&moving_path(&plan), newer).await.map(drop);
    }
    if read.behind > 0 {
        cx.context().remove(&moving_path(&plan)).await?;
    }
    put_moving(&mut value, moving);
    cx.context().write(&path(&plan), value).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_is_read_as_it_was_written_or_not_at_all() {
        let slots = json!({"7": first_try(), "9": {"attempt": 2, "phase": "waiting"}, "11": first_try()});
        let moving = json!({"each": {"at_work": slots, "items": {"count": 20}, "attempts": 3}, "other": {"at_work": {}}});
        let moving = moving.as_object().unwrap();
        let written = json!(Progress::packed(4, moving.clone()));
        assert_eq!((&written["behind"], &written["nodes"]["each"]["first"]), (&json!(4), &json!([7, 11])));
        let read = |value: &Value| {
            let progress = Progress::deserialize(value).map_err(|error| error.to_string())?;
            progress.of(moving)
        };
        assert_eq!(read(&written).as_ref(), Ok(moving));
        for (place, damage, why) in [
            ("/behind", json!("four"), "invalid type"),
            ("/nodes", json!([]), "invalid type"),
            ("/nodes", json!({"each": {}}), "nothing of step `other`"),
            ("/nodes/each", json!(null), "invalid type"),
            ("/nodes/each/first", json!([-1]), "invalid value"),
        ] {
            let mut damaged = written.clone();
            *damaged.pointer_mut(place).unwrap() = damage;
            let error = read(&damaged).unwrap_err();
            assert!(error.contains(why), "{place}: {error}");
        }
    }
}
