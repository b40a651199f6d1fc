//! What a step does.

use super::head;
use super::template::{Read, Text};
use crate::workflow::expression::Template;
use crate::workflow::instruction::Act;
use crate::yaml::Found;
use crate::yaml::form::{self, Form};
use crate::yaml::word;
use crate::yaml::{Entry, Kind, Node, Shown};
use serde_json::{Map, Value};
use std::ops::Range;
use std::sync::Arc;
use vextir::{Name, check_type};

/// How a step says what it does; `event` stands for `action: emit_event` with its event.
const ACTS: [&str; 6] = ["event", "emit", "emit_event", "wait_for", "run", "approve"];
const HELP: &str =
    "write one of `emit: {type, data}`, `wait_for: {event}`, `run: instruction` and `approve: text`";

/// What can be read at a place, beside inputs, trigger and earlier steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::workflow) enum Scope {
    /// Once for the step: nothing more.
    Whole,
    /// For each element: the element and its index.
    Element,
    /// For an event: the event, and the element.
    Event,
}

/// What a step does, and where that stands.
#[derive(Debug)]
pub(in crate::workflow) struct Work {
    pub(in crate::workflow) act: Act,
    pub(in crate::workflow) written: Written,
}

/// Where the event's type, or the instruction's id, stands, and its data or inputs.
#[derive(Debug, Clone, Default)]
pub(in crate::workflow) struct Written {
    pub(in crate::workflow) name: Range<usize>,
    pub(in crate::workflow) data: Arc<Node>,
}

type Done = Option<(Work, Vec<(Scope, Read)>)>;

/// Reads what a step does. `None` if it could not be read; then something was found.
pub(super) fn read(step: &Form<'_>, text: Text<'_>, found: &mut Found) -> Done {
    let given: Vec<&Entry> = ACTS.iter().filter_map(|key| step.entry(key)).collect();
    if let Some(action) = step.get("action", found) {
        action_is_known(action, found);
        if given.is_empty() {
            found.with_help(
                action.at.clone(),
                "the action has no event",
                "write `event: {type, data}` below it",
            );
            return None;
        }
    }
    match given.as_slice() {
        [] if ACTS.iter().any(|key| !step.lacks(key)) => None,
        [] => {
            found.with_help(step.at.clone(), "this step does nothing", HELP);
            None
        }
        [one] => {
            if one.key == "event" && step.entry("action").is_none() {
                let help = "write `action: emit_event` above it, or `emit` instead of `event`";
                found.with_help(one.at.clone(), "`event` goes with an action, and there is none", help);
            }
            let node = step.get(&one.key, found)?;
            act(&one.key, node, text, found)
        }
        [_, second, ..] => {
            let keys: Vec<&str> = given.iter().map(|entry| entry.key.as_str()).collect();
            let message = format!("a step does one thing, and here are {}", word::list(&keys));
            found.with_help(second.at.clone(), message, "write two steps");
            None
        }
    }
}

fn action_is_known(node: &Node, found: &mut Found) {
    let Some(action) = form::text(node, "`action`", found) else { return };
    if action != "emit_event" {
        let help =
            word::instead_of(action, &["emit_event"], found.is_crowded()).unwrap_or_else(|| HELP.to_owned());
        found.with_help(node.at.clone(), format!("there is no action {}", Shown(action)), help);
    }
}

fn act(key: &str, node: &Node, text: Text<'_>, found: &mut Found) -> Done {
    match key {
        "wait_for" => wait_for(node, text, found),
        "run" => run(node, text, found),
        "approve" => approve(node, text, found),
        _ => emit(key, node, text, found),
    }
}

fn emit(key: &str, node: &Node, text: Text<'_>, found: &mut Found) -> Done {
    let what = format!("`{key}`");
    let Some(entries) = node.entries() else {
        let help = match node.written() {
            Some(written) if check_type(written).is_ok() => format!("write `{key}: {{type: {written}}}`"),
            _ => format!("write `{key}: {{type: email.fetch, data: {{..}}}}`"),
        };
        found.with_help(node.at.clone(), format!("{what} is a map, but this is {node}"), help);
        return None;
    };
    let form = Form::of(node, entries);
    let event_type = form.need("type", &what, found).and_then(|node| event_type(node, found));
    let siblings = entries.iter().filter(|entry| !matches!(entry.key.as_str(), "type" | "data"));
    let data = match form.entry("data") {
        Some(data) => {
            for entry in siblings {
                let message = format!("`{}` stands beside `data`", entry.key);
                found.with_help(entry.at.clone(), message, "put it into `data`");
            }
            Arc::new(data.value.clone())
        }
        // What stands beside the type is its data.
        None => Arc::new(Node { at: node.at.clone(), kind: Kind::Map(siblings.cloned().collect()) }),
    };
    let read = map_or_template(&data, "`data`", text, found);
    let ((event_type, name), (template, reads)) = (event_type?, read?);
    let written = Written { name, data };
    Some((Work { act: Act::Emit { event_type, data: template }, written }, all(Scope::Element, reads)))
}

fn event_type(node: &Node, found: &mut Found) -> Option<(Name, Range<usize>)> {
    let written = form::text(node, "`type`", found)?;
    if let Err(error) = check_type(written) {
        let help = written
            .contains("{{")
            .then(|| "an event's type is fixed; templates stand in its data".to_owned());
        found.note(node.at.clone(), error.message().to_owned(), help);
        return None;
    }
    Some((Name::from(written), node.at.clone()))
}

/// A map with templates in it, or one template; nothing is an empty map.
fn map_or_template(
    node: &Arc<Node>,
    what: &str,
    text: Text<'_>,
    found: &mut Found,
) -> Option<(Template, Vec<Read>)> {
    match &node.kind {
        Kind::Nothing => {
            Template::parse(&Value::Object(Map::new())).ok().map(|template| (template, Vec::new()))
        }
        Kind::Map(_) => text.template(node, found),
        _ if form::is_one_template(node) => text.template(node, found),
        _ => {
            let message = format!("{what} is a map, or one template that reads a map, but this is {node}");
            found.add(node.at.clone(), message);
            None
        }
    }
}

fn wait_for(node: &Node, text: Text<'_>, found: &mut Found) -> Done {
    if let Some(pattern) = node.text() {
        let message = format!("`wait_for` is a map, but this is {node}");
        found.with_help(node.at.clone(), message, format!("write `wait_for: {{event: {pattern:?}}}`"));
        return None;
    }
    let form = Form::read(node, "`wait_for`", &["event", "condition", "look_back"], found)?;
    let event_node = form.need("event", "`wait_for`", found);
    let event = event_node.and_then(|node| head::pattern(node, found));
    let condition = form.get("condition", found).and_then(|node| text.condition(node, found));
    let look_back = form.get("look_back", found).and_then(|node| form::truth(node, "`look_back`", found));
    let (condition, reads) = condition.unzip();
    let written = Written { name: event_node?.at.clone(), data: Arc::default() };
    let act = Act::WaitFor { event: event?, condition, look_back: look_back.unwrap_or(false) };
    Some((Work { act, written }, all(Scope::Event, reads.unwrap_or_default())))
}

fn run(node: &Node, text: Text<'_>, found: &mut Found) -> Done {
    let (id, inputs) = match &node.kind {
        Kind::Map(_) => {
            let form = Form::read(node, "`run`", &["instruction", "inputs"], found)?;
            (form.need("instruction", "`run`", found), form.entry("inputs").map(|entry| &entry.value))
        }
        _ => (Some(node), None),
    };
    let inputs = Arc::new(inputs.cloned().unwrap_or_default());
    let read = map_or_template(&inputs, "`inputs`", text, found);
    let id = id?;
    let instruction = Name::from(form::text(id, "the id of an instruction", found)?);
    let (template, reads) = read?;
    let written = Written { name: id.at.clone(), data: inputs };
    Some((Work { act: Act::Run { instruction, inputs: template }, written }, all(Scope::Element, reads)))
}

fn approve(node: &Node, text: Text<'_>, found: &mut Found) -> Done {
    let message = match &node.kind {
        Kind::Map(_) => {
            let form = Form::read(node, "`approve`", &["message"], found)?;
            form.need("message", "`approve`", found)?
        }
        _ => node,
    };
    if message.text().is_none() {
        let wrong = format!("what is asked is text, but this is {message}");
        found.with_help(message.at.clone(), wrong, "put it in quotes");
        return None;
    }
    let (template, reads) = text.template(&Arc::new(message.clone()), found)?;
    let written = Written { name: message.at.clone(), data: Arc::default() };
    Some((Work { act: Act::Approve { message: template }, written }, all(Scope::Element, reads)))
}

fn all(scope: Scope, reads: Vec<Read>) -> Vec<(Scope, Read)> {
    reads.into_iter().map(|read| (scope, read)).collect()
}
