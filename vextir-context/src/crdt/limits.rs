//! The bounds of a document.

use serde_json::Value;
use vextir_core::{Error, ErrorKind, Result};

/// Characters' bytes of a text, and bytes of all strings and names of a JSON value.
pub(super) const BYTES: usize = 16 << 20;
/// Nested objects and arrays.
pub(super) const DEPTH: usize = 64;
/// Values of a JSON document, the objects and arrays among them.
pub(super) const LEAVES: usize = 100_000;
/// Bytes of the names on the way to one value, escaped.
pub(super) const KEY: usize = 4 << 10;
/// Bytes of one update or state.
pub(super) const UPDATE: usize = 64 << 20;

/// What the merge of several replicas' writes may grow to, as a multiple of what one of them may write.
pub(super) const MERGED: usize = 4;

/// Refuses a text that is too long.
pub(crate) fn check_text(bytes: usize) -> Result<()> {
    if bytes <= BYTES {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the text has {bytes} bytes and may have {BYTES}; divide it into several documents"
    )))
}

/// Refuses a JSON value that is too large, too deep or has too many parts. The number of its parts.
pub(crate) fn check_json(value: &Value) -> Result<usize> {
    let mut counter = Counter::default();
    counter.count(value, 0, 0)?;
    Ok(counter.leaves)
}

/// Refuses too many parts.
pub(super) fn check_leaves(leaves: usize) -> Result<()> {
    if leaves <= LEAVES {
        return Ok(());
    }
    Err(too_many(format!("the JSON would have more than {LEAVES} values")))
}

/// Refuses bytes from outside that are too many to be looked at.
pub(super) fn check_update(bytes: usize) -> Result<()> {
    if bytes <= UPDATE {
        return Ok(());
    }
    Err(Error::invalid(format!("an update of {bytes} bytes; at most {UPDATE} are read at once")))
}

/// Refuses a document that merging made too large.
pub(super) fn check_merged(leaves: usize) -> Result<()> {
    if leaves <= MERGED * LEAVES {
        return Ok(());
    }
    let most = MERGED * LEAVES;
    Err(too_many(format!("merged, the document would have {leaves} values, and may have {most}")))
}

/// Refuses a text that merging made too large.
pub(super) fn check_merged_text(bytes: usize) -> Result<()> {
    let most = MERGED * BYTES;
    if bytes <= most {
        return Ok(());
    }
    Err(too_many(format!("merged, a text would have {bytes} bytes, and may have {most}")))
}

fn too_many(what: String) -> Error {
    Error::new(ErrorKind::Invalid, format!("{what}; divide it into several documents"))
}

#[derive(Default)]
struct Counter {
    leaves: usize,
    bytes: usize,
}

impl Counter {
    fn count(&mut self, value: &Value, depth: usize, path: usize) -> Result<()> {
        if depth > DEPTH {
            return Err(Error::invalid(format!(
                "the JSON is nested more than {DEPTH} deep; store the inner part as a document of its own"
            )));
        }
        if path > KEY {
            return Err(Error::invalid(format!(
                "the names on the way to a value have more than {KEY} bytes"
            )));
        }
        self.leaves += 1;
        match value {
            Value::String(text) => self.bytes += text.len(),
            Value::Array(items) => {
                // Elements are stored by an id, so their path begins anew.
                items.iter().try_for_each(|item| self.count(item, depth + 1, 0))?;
            }
            Value::Object(members) => {
                for (name, member) in members {
                    self.bytes += name.len();
                    let escaped =
                        name.len() + name.bytes().filter(|sign| matches!(sign, b'~' | b'/')).count();
                    self.count(member, depth + 1, path + 1 + escaped)?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        check_leaves(self.leaves)?;
        if self.bytes > BYTES {
            return Err(too_many(format!("the JSON has more than {BYTES} bytes of text")));
        }
        Ok(())
    }
}
