//! Identity of events: UUIDv7, or a foreign string kept as it came.

use crate::name::{Name, check_name};
use crate::{Error, Result, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;
use uuid::Uuid;

/// The identity of an event. Ids only identify; order is the log's sequence.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::EventId;
///
/// let foreign: EventId = "evt_123".parse()?;
/// assert_eq!(foreign.to_string(), "evt_123");
/// # Ok::<(), vextir::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(Repr);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Repr {
    Uuid(u128),
    Foreign(Name),
}

impl EventId {
    /// "No id yet": the kernel gives one when the event is accepted.
    pub const UNSET: Self = Self(Repr::Uuid(0));

    /// Whether no id was given yet.
    #[must_use]
    pub fn is_unset(&self) -> bool {
        *self == Self::UNSET
    }

    /// The 16 bytes of a UUID; `None` for a foreign id.
    #[must_use]
    pub fn uuid_bytes(&self) -> Option<[u8; 16]> {
        match &self.0 {
            Repr::Uuid(bits) => Some(bits.to_be_bytes()),
            Repr::Foreign(_) => None,
        }
    }

    /// The two halves of a UUID; `None` for a foreign id.
    pub(crate) fn uuid_halves(&self) -> Option<[u64; 2]> {
        match &self.0 {
            Repr::Uuid(bits) => Some([(bits >> 64) as u64, *bits as u64]),
            Repr::Foreign(_) => None,
        }
    }

    /// The text of a foreign id; `None` for a UUID.
    #[must_use]
    pub fn foreign(&self) -> Option<&str> {
        match &self.0 {
            Repr::Uuid(_) => None,
            Repr::Foreign(text) => Some(text),
        }
    }

    /// From the 16 bytes of a UUID.
    #[must_use]
    pub fn from_uuid_bytes(bytes: [u8; 16]) -> Self {
        Self(Repr::Uuid(u128::from_be_bytes(bytes)))
    }

    /// The id of an output: the log time of its delivery, and a hash of (cause, driver, index), so that a
    /// repeated handler names its outputs alike. A foreign cause counts with its user, whose own it is.
    #[must_use]
    pub fn derived(logged_at: Timestamp, user: &str, cause: &EventId, driver: &str, index: u32) -> Self {
        let mut hash = Sha256::new();
        match &cause.0 {
            Repr::Uuid(bits) => hash.update(bits.to_be_bytes()),
            Repr::Foreign(text) => {
                hash.update(user.as_bytes());
                hash.update([0]);
                hash.update(text.as_bytes());
            }
        }
        hash.update([0]);
        hash.update(driver.as_bytes());
        hash.update([0]);
        hash.update(index.to_be_bytes());
        let digest = hash.finalize();
        let mut random = [0; 16];
        random.copy_from_slice(&digest[..16]);
        Self(Repr::Uuid(version_7(logged_at, u128::from_be_bytes(random))))
    }
}

/// Lays `random` under the millisecond of `time`, with UUIDv7's version and variant bits.
fn version_7(time: Timestamp, random: u128) -> u128 {
    let millis = u128::try_from(time.as_millis().max(0)).unwrap_or(0) & 0xffff_ffff_ffff;
    let low = random & 0x0fff_3fff_ffff_ffff_ffff;
    millis << 80 | 0x7 << 76 | 0x8000_0000_0000_0000 | low
}

/// For back ends: makes new UUIDv7 ids that grow, also within a millisecond and when the clock jumps back.
#[derive(Debug)]
pub struct IdSource(Mutex<(u128, fastrand::Rng)>);

impl IdSource {
    /// A source; with a seed, the same ids for the same times.
    #[must_use]
    pub fn new(seed: Option<u64>) -> Self {
        let random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self(Mutex::new((0, random)))
    }

    /// The next id, greater than those before it.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> EventId {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let fresh = version_7(now, state.1.u128(..));
        let same_or_past = fresh >> 80 <= state.0 >> 80;
        // Step by a random odd amount inside the low 62 bits: growing, and not guessable by counting.
        let next = if same_or_past { step(state.0, u128::from(state.1.u32(1..))) } else { fresh };
        state.0 = next;
        EventId(Repr::Uuid(next))
    }
}

/// Adds to the 74 random bits, around version and variant, and carries into the milliseconds.
fn step(id: u128, by: u128) -> u128 {
    let low = id & 0x3fff_ffff_ffff_ffff;
    let mid = id >> 64 & 0xfff;
    let high = id >> 80;
    let sum = (high << 74 | mid << 62 | low) + by;
    let (low, mid, high) = (sum & 0x3fff_ffff_ffff_ffff, sum >> 62 & 0xfff, sum >> 74);
    high << 80 | 0x7 << 76 | mid << 64 | 0x8000_0000_0000_0000 | low
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Uuid(bits) => fmt::Display::fmt(&Uuid::from_u128(*bits).hyphenated(), f),
            Repr::Foreign(text) => fmt::Display::fmt(text, f),
        }
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EventId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::invalid("event id is empty"));
        }
        // Only the canonical form is taken apart; any other spelling is kept as it came.
        if text.len() == 36
            && !text.bytes().any(|byte| byte.is_ascii_uppercase())
            && let Ok(uuid) = Uuid::try_parse(text)
            && !uuid.is_nil()
        {
            return Ok(Self(Repr::Uuid(uuid.as_u128())));
        }
        check_name("event id", text)?;
        Ok(Self(Repr::Foreign(text.into())))
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Default for EventId {
    fn default() -> Self {
        Self::UNSET
    }
}
