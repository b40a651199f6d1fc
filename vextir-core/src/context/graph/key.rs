//! What an entity is known by.

use super::{DOCUMENT, MAX_KEY_BYTES};
use crate::{Error, Name, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What an entity is known by: a kind, and a key that is unique for it. `person:bob@example.org`.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::context::graph::EntityKey;
///
/// let bob: EntityKey = "person:bob@example.org".parse()?;
/// assert_eq!(bob, ("person", "bob@example.org").into());
/// assert_eq!(EntityKey::document("/Notes/plan").to_string(), "document:/Notes/plan");
/// # Ok::<(), vextir::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EntityKey {
    /// What sort of thing it is.
    pub kind: Name,
    /// Which one: an address, a number, a path. Case matters.
    pub key: String,
}

impl EntityKey {
    /// A key.
    pub fn new(kind: impl Into<Name>, key: impl Into<String>) -> Self {
        Self { kind: kind.into(), key: key.into() }
    }

    /// A document, by its path.
    pub fn document(path: impl Into<String>) -> Self {
        Self::new(Name::literal(DOCUMENT), path)
    }

    /// Whether it can be one.
    ///
    /// # Errors
    /// `Invalid`: empty, too long, or with control characters.
    pub fn check(&self) -> Result<()> {
        super::episode::check_name("the kind of an entity", &self.kind)?;
        super::episode::check_key("the key of an entity", &self.key, MAX_KEY_BYTES)
    }
}

impl<K: Into<Name>, I: Into<String>> From<(K, I)> for EntityKey {
    fn from((kind, key): (K, I)) -> Self {
        Self::new(kind, key)
    }
}

impl From<&EntityKey> for EntityKey {
    fn from(key: &EntityKey) -> Self {
        key.clone()
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.key)
    }
}

impl FromStr for EntityKey {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let (kind, key) = text.split_once(':').ok_or_else(|| {
            Error::invalid("an entity is written as kind:key, as in person:bob@example.org")
        })?;
        let key = Self::new(kind, key);
        key.check()?;
        Ok(key)
    }
}
