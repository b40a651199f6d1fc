//! How ids are stored: a UUID as its 16 bytes, a foreign id as text, unique for each user.

use crate::fault::damaged;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use std::hash::{BuildHasher, Hash, Hasher};
use vextir_core::{EventId, Result};

/// Stands between user and foreign id; neither may hold a control character.
const SEPARATOR: char = '\u{1f}';

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The 16 bytes of an id that users write as [`hex`].
pub(crate) fn unhex(text: &str) -> Option<[u8; 16]> {
    let fits = text.len() == 32 && text.bytes().all(|sign| matches!(sign, b'0'..=b'9' | b'a'..=b'f'));
    fits.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(u128::to_be_bytes)
}

/// An id in its scope: ours are unique everywhere, foreign ones for each user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Ours([u8; 16]),
    Foreign(Box<str>),
}

impl Key {
    pub(crate) fn new(user: &str, id: &EventId) -> Self {
        match (id.uuid_bytes(), id.foreign()) {
            (Some(bytes), _) => Self::Ours(bytes),
            (None, foreign) => {
                let mut text = String::with_capacity(user.len() + 1 + foreign.map_or(0, str::len));
                text.push_str(user);
                text.push(SEPARATOR);
                text.push_str(foreign.unwrap_or_default());
                Self::Foreign(text.into())
            }
        }
    }

    /// The key as a column holds it.
    pub(crate) fn read(value: ValueRef<'_>) -> Result<Self> {
        match value {
            ValueRef::Blob(bytes) => Ok(Self::Ours(bytes.try_into().map_err(|_| damaged("an id"))?)),
            ValueRef::Text(text) => Ok(Self::Foreign(utf8(text)?.into())),
            _ => Err(damaged("an id")),
        }
    }

    /// The id without its scope.
    pub(crate) fn id(&self) -> Result<EventId> {
        match self {
            Self::Ours(bytes) => Ok(EventId::from_uuid_bytes(*bytes)),
            Self::Foreign(text) => parse(text.rsplit(SEPARATOR).next().unwrap_or_default()),
        }
    }
}

impl ToSql for Key {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Ours(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Foreign(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

/// An id outside any scope, as the cause of an event is stored.
pub(crate) fn bare(id: &EventId) -> Key {
    match (id.uuid_bytes(), id.foreign()) {
        (Some(bytes), _) => Key::Ours(bytes),
        (None, foreign) => Key::Foreign(foreign.unwrap_or_default().into()),
    }
}

fn parse(text: &str) -> Result<EventId> {
    text.parse().map_err(|_| damaged(format_args!("the event id {text:?}")))
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| damaged("a text"))
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Ours(bytes) => state.write_u128(u128::from_ne_bytes(*bytes)),
            Self::Foreign(text) => state.write(text.as_bytes()),
        }
    }
}

/// A quick hash for keys. Ids may come from outside, so it is mixed with a secret of this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mixer {
    secret: u128,
    state: u64,
}

impl Mixer {
    pub(crate) fn new() -> Self {
        Self { secret: fastrand::u128(..), state: 0 }
    }

    fn mix(&mut self, value: u128) {
        let mixed = value ^ self.secret;
        let product = u128::from(mixed as u64 ^ self.state) * u128::from((mixed >> 64) as u64 | 1);
        self.state = product as u64 ^ (product >> 64) as u64;
    }
}

impl BuildHasher for Mixer {
    type Hasher = Self;
    fn build_hasher(&self) -> Self {
        *self
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(16) {
            let mut block = [0; 16];
            block[..chunk.len()].copy_from_slice(chunk);
            self.mix(u128::from_ne_bytes(block));
        }
        self.mix(bytes.len() as u128);
    }

    fn write_u128(&mut self, value: u128) {
        self.mix(value);
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_ids_are_scoped_and_come_back() {
        let id: EventId = "evt_123456".parse().unwrap();
        let (one, other) = (Key::new("local", &id), Key::new("guest", &id));
        assert_ne!(one, other);
        assert_eq!(one.id().unwrap(), id);
        assert_eq!(bare(&id).id().unwrap(), id);
    }

    #[test]
    fn our_ids_are_the_same_for_every_user() {
        let id: EventId = "0197aaaa-bbbb-7ccc-8ddd-eeeeffff0000".parse().unwrap();
        assert_eq!(Key::new("a", &id), Key::new("b", &id));
        assert_eq!(Key::new("a", &id).id().unwrap(), id);
    }
}
