//! Looking up what a path names, and saying what is there instead when it names nothing.

use super::Names;
use serde_json::Value;

/// How many names an error lists, at most.
const LISTED: usize = 8;
/// How long a name in an error is, in characters.
const SHOWN: usize = 40;
/// No longer names are compared to find what was meant, in bytes.
const COMPARED: usize = 64;

/// One part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Key(String),
    Index(usize),
}

/// What the path names, or why it names nothing.
pub(super) fn find<'a>(names: &'a Names, path: &[Part]) -> Result<&'a Value, String> {
    let Some((Part::Key(first), rest)) = path.split_first() else {
        return Err("nothing is named".to_owned());
    };
    let mut value = names.get(first).ok_or_else(|| no_name(first, names))?;
    for (at, part) in rest.iter().enumerate() {
        value = match part {
            Part::Key(key) => {
                field(value, key).ok_or_else(|| no_field(&spelled(&path[..=at]), value, key))?
            }
            Part::Index(index) => {
                value.get(index).ok_or_else(|| no_element(&spelled(&path[..=at]), value, *index))?
            }
        };
    }
    Ok(value)
}

/// A field of an object.
pub(super) fn field<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.as_object()?.get(key)
}

/// That nothing is called `name`.
pub(super) fn no_name(name: &str, names: &Names) -> String {
    let meant = like(name, names.keys().map(String::as_str));
    format!("there is no `{}`{meant}; there is {}", short(name), listed(names))
}

/// That the value that `place` reads has no field `key`.
pub(super) fn no_field(place: &str, value: &Value, key: &str) -> String {
    let key = short(key);
    match value {
        Value::Object(fields) => {
            let meant = like(&key, fields.keys().map(String::as_str));
            format!("`{place}` has no `{key}`{meant}; it has {}", listed(fields))
        }
        other => format!("`{place}` is {} and has no `{key}`", kind(other)),
    }
}

/// That the value that `place` reads has no element at `index`.
pub(super) fn no_element(place: &str, value: &Value, index: usize) -> String {
    match value {
        Value::Array(list) => format!("`{place}` has {} elements and no [{index}]", list.len()),
        other => format!("`{place}` is {} and has no elements", kind(other)),
    }
}

/// A path as it is written.
pub(super) fn spelled(path: &[Part]) -> String {
    let mut text = String::new();
    for part in path {
        match part {
            Part::Index(index) => text.push_str(&format!("[{index}]")),
            Part::Key(key) if text.is_empty() => text.push_str(&short(key)),
            Part::Key(key) => text.push_str(&format!(".{}", short(key))),
        }
    }
    text
}

/// What kind of value it is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The known name that is meant, for a sentence.
pub(super) fn like<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .take(1_000)
        .filter(|one| one.len() <= COMPARED && name.len() <= COMPARED)
        .map(|one| (strsim::jaro_winkler(name, one), one))
        .filter(|(alike, _)| *alike > 0.8)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, one)| format!(", did you mean `{}`?", short(one)))
        .unwrap_or_default()
}

/// A text that is no longer than an error can bear.
pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

fn short(name: &str) -> String {
    shortened(name, SHOWN)
}

fn listed(fields: &Names) -> String {
    if fields.is_empty() {
        return "nothing".to_owned();
    }
    let mut names: Vec<String> =
        fields.keys().take(LISTED).map(|name| format!("`{}`", short(name))).collect();
    if fields.len() > LISTED {
        names.push(format!("{} more", fields.len() - LISTED));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Part, find};
    use serde_json::json;

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        let names = json!({"fetch": {"output": {"emails": [1, 2], "count": 2}}, "inputs": {}});
        let names = names.as_object().unwrap();
        let error = |path: &[&str]| {
            let path: Vec<Part> = path
                .iter()
                .map(|part| part.parse().map_or_else(|_| Part::Key((*part).to_owned()), Part::Index))
                .collect();
            find(names, &path).unwrap_err()
        };
        assert_eq!(
            error(&["fetsh"]),
            "there is no `fetsh`, did you mean `fetch`?; there is `fetch`, `inputs`"
        );
        assert_eq!(
            error(&["fetch", "output", "mails"]),
            "`fetch.output` has no `mails`, did you mean `emails`?; it has `count`, `emails`"
        );
        assert_eq!(
            error(&["fetch", "output", "count", "x"]),
            "`fetch.output.count` is a number and has no `x`"
        );
        assert_eq!(
            error(&["fetch", "output", "emails", "2"]),
            "`fetch.output.emails` has 2 elements and no [2]"
        );
        assert_eq!(error(&["inputs", "who"]), "`inputs` has no `who`; it has nothing");
    }

    #[test]
    fn errors_are_short_whatever_the_names_are() {
        let names = json!({"x": "é".repeat(100_000).chars().map(|sign| (sign.to_string(), json!(1))).collect::<serde_json::Map<_, _>>()});
        let many: serde_json::Map<_, _> =
            (0..10_000).map(|at| ("k".repeat(1_000) + at.to_string().as_str(), names.clone())).collect();
        assert!(super::no_name(&"k".repeat(1_000), &many).len() < 1_000);
    }
}
