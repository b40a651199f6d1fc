//! What a server says that it can do, as far as it is believed.

use super::McpConfig;
use super::name;
use schemars::Schema;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vextir::{Error, Result};

/// The most tools of one server.
pub(super) const MOST_TOOLS: usize = 1_000;
/// The largest input schema, in bytes of JSON.
const LARGEST_SCHEMA: usize = 64 * 1024;
/// How deeply an input schema may be nested.
const DEEPEST_SCHEMA: usize = 32;
/// The longest description, in bytes.
const LONGEST_DESCRIPTION: usize = 4 * 1024;
/// The most findings that are kept.
const MOST_FINDINGS: usize = 32;

/// One tool of a server.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct McpTool {
    /// As the server calls it.
    pub name: String,
    /// The event that calls it: `mcp.<server>.<tool>`.
    pub event_type: String,
    /// What the server says about it, cut off at 4 KiB.
    pub description: String,
    /// JSON Schema of its arguments; an open object, if what the server said is no such schema.
    pub input: Schema,
    /// The server says that it changes nothing.
    pub read_only: bool,
    /// It may be called twice with the same arguments: the server says so, or the configuration does.
    pub repeatable: bool,
}

/// The tools of one server, by their segment of the event type, and what was wrong with them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Catalogue {
    pub(super) tools: BTreeMap<String, McpTool>,
    pub(super) findings: Vec<String>,
}

impl Catalogue {
    /// Of what a server lists. Two tools whose names become one segment are refused, since a call could not say which one it
    /// means; the one that is not wanted is left out by `deny`.
    pub(super) fn of(server: &str, config: &McpConfig, listed: Vec<Value>) -> Result<Self> {
        let mut catalogue = Self::default();
        for entry in listed {
            let Some(name) = entry.get("name").and_then(Value::as_str).map(str::to_owned) else {
                catalogue.find("the server lists a tool without a name; it is left out".into());
                continue;
            };
            if !config.wants(&name) {
                continue;
            }
            let segment = name::segment(&name)?;
            let tool = catalogue.tool(server, config, &segment, name, entry);
            if let Some(other) = catalogue.tools.get(&segment) {
                return Err(Error::invalid(format!(
                    "the tools {:?} and {:?} would both be called by {}: leave one out with `deny`",
                    other.name, tool.name, tool.event_type
                )));
            }
            catalogue.tools.insert(segment, tool);
        }
        Ok(catalogue)
    }

    fn tool(
        &mut self,
        server: &str,
        config: &McpConfig,
        segment: &str,
        name: String,
        mut entry: Value,
    ) -> McpTool {
        let hint = |key| entry.pointer(&format!("/annotations/{key}")).and_then(Value::as_bool) == Some(true);
        let (read_only, idempotent) = (hint("readOnlyHint"), hint("idempotentHint"));
        let description = entry.get("description").and_then(Value::as_str).unwrap_or_default();
        let description = cut(description, LONGEST_DESCRIPTION).to_owned();
        let said = entry.get_mut("inputSchema").map(Value::take).unwrap_or_default();
        let input = believed(said).unwrap_or_else(|why| {
            self.find(format!(
                "the tool {name:?} lies about its schema: {why}; any object is passed on to it"
            ));
            open_object()
        });
        let repeatable = read_only || idempotent || config.repeats(&name);
        McpTool {
            event_type: format!("mcp.{server}.{segment}"),
            name,
            description,
            input,
            read_only,
            repeatable,
        }
    }

    fn find(&mut self, finding: String) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        }
    }
}

/// At most so many bytes of a text, at the end of a character.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn open_object() -> Schema {
    let mut schema = Schema::default();
    schema.insert("type".into(), json!("object"));
    schema
}

/// A schema that describes an object, or what is wrong with it.
fn believed(said: Value) -> std::result::Result<Schema, String> {
    let Value::Object(map) = &said else { return Err("it is no JSON object".into()) };
    if map.get("type").is_some_and(|kind| kind != "object") {
        return Err("its `type` is not \"object\"".into());
    }
    if map.get("properties").is_some_and(|given| !given.is_object()) {
        return Err("its `properties` are no object".into());
    }
    let is_names = |given: &Value| given.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    if map.get("required").is_some_and(|given| !is_names(given)) {
        return Err("its `required` is no list of names".into());
    }
    if depth(&said, 0) > DEEPEST_SCHEMA {
        return Err(format!("it is nested more than {DEEPEST_SCHEMA} levels deep"));
    }
    let bytes = said.to_string().len();
    if bytes > LARGEST_SCHEMA {
        return Err(format!("it has {bytes} bytes; at most {LARGEST_SCHEMA}"));
    }
    let mut schema = Schema::try_from(said).map_err(|error| error.to_string())?;
    schema.insert("type".into(), json!("object"));
    Ok(schema)
}

/// How deeply a value is nested, counted only as far as it matters: JSON that was parsed is at most 128 levels deep.
fn depth(value: &Value, above: usize) -> usize {
    let below = |children: &mut dyn Iterator<Item = &Value>| {
        children.map(|child| depth(child, above + 1)).max().unwrap_or(above)
    };
    match value {
        Value::Array(list) => below(&mut list.iter()),
        Value::Object(map) => below(&mut map.values()),
        _ => above,
    }
}

#[cfg(test)]
mod tests {
    use super::{Catalogue, McpConfig};
    use serde_json::json;

    fn catalogue(tools: serde_json::Value) -> vextir::Result<Catalogue> {
        let serde_json::Value::Array(tools) = tools else { unreachable!() };
        Catalogue::of("s", &McpConfig::command("x", [""; 0]).deny(["no_*"]), tools)
    }

    #[test]
    fn a_schema_that_is_none_is_an_open_object() {
        let huge = json!({"type": "object", "description": "x".repeat(70_000)});
        let mut deep = json!({});
        for _ in 0..40 {
            deep = json!({"properties": {"a": deep}});
        }
        for (schema, why) in [
            (json!("lies"), "no JSON object"),
            (json!({"type": "string"}), "\"object\""),
            (json!({"properties": 1}), "no object"),
            (json!({"required": "a"}), "list of names"),
            (huge, "bytes"),
            (deep, "levels deep"),
        ] {
            let found = catalogue(json!([{"name": "a.b", "inputSchema": schema}])).unwrap();
            assert!(found.findings[0].contains(why), "{:?}", found.findings);
            assert_eq!(found.tools["a_b"].input.as_value(), &json!({"type": "object"}));
            assert_eq!(found.tools["a_b"].event_type, "mcp.s.a_b");
        }
    }

    #[test]
    fn names_that_become_one_are_refused() {
        let said = catalogue(json!([{"name": "a.b"}, {"name": "a_b"}])).unwrap_err().to_string();
        assert!(said.contains("\"a_b\" and \"a.b\"") || said.contains("\"a.b\" and \"a_b\""), "{said}");
        assert!(catalogue(json!([{"name": "no_b"}, {"name": "no.b"}])).unwrap().tools.len() == 1);
    }
}
