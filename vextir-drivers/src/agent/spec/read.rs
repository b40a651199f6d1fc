//! An agent in YAML, as the specification prints it: flat with `type: agent`, or below `driver:`.

use super::{AgentCapability, AgentSpec, Bounds, Recall, Scopes};
use crate::agent::ModelChoice;
use crate::yaml::form::{self, whole};
use crate::yaml::word::slug;
use crate::yaml::{self, Faults, Form, Found, Kind, Node, Shown, Source, What};
use serde_json::Value;
use std::path::Path;
use vextir::context::clean_path;
use vextir::{Limits, Name, check_type};

const WHAT: What = What {
    name: "an agent",
    example: "write `id: ..`, `type: agent`, `model: ..`, `system_prompt: ..` and `capabilities:` with a list of event types",
};
const KEYS: [&str; 16] = [
    "type",
    "id",
    "name",
    "description",
    "author",
    "version",
    "model",
    "tools",
    "system_prompt",
    "capabilities",
    "recall",
    "scopes",
    "bounds",
    "limits",
    "temperature",
    "max_tokens",
];

impl AgentSpec {
    /// Reads an agent in YAML; `file_name` is for what is said of its faults.
    ///
    /// ```
    /// use vextir_drivers::agent::AgentSpec;
    ///
    /// let spec = AgentSpec::from_yaml("email.yaml", "
    /// driver:
    ///   id: email_assistant
    ///   type: agent
    ///   model: gpt-4
    ///   tools: [email_read, context_write]
    ///   system_prompt: You are an email assistant.
    ///   capabilities:
    ///     - email.process
    /// ")?;
    /// assert_eq!(spec.capabilities[0].event_type, "email.process");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// All that is wrong with it, each with its place.
    pub fn from_yaml(file_name: &str, text: &str) -> Result<Self, Faults> {
        yaml::read(file_name, text, WHAT, agent)
    }

    /// Reads a file, as [`AgentSpec::from_yaml`] does. It waits for the disk.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place; or why the file cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Faults> {
        let path = path.as_ref();
        Self::from_yaml(&path.display().to_string(), &yaml::load(path, WHAT)?)
    }
}

fn agent(root: &Node, _source: &Source, found: &mut Found) -> Option<AgentSpec> {
    let wrapped = root.entries().and_then(|entries| entries.iter().find(|entry| entry.key == "driver"));
    let node = wrapped.map_or(root, |entry| &entry.value);
    let form = Form::read(node, "an agent", &KEYS, found)?;
    if let Some(kind) = form.get("type", found)
        && kind.written() != Some("agent")
    {
        found.with_help(
            kind.at.clone(),
            format!("this is the type {kind}, not an agent"),
            "write `type: agent`",
        );
        return None;
    }
    let name = form.title("name", found);
    let id = id(&form, name.as_deref(), found)?;
    let mut spec = AgentSpec::new(id);
    spec.name = name.unwrap_or_default();
    spec.description = form.text("description", found).unwrap_or_default().trim().to_owned();
    spec.author = form.title("author", found).unwrap_or_default();
    spec.version = form.title("version", found).unwrap_or_default();
    if let Some(choice) = form.need("model", "an agent", found).and_then(|node| model(node, found)) {
        spec.model = choice;
    }
    spec.tools = form.get("tools", found).map(|node| texts(node, "`tools`", found)).unwrap_or_default();
    spec.system_prompt = form.text("system_prompt", found).unwrap_or_default().to_owned();
    let capabilities = form.need("capabilities", "an agent", found);
    spec.capabilities = capabilities.map(|node| self::capabilities(node, found)).unwrap_or_default();
    spec.recall = form.get("recall", found).and_then(|node| recall(node, found)).unwrap_or_default();
    spec.scopes = form.get("scopes", found).and_then(|node| scopes(node, found)).unwrap_or_default();
    spec.bounds = form.get("bounds", found).and_then(|node| bounds(node, found)).unwrap_or_default();
    spec.bounds.limits = form.get("limits", found).and_then(|node| limits(node, found));
    spec.temperature = form
        .get("temperature", found)
        .and_then(|node| form::number(node, "`temperature`", (0.0, 2.0), found));
    let most =
        form.get("max_tokens", found).and_then(|node| whole(node, "`max_tokens`", (1, 10_000_000), found));
    spec.max_tokens = most.and_then(|most| u32::try_from(most).ok());
    Some(spec)
}

/// A name, names in the order in which they are asked, or what the model has to be able to do.
fn model(node: &Node, found: &mut Found) -> Option<ModelChoice> {
    let value = node.to_json(found);
    match serde_json::from_value(value) {
        Ok(choice) => Some(choice),
        Err(_) => {
            let help = "write `model: gpt-4`, `model: [gpt-4, claude-3]` or `model: {capabilities: [vision], prefer: price}`";
            found.with_help(
                node.at.clone(),
                format!("`model` is a model of the registry, but this is {node}"),
                help,
            );
            None
        }
    }
}

fn id(form: &Form<'_>, name: Option<&str>, found: &mut Found) -> Option<Name> {
    let id = match (form.text("id", found), name) {
        (Some(id), _) => id.to_owned(),
        (None, Some(name)) => slug(name),
        (None, None) => {
            if form.lacks("id") {
                found.with_help(form.at.clone(), "an agent needs an id", "write `id: ..`");
            }
            return None;
        }
    };
    if let Err(error) = check_type(&id) {
        let at = form.entry("id").map_or_else(|| form.at.clone(), |entry| entry.value.at.clone());
        let message = error.message().replacen("event type", "id", 1);
        found.with_help(at, message, "use letters, digits, `_` and `-`");
    }
    Some(id.into())
}

/// A list of texts, or one.
fn texts(node: &Node, what: &str, found: &mut Found) -> Vec<String> {
    match &node.kind {
        Kind::List(nodes) => nodes
            .iter()
            .filter_map(|node| form::text(node, &format!("an entry of {what}"), found))
            .map(str::to_owned)
            .collect(),
        _ => form::text(node, what, found).map(str::to_owned).into_iter().collect(),
    }
}

fn capabilities(node: &Node, found: &mut Found) -> Vec<AgentCapability> {
    let Kind::List(nodes) = &node.kind else {
        let message = format!("`capabilities` is a list of event types, but this is {node}");
        found.with_help(node.at.clone(), message, "write `- email.process` for each");
        return Vec::new();
    };
    if nodes.is_empty() {
        found.add(node.at.clone(), "an agent that handles no event does nothing");
    }
    let mut read: Vec<AgentCapability> = Vec::new();
    for node in nodes {
        let Some(one) = capability(node, found) else { continue };
        if read.iter().any(|other| other.event_type == one.event_type) {
            found.add(node.at.clone(), format!("{} is handled twice", Shown(&one.event_type)));
        }
        read.push(one);
    }
    read
}

fn capability(node: &Node, found: &mut Found) -> Option<AgentCapability> {
    let Some(_) = node.entries() else { return event_type(node, found).map(AgentCapability::new) };
    let form = Form::read(node, "a capability", &["type", "description", "input", "output"], found)?;
    let named = form.need("type", "a capability", found)?;
    let mut one = AgentCapability::new(event_type(named, found)?);
    one.description = form.text("description", found).unwrap_or_default().trim().to_owned();
    one.input = form.get("input", found).and_then(|node| schema(node, found));
    one.output = form.get("output", found).and_then(|node| schema(node, found));
    Some(one)
}

fn event_type(node: &Node, found: &mut Found) -> Option<Name> {
    let written = form::text(node, "a capability", found)?;
    match check_type(written) {
        Ok(()) => Some(written.into()),
        Err(error) => {
            found.add(node.at.clone(), error.message().to_owned());
            None
        }
    }
}

/// A JSON Schema that can be checked by.
fn schema(node: &Node, found: &mut Found) -> Option<Value> {
    let value = node.to_json(found);
    let options = jsonschema::options().should_validate_formats(false).offline();
    match options.build(&value) {
        Ok(_) if value.is_object() => Some(value),
        Ok(_) => {
            found.add(node.at.clone(), format!("a JSON Schema is a map, but this is {node}"));
            None
        }
        Err(error) => {
            found.add(node.at.clone(), format!("this is no JSON Schema: {error}"));
            None
        }
    }
}

fn paths(node: &Node, what: &str, found: &mut Found) -> Vec<String> {
    let mut clean = Vec::new();
    for path in texts(node, what, found) {
        // What stands in braces is filled in from the event.
        match clean_path(&path) {
            Ok(path) => clean.push(path),
            Err(error) => found.add(node.at.clone(), error.message().to_owned()),
        }
    }
    clean
}

fn recall(node: &Node, found: &mut Found) -> Option<Recall> {
    let form = Form::read(node, "what is recalled", &["folders", "documents", "hits", "max_tokens"], found)?;
    let usual = Recall::default();
    let paths = |key: &str, found: &mut Found| {
        form.get(key, found).map(|node| paths(node, &format!("`{key}`"), found)).unwrap_or_default()
    };
    let number = |key: &str, most: u64, found: &mut Found| {
        form.get(key, found).and_then(|node| whole(node, &format!("`{key}`"), (0, most), found))
    };
    Some(Recall {
        folders: paths("folders", found),
        documents: paths("documents", found),
        hits: number("hits", 100, found).and_then(|hits| usize::try_from(hits).ok()).unwrap_or(usual.hits),
        max_tokens: number("max_tokens", 10_000_000, found).unwrap_or(usual.max_tokens),
    })
}

fn scopes(node: &Node, found: &mut Found) -> Option<Scopes> {
    let form = Form::read(node, "the scopes of an agent", &["folders"], found)?;
    let folders = form.need("folders", "the scopes of an agent", found)?;
    Some(Scopes { folders: paths(folders, "`folders`", found) })
}

fn bounds(node: &Node, found: &mut Found) -> Option<Bounds> {
    let keys = ["turns", "parallel", "corrections", "result_bytes", "context_tokens"];
    let form = Form::read(node, "the bounds of an agent", &keys, found)?;
    let mut number = |key: &str, range: (u64, u64), default: u64| {
        form.get(key, found)
            .and_then(|node| whole(node, &format!("`{key}`"), range, found))
            .unwrap_or(default)
    };
    let usual = Bounds::default();
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Some(Bounds {
        turns: small(number("turns", (1, 10_000), usual.turns.into())),
        parallel: size(number("parallel", (1, 64), usual.parallel as u64)),
        corrections: small(number("corrections", (0, 100), usual.corrections.into())),
        result_bytes: size(number("result_bytes", (256, 256 * 1024), usual.result_bytes as u64)),
        context_tokens: number("context_tokens", (256, 200_000), usual.context_tokens),
        limits: None,
    })
}

fn limits(node: &Node, found: &mut Found) -> Option<Limits> {
    let Some(entries) = node.entries() else {
        let message = format!("`limits` is a map from units to numbers, but this is {node}");
        found.with_help(node.at.clone(), message, "write `limits: {events: 500, tokens: 50000}`");
        return None;
    };
    let mut limits = Limits::default();
    for entry in entries {
        let Some(most) = whole(&entry.value, &format!("`{}`", entry.key), (1, u64::from(u32::MAX)), found)
        else {
            continue;
        };
        match entry.key.as_str() {
            "events" => limits.events = most,
            "depth" => limits.depth = u32::try_from(most).unwrap_or(u32::MAX),
            unit => drop(limits.units.insert(unit.into(), most)),
        }
    }
    Some(limits)
}
