//! Whether what one JSON Schema describes fits another one, as far as that can be told from the two: fields that are asked
//! for, fields that are not known, and the types of JSON.

use serde_json::{Map, Value};

/// How deep it is looked, and how many misfits are told.
const DEPTH: usize = 8;
const TOLD: usize = 8;

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit {
    /// The way to the value: `a.b`. Empty for the payload itself.
    pub(super) path: String,
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// It is asked for, and is not there.
    Missing,
    /// It is there, and nothing else than what is known is taken.
    Unknown,
    /// It is of the first types, and the second ones are asked for.
    OfType(String, String),
    /// It may be null.
    MayBeNull,
}

/// What of `given` does not fit `asked`.
pub(super) fn misfits(given: &Value, asked: &Value) -> Vec<Misfit> {
    let mut found = Vec::new();
    if given != asked {
        let (given, asked) = (Part { root: given, at: given }, Part { root: asked, at: asked });
        compare(given.resolved(), asked.resolved(), "", DEPTH, &mut found);
    }
    found.truncate(TOLD);
    found
}

/// A part of a schema, with the whole that its references are about.
#[derive(Clone, Copy)]
struct Part<'s> {
    root: &'s Value,
    at: &'s Value,
}

impl<'s> Part<'s> {
    fn below(self, at: &'s Value) -> Self {
        Self { at, ..self }.resolved()
    }

    fn resolved(mut self) -> Self {
        // A circle of references ends too.
        for _ in 0..DEPTH {
            let Some(pointer) = self.at.get("$ref").and_then(Value::as_str) else { break };
            let Some(target) = pointer.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer))
            else {
                break;
            };
            self.at = target;
        }
        self
    }

    fn property(self, name: &str) -> Option<Self> {
        self.properties()?.get(name).map(|at| self.below(at))
    }

    fn properties(self) -> Option<&'s Map<String, Value>> {
        self.at.get("properties")?.as_object()
    }

    /// The types that it allows, if it names them.
    fn kinds(self) -> Option<Vec<&'s str>> {
        match self.at.get("type")? {
            Value::String(kind) => Some(vec![kind.as_str()]),
            Value::Array(kinds) => kinds.iter().map(Value::as_str).collect(),
            _ => None,
        }
    }

    /// Whether it is more than fields and types: then it is not judged.
    fn is_open(self) -> bool {
        ["anyOf", "oneOf", "allOf", "if", "not", "$ref"].iter().any(|key| self.at.get(*key).is_some())
    }
}

fn compare(given: Part<'_>, asked: Part<'_>, path: &str, depth: usize, found: &mut Vec<Misfit>) {
    if depth == 0 || found.len() >= TOLD {
        return;
    }
    let misfit = |what| Misfit { path: path.to_owned(), what };
    if let (Some(is), Some(wanted)) = (given.kinds(), asked.kinds()) {
        if !is.iter().any(|kind| takes(&wanted, kind)) {
            return found.push(misfit(What::OfType(is.join(" or "), wanted.join(" or "))));
        }
        if is.contains(&"null") && !takes(&wanted, "null") {
            found.push(misfit(What::MayBeNull));
        }
    }
    fields(given, asked, path, depth, found);
    if let (Some(one), Some(other)) = (given.at.get("items"), asked.at.get("items")) {
        let path = format!("{path}[]");
        compare(given.below(one), asked.below(other), &path, depth - 1, found);
    }
}

fn fields(given: Part<'_>, asked: Part<'_>, path: &str, depth: usize, found: &mut Vec<Misfit>) {
    let Some(there) = given.properties().filter(|_| !given.is_open()) else { return };
    let place = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    // What names no further fields may have some all the same, unless it comes from a type without such.
    let may_have_more = given.at.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
    let required = asked.at.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if !there.contains_key(name) && !may_have_more {
            found.push(Misfit { path: place(name), what: What::Missing });
        }
    }
    let is_closed = asked.at.get("additionalProperties") == Some(&Value::Bool(false)) && !asked.is_open();
    for name in there.keys() {
        match asked.property(name) {
            Some(wanted) => {
                let is = given.property(name).unwrap_or(given);
                compare(is, wanted, &place(name), depth - 1, found);
            }
            None if is_closed => found.push(Misfit { path: place(name), what: What::Unknown }),
            None => {}
        }
    }
}

fn takes(wanted: &[&str], kind: &str) -> bool {
    wanted.iter().any(|one| {
        *one == kind || *one == "number" && kind == "integer" || *one == "integer" && kind == "number"
    })
}

#[cfg(test)]
mod tests {
    use super::{What, misfits};
    use serde_json::{Value, json};

    fn said(given: Value, asked: Value) -> Vec<String> {
        let say = |what| match what {
            What::Missing => "missing".to_owned(),
            What::Unknown => "unknown".to_owned(),
            What::OfType(is, wanted) => format!("{is} for {wanted}"),
            What::MayBeNull => "null".to_owned(),
        };
        misfits(&given, &asked).into_iter().map(|one| format!("{}: {}", one.path, say(one.what))).collect()
    }

    #[test]
    fn fields_and_types_are_compared_to_the_bottom() {
        let given = json!({
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "count": {"type": "integer"},
                "note": {"type": ["string", "null"]},
                "who": {"$ref": "#/$defs/Who"},
                "tags": {"type": "array", "items": {"type": "string"}}
            },
            "$defs": {"Who": {"type": "object", "properties": {"name": {"type": "string"}}}}
        });
        let asked = json!({
            "type": "object",
            "required": ["id", "count", "team"],
            "properties": {
                "id": {"type": "integer"},
                "count": {"type": "number"},
                "note": {"type": "string"},
                "who": {
                    "type": "object", "required": ["mail"], "properties": {"mail": {}}, "additionalProperties": false
                },
                "tags": {"type": "array", "items": {"$ref": "#/$defs/Tag"}}
            },
            "$defs": {"Tag": {"type": "object"}}
        });
        assert_eq!(
            said(given.clone(), asked),
            [
                "team: missing",
                "id: string for integer",
                "note: null",
                "tags[]: string for object",
                "who.mail: missing",
                "who.name: unknown"
            ]
        );
        assert_eq!(said(given.clone(), given), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_told_fits() {
        let asked = json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}});
        for given in [
            json!({}),
            json!(true),
            json!({"type": "object"}),
            json!({"type": "object", "properties": {}, "additionalProperties": true}),
            json!({"type": "object", "properties": {}, "oneOf": [{"required": ["a"]}]}),
            json!({"$ref": "#/$defs/Loop", "$defs": {"Loop": {"$ref": "#/$defs/Loop"}}}),
            json!({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}),
        ] {
            assert_eq!(said(given.clone(), asked.clone()), Vec::<String>::new(), "{given}");
        }
        assert_eq!(said(json!({"type": "string"}), asked), [": string for object"]);
    }

    #[test]
    fn what_holds_itself_ends() {
        let list = |kind: &str| {
            json!({
                "type": "object",
                "properties": {"value": {"type": kind}, "next": {"$ref": "#"}}
            })
        };
        let found = said(list("string"), list("boolean"));
        assert!(!found.is_empty() && found.len() <= 8, "{found:?}");
    }
}
