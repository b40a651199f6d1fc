//! The key of a wait: where it stands in an event's data, and what its document is called.

use crate::digest::hex;
use crate::{Data, Error, MAX_NAME_BYTES, Result};
use serde_json::Value;

/// The longest key that its document is called by.
const LONGEST_NAME: usize = 64;

/// The key in an event's data; `None` if waits are not told apart.
pub(super) fn of(data: &Data, by: Option<&str>) -> Result<Option<String>> {
    let Some(by) = by else { return Ok(None) };
    let whole = data.value();
    let found = by.split('.').try_fold(&whole, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => value.get(name),
    });
    let key = match found {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        None | Some(Value::Null) => {
            return Err(Error::invalid(format!("data.{by} is missing, the key that tells waits apart")));
        }
        Some(_) => return Err(Error::invalid(format!("data.{by} is no text, number or boolean, so no key"))),
    };
    if key.len() > MAX_NAME_BYTES {
        return Err(Error::invalid(format!(
            "data.{by} has {} bytes; a key has at most {MAX_NAME_BYTES}",
            key.len()
        )));
    }
    Ok(Some(key))
}

/// What the document of a key is called: as the key, where that is a plain name, and by a hash otherwise.
pub(super) fn document(key: Option<&str>) -> String {
    let Some(key) = key else { return "~".to_owned() };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_plain = (1..=LONGEST_NAME).contains(&key.len())
        && key.bytes().all(fits)
        && key.trim_matches('.').len() == key.len();
    if is_plain {
        return key.to_owned();
    }
    format!("~{}", hex(key, 16))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_is_found_by_its_path() {
        let data =
            Data::from(json!({"a": {"b": [{"c": "x"}, 7]}, "n": 1, "f": false, "none": null, "": "e"}));
        let found = |path| of(&data, Some(path)).map(Option::unwrap);
        assert_eq!(found("a.b.0.c").unwrap(), "x");
        assert_eq!(found("a.b.1").unwrap(), "7");
        assert_eq!((found("n").unwrap(), found("f").unwrap()), ("1".into(), "false".into()));
        for (path, why) in [
            ("a", "no text"),
            ("none", "missing"),
            ("a.x", "missing"),
            ("n.x", "missing"),
            ("a.b.x", "missing"),
        ] {
            let error = found(path).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(path), "{error}");
        }
        let huge = Data::from(json!({"k": "x".repeat(513)}));
        assert!(of(&huge, Some("k")).unwrap_err().to_string().contains("513 bytes"));
        assert_eq!(of(&Data::default(), None).unwrap(), None);
    }

    #[test]
    fn a_document_has_one_key() {
        let odd =
            ["", "~", ".", "..", ".a", "a.", "a/b", "../x", " a", "\u{e9}", "e\u{301}", "a\0", "\u{202e}"];
        let long = "x".repeat(65);
        let keys = odd.into_iter().chain(["a", "A-1_b.c", long.as_str()]);
        let names: std::collections::BTreeSet<String> = keys.clone().map(|key| document(Some(key))).collect();
        assert_eq!(names.len(), keys.count());
        for name in names {
            assert!(name != "~" && crate::context::clean_path(&format!("/{name}")).is_ok(), "{name}");
        }
    }
}
