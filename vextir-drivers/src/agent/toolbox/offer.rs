//! Which tools an agent gets, of those that there are.

use super::super::ToolSpec;
use super::Tool;
use crate::agent::tools::{ToolEntry, ToolRegistry};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use vextir::{Capability, Effect, Manifest, Name, Pattern};

/// The longest name that models take.
const LONGEST: usize = 64;

/// What no model calls: what only the kernel says, the inner events of agents and models, and what installs code.
const INNER: [&str; 7] =
    ["agent.**", "branch.**", "delivery.**", "error", "handler.**", "lease.**", "model.**"];

/// The tools of an agent, in the order of its declaration, and the names for which there is none.
#[derive(Debug, Default)]
pub(in crate::agent) struct Toolbox {
    pub(in crate::agent) tools: BTreeMap<String, Arc<Tool>>,
    /// Why what was declared is not there, in the order of its declaration.
    pub(in crate::agent) missing: Vec<Missing>,
}

/// A tool that was declared and is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agent) struct Missing {
    pub(in crate::agent) name: String,
    pub(in crate::agent) reason: String,
}

impl Toolbox {
    pub(in crate::agent) fn get(&self, name: &str) -> Option<&Arc<Tool>> {
        self.tools.get(name)
    }
}

/// The name of the tool that stands for an event: `web_search` for `web.search`.
fn tool_name(event_type: &str) -> String {
    event_type.replace('.', "_")
}

/// The tools that `wanted` names, of what these drivers can do. `own` is the agent itself, which does not call itself by a pattern.
pub(in crate::agent) fn offered(
    wanted: &[String],
    registry: &ToolRegistry,
    manifests: &[Manifest],
    own: &Name,
) -> Toolbox {
    let known: Vec<(&Manifest, &Capability)> = manifests
        .iter()
        .flat_map(|manifest| manifest.capabilities.iter().map(move |one| (manifest, one)))
        .filter(|(_, one)| !one.pattern.contains('*') && !is_inner(&one.pattern))
        .collect();
    let mut toolbox = Toolbox::default();
    for name in wanted {
        match chosen(name, registry, &known, own) {
            Ok(chosen) => chosen.into_iter().for_each(|(name, event_type)| {
                add(&mut toolbox, name, event_type, &known);
            }),
            Err(reason) => toolbox.missing.push(Missing { name: name.clone(), reason }),
        }
    }
    toolbox
}

/// Whether an event is the system's own, and no tool or answer of one.
pub(in crate::agent) fn is_inner(event_type: &str) -> bool {
    INNER.iter().any(|inner| Pattern::new(Name::literal(inner)).is_ok_and(|inner| inner.matches(event_type)))
}

/// The names and event types that one name in a declaration stands for.
fn chosen(
    name: &str,
    registry: &ToolRegistry,
    known: &[(&Manifest, &Capability)],
    own: &Name,
) -> Result<Vec<(String, Name)>, String> {
    let all = |pattern: &Pattern| -> Vec<(String, Name)> {
        let types =
            known.iter().filter(|(manifest, one)| manifest.id != *own && pattern.matches(&one.pattern));
        let mut types: Vec<&Name> = types.map(|(_, one)| &one.pattern).collect();
        types.sort_unstable();
        types.dedup();
        types.into_iter().map(|event_type| (tool_name(event_type), event_type.clone())).collect()
    };
    match registry.get(name) {
        Some(ToolEntry::Native { handler }) => {
            let event_type = native(handler, known)
                .ok_or_else(|| format!("no driver of the application has the handler `{handler}`"))?;
            return Ok(vec![(name.to_owned(), event_type)]);
        }
        Some(ToolEntry::McpServer(server)) => {
            let pattern = Pattern::new(format!("mcp.{name}.**")).map_err(|error| error.to_string())?;
            let tools = all(&pattern);
            return if tools.is_empty() { Err(server.what_it_needs(name)) } else { Ok(tools) };
        }
        None => {}
    }
    if name.contains('*') {
        let pattern = Pattern::new(name.to_owned()).map_err(|error| error.to_string())?;
        let tools = all(&pattern);
        return if tools.is_empty() { Err("no driver handles such events".to_owned()) } else { Ok(tools) };
    }
    let mut types: Vec<&Name> = known
        .iter()
        .map(|(_, one)| &one.pattern)
        .filter(|one| **one == *name || tool_name(one) == name)
        .collect();
    types.sort_unstable();
    types.dedup();
    match types.as_slice() {
        [] => Err("no driver handles it".to_owned()),
        [one] => Ok(vec![(tool_name(one), (*one).clone())]),
        [one, two, ..] => Err(format!("both `{one}` and `{two}` would have this name; name the event")),
    }
}

/// The event of a handler that the specification names by its driver: `context_hub.read` is `context.read`.
fn native(handler: &str, known: &[(&Manifest, &Capability)]) -> Option<Name> {
    let exact = known.iter().find(|(_, one)| one.pattern == *handler);
    let named = || {
        let (driver, verb) = handler.rsplit_once('.')?;
        let ends = |one: &Capability| one.pattern.rsplit('.').next() == Some(verb);
        known.iter().find(|(manifest, one)| manifest.id == *driver && ends(one))
    };
    exact.or_else(named).map(|(_, one)| one.pattern.clone())
}

fn add(toolbox: &mut Toolbox, name: String, event_type: Name, known: &[(&Manifest, &Capability)]) {
    if let Some(other) = toolbox.tools.get(&name) {
        if other.event_type != event_type {
            let reason =
                format!("`{}` has the same name; the names of tools have `_` for `.`", other.event_type);
            toolbox.missing.push(Missing { name: event_type.to_string(), reason });
        }
        return;
    }
    let fits = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-');
    if name.len() > LONGEST || !name.chars().all(fits) {
        let reason = format!("models take names of at most {LONGEST} ASCII letters, digits, `_` and `-`");
        toolbox.missing.push(Missing { name, reason });
        return;
    }
    let of_type = known.iter().filter(|(_, one)| one.pattern == event_type);
    // Of several drivers the first that says something.
    let (mut description, mut schema) = (String::new(), None);
    let (mut outside, mut answers) = (false, false);
    for (manifest, one) in of_type {
        if description.is_empty() {
            let own = if one.description.is_empty() { &manifest.description } else { &one.description };
            description.clone_from(own);
        }
        outside |= one.effect == Effect::ActsOutside;
        answers |= !one.outputs.is_empty();
        schema = schema.or_else(|| one.input.as_ref().map(|schema| schema.as_value().clone()));
    }
    let spec = ToolSpec { name: name.clone(), description, schema: schema.map_or_else(open, plain) };
    toolbox.tools.insert(name, Tool::new(spec, event_type, outside, answers));
}

/// The schema of what is not described.
fn open() -> Value {
    json!({"type": "object"})
}

/// A schema without what models have no use for.
fn plain(mut schema: Value) -> Value {
    if let Value::Object(members) = &mut schema {
        for noise in ["$schema", "title"] {
            members.remove(noise);
        }
    }
    schema
}
