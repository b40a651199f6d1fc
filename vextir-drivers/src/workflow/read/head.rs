//! What stands above the plan: names, trigger, inputs, limits.

use super::cron;
use super::name;
use super::template::{Read, Text};
use crate::workflow::instruction::{Input, InputKind, Trigger};
use crate::yaml::Found;
use crate::yaml::form::{self, Form};
use crate::yaml::word;
use crate::yaml::{Kind, Node, Plain, Shown};
use serde_json::Value;
use std::collections::BTreeMap;
use vextir::context::clean_path;
use vextir::{Limits, Name, Pattern};

/// The keys of an instruction.
pub(super) const KEYS: [&str; 11] =
    ["type", "id", "name", "description", "author", "version", "trigger", "inputs", "limits", "flow", "plan"];

/// How many inputs there may be.
const MOST_INPUTS: usize = 100;

/// The instruction's id, and its name for people.
pub(super) fn names(form: &Form<'_>, found: &mut Found) -> Option<(Name, String)> {
    const LONGEST: usize = 128;
    let name = form.title("name", found);
    if let Some(entry) = form.entry("id") {
        let id = form.text("id", found)?;
        let is_inner = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-');
        if id.len() > LONGEST || !id.chars().all(is_inner) || id.starts_with('-') {
            let message = format!("{} is no id", Shown(id));
            let help =
                format!("use ASCII letters, digits, `_` and `-`, no `-` in front, at most {LONGEST} bytes");
            found.with_help(entry.value.at.clone(), message, help);
        }
        return Some((Name::from(id), name.unwrap_or_else(|| id.to_owned())));
    }
    let Some(name) = name else {
        if form.lacks("name") && form.lacks("id") {
            found.with_help(form.at.clone(), "an instruction needs a name", "write `name: ..`, or an `id`");
        }
        return None;
    };
    let mut id = word::slug(&name);
    id.truncate(LONGEST);
    if id.is_empty() {
        let at = form.entry("name").map_or_else(|| form.at.clone(), |entry| entry.value.at.clone());
        found.with_help(at, "no id can be made of this name", "write an `id` of ASCII letters and digits");
    }
    Some((Name::from(id), name))
}

/// When it runs, and what its condition reads.
pub(super) fn trigger(node: &Node, text: Text<'_>, found: &mut Found) -> Option<(Trigger, Vec<Read>)> {
    const KINDS: [&str; 3] = ["schedule", "event", "context"];
    let keys = ["schedule", "timezone", "event", "condition", "context"];
    if let Some(text) = node.text() {
        let key = if text.starts_with('/') {
            "context"
        } else if text.contains(' ') {
            "schedule"
        } else {
            "event"
        };
        let message = format!("a trigger is a map, but this is {node}");
        found.with_help(node.at.clone(), message, format!("write `trigger: {{{key}: {text:?}}}`"));
        return None;
    }
    let form = Form::read(node, "a trigger", &keys, found)?;
    let given: Vec<&str> = KINDS.into_iter().filter(|kind| form.entry(kind).is_some()).collect();
    for (key, owner) in [("timezone", "schedule"), ("condition", "event")] {
        if let Some(entry) = form.entry(key)
            && !given.contains(&owner)
        {
            found.add(entry.at.clone(), format!("`{key}` goes with `{owner}`, and there is none"));
        }
    }
    match given.as_slice() {
        ["schedule"] => schedule(&form, found).map(|trigger| (trigger, Vec::new())),
        ["event"] => {
            let event = pattern(form.get("event", found)?, found);
            let condition = form.get("condition", found).map(|node| text.condition(node, found));
            let (condition, reads) = condition.flatten().unzip();
            Some((Trigger::Event { event: event?, condition }, reads.unwrap_or_default()))
        }
        [_] => context(&form, found).map(|trigger| (trigger, Vec::new())),
        [] if KINDS.iter().any(|kind| !form.lacks(kind)) => None,
        [] => {
            let help = "write `schedule: \"0 9 * * MON-FRI\"`, `event: email.received` or `context: /Tasks`";
            found.with_help(
                form.at.clone(),
                "a trigger needs one of `schedule`, `event` and `context`",
                help,
            );
            None
        }
        [_, second, ..] => {
            let at = form.entry(second).map_or_else(|| form.at.clone(), |entry| entry.at.clone());
            let help = "write a second instruction that runs this one";
            found.with_help(at, format!("a trigger is one thing, and here are {}", word::list(&given)), help);
            None
        }
    }
}

fn context(form: &Form<'_>, found: &mut Found) -> Option<Trigger> {
    let node = form.get("context", found)?;
    match clean_path(form::text(node, "`context`", found)?) {
        Ok(path) => Some(Trigger::Context { path }),
        Err(error) => {
            found.add(node.at.clone(), error.message());
            None
        }
    }
}

fn schedule(form: &Form<'_>, found: &mut Found) -> Option<Trigger> {
    let node = form.get("schedule", found)?;
    let written = form::text(node, "`schedule`", found);
    let zone = match form.get("timezone", found) {
        None => Some("UTC".to_owned()),
        Some(node) => form::text(node, "`timezone`", found).and_then(|name| match cron::zone(name) {
            Ok(name) => Some(name),
            Err(help) => {
                found.with_help(node.at.clone(), format!("there is no time zone {}", Shown(name)), help);
                None
            }
        }),
    };
    let cron = written?.trim().to_owned();
    if let Err((message, help)) = cron::check(&cron, zone.as_deref().unwrap_or("UTC")) {
        found.with_help(node.at.clone(), message, help);
    }
    Some(Trigger::Schedule { cron, timezone: zone? })
}

/// An event type, or a pattern of types.
pub(super) fn pattern(node: &Node, found: &mut Found) -> Option<Pattern> {
    let written = form::text(node, "`event`", found)?;
    match Pattern::new(written) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            found.add(node.at.clone(), error.message());
            None
        }
    }
}

/// What the inputs are, and the names of those that could be read.
pub(super) fn inputs(node: &Node, found: &mut Found) -> (Vec<Input>, Vec<String>) {
    let (mut inputs, mut names) = (Vec::new(), Vec::<String>::new());
    let Kind::List(nodes) = &node.kind else {
        let help = "write `- name: team`, and below it `type: list` and `default: [..]`";
        found.with_help(node.at.clone(), format!("`inputs` is a list, but this is {node}"), help);
        return (inputs, names);
    };
    if let Some(node) = nodes.get(MOST_INPUTS) {
        found.add(node.at.clone(), format!("more than {MOST_INPUTS} inputs"));
    }
    for node in nodes.iter().take(MOST_INPUTS) {
        let keys = ["name", "type", "default", "required", "description"];
        let Some(form) = Form::read(node, "an input", &keys, found) else { continue };
        let name = input_name(&form, &names, found);
        names.extend(name.clone());
        inputs.extend(input(&form, name, found));
    }
    (inputs, names)
}

fn input_name(form: &Form<'_>, taken: &[String], found: &mut Found) -> Option<String> {
    let node = form.need("name", "an input", found)?;
    let name = form::text(node, "`name`", found)?;
    if let Some(why) = name::refuse(name, false, &[]) {
        found.add(node.at.clone(), format!("the name {} of an input {why}", Shown(name)));
    } else if taken.iter().any(|taken| taken == name) {
        found.add(node.at.clone(), format!("there is another input `{name}` above"));
    }
    Some(name.to_owned())
}

fn input(form: &Form<'_>, name: Option<String>, found: &mut Found) -> Option<Input> {
    let kind = match form.get("type", found) {
        None => Some(InputKind::Any),
        Some(node) => input_kind(node, found),
    };
    let mut default = form.entry("default").map(|entry| entry.value.to_json(found));
    if let (Some(entry), Some(value), Some(kind)) = (form.entry("default"), &default, kind)
        && !kind.fits(value)
        && !matches!(entry.value.kind, Kind::Plain(_, Plain::Odd(..)))
    {
        let message = format!("the default is {kind}, but this is {}", entry.value);
        let help = match &entry.value.kind {
            Kind::Nothing => "leave `default` out and write `required: false`",
            Kind::Plain(..) if kind == InputKind::String => "put it in quotes",
            Kind::Text(_) => "leave the quotes out, or change the type",
            _ => "change the value or the type",
        };
        let at = if entry.value.is_nothing() { entry.at.clone() } else { entry.value.at.clone() };
        found.with_help(at, message, help);
    }
    if let Some(node) = form.get("required", found)
        && let Some(required) = form::truth(node, "`required`", found)
    {
        if required && default.is_some() {
            let message = "an input with a default is never required";
            found.with_help(node.at.clone(), message, "leave one of the two out");
        }
        // What may be left out and has no default is null then.
        default = default.or_else(|| (!required).then_some(Value::Null));
    }
    let description = form.text("description", found).map(str::to_owned);
    Some(Input { name: name?, kind: kind?, default, description })
}

fn input_kind(node: &Node, found: &mut Found) -> Option<InputKind> {
    let written = form::text(node, "`type`", found)?;
    let kind = InputKind::ALL.into_iter().find(|kind| kind.as_str() == written);
    if kind.is_none() {
        let known = InputKind::ALL.map(InputKind::as_str);
        let elsewhere = [("str", "string"), ("text", "string"), ("int", "integer"), ("float", "number")];
        let elsewhere = elsewhere.iter().chain(&[
            ("bool", "boolean"),
            ("array", "list"),
            ("map", "object"),
            ("dict", "object"),
        ]);
        let meant = elsewhere.clone().find(|(other, _)| *other == written);
        let help = meant.map(|(_, ours)| format!("did you mean `{ours}`?"));
        let help = help.or_else(|| word::instead_of(written, &known, found.is_crowded()));
        let help = help.unwrap_or_else(|| format!("the types are {}", word::list(&known)));
        found.with_help(node.at.clone(), format!("there is no type {}", Shown(written)), help);
    }
    kind
}

/// What one run may use.
pub(super) fn limits(node: &Node, found: &mut Found) -> Option<Limits> {
    let form = Form::read(node, "`limits`", &["events", "depth", "units"], found)?;
    let usual = Limits::default();
    let mut amount = |key: &str, most: u64| {
        let node = form.get(key, found)?;
        form::whole(node, &format!("`{key}`"), (1, most), found)
    };
    let events = amount("events", u64::MAX).unwrap_or(usual.events);
    let depth =
        amount("depth", u32::MAX.into()).and_then(|depth| depth.try_into().ok()).unwrap_or(usual.depth);
    let units = form.get("units", found).map(|node| units(node, found)).unwrap_or_default();
    Some(Limits { events, depth, units })
}

fn units(node: &Node, found: &mut Found) -> BTreeMap<Name, u64> {
    let Some(entries) = node.entries() else {
        found.with_help(
            node.at.clone(),
            format!("`units` is a map, but this is {node}"),
            "write `units: {tokens: 5000}`",
        );
        return BTreeMap::new();
    };
    let unit = |entry: &crate::yaml::Entry| {
        let amount = form::whole(&entry.value, &format!("`{}`", entry.key), (0, u64::MAX), found)?;
        Some((Name::from(entry.key.as_str()), amount))
    };
    entries.iter().filter_map(unit).collect()
}
