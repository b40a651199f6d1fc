//! A short string that is cheap to clone, and the grammar of event types.

use crate::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// An immutable string that is cheap to clone: a literal, or a shared allocation.
///
/// Event types, users, sources, ordering keys and driver ids are names.
#[derive(Clone)]
pub struct Name(Repr);

#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Name {
    /// A name from a literal; costs nothing.
    #[must_use]
    pub const fn literal(text: &'static str) -> Self {
        Self(Repr::Static(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(text) => text,
            Repr::Shared(text) => text,
        }
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::literal("")
    }
}

impl Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(Repr::Shared(text.into()))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(Repr::Shared(text.into()))
    }
}

impl From<&Name> for Name {
    fn from(name: &Name) -> Self {
        name.clone()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other)
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// The longest event type, in bytes.
pub const MAX_TYPE_BYTES: usize = 255;
/// The longest user, source, ordering key, label or foreign id, in bytes.
pub const MAX_NAME_BYTES: usize = 512;

/// Checks an event type: segments of ASCII letters, digits, `_` and `-`, joined by single dots,
/// each beginning with a letter, a digit or `_`; at most 255 bytes.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with the offending place.
///
/// ```
/// # extern crate vextir_core as vextir;
/// assert!(vextir::check_type("github.issue.create").is_ok());
/// assert!(vextir::check_type("github..create").is_err());
/// ```
pub fn check_type(text: &str) -> Result<()> {
    let refuse = |why: String| Err(Error::invalid(format!("event type {text:?}: {why}")));
    if text.is_empty() {
        return Err(Error::invalid("event type is empty; write something like \"email.received\""));
    }
    if text.len() > MAX_TYPE_BYTES {
        let shown: String = text.chars().take(40).collect();
        return Err(Error::invalid(format!(
            "event type {shown:?}.. has {} bytes; at most {MAX_TYPE_BYTES}",
            text.len()
        )));
    }
    for segment in text.split('.') {
        let Some(first) = segment.chars().next() else {
            return refuse("a segment is empty".into());
        };
        if first == '-' {
            return refuse(format!("segment {segment:?} begins with '-'"));
        }
        if let Some(bad) = segment.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))) {
            return refuse(format!("character {bad:?}; use ASCII letters, digits, '_' and '-'"));
        }
    }
    Ok(())
}

/// Checks a user, source, ordering key or foreign id: not too long, no control characters.
pub(crate) fn check_name(what: &str, text: &str) -> Result<()> {
    if text.len() > MAX_NAME_BYTES {
        return Err(Error::invalid(format!("{what} has {} bytes; at most {MAX_NAME_BYTES}", text.len())));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(format!("{what} {text:?} has a control character")));
    }
    Ok(())
}
