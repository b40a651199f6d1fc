//! Cursors: places in a log that tell nothing to whom they are handed.

use super::Sequence;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

/// A place in one log: opaque, prints as text, outlives the process. A log that was begun anew refuses it.
///
/// A sequence counts the events of all users. So that nobody reads from two cursors how much the others do, a cursor
/// is sealed under the log's incarnation: only a back end that knows it can tell the place, and nobody else can make
/// one up. Two cursors of one place do not look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    salt: u64,
    /// Depends on the place, and proves it. Hides it, too: the place is masked with what follows from the seal.
    seal: u64,
    masked: u64,
}

impl Cursor {
    /// For back ends: the place of `sequence` in the log with this incarnation.
    #[must_use]
    pub fn new(incarnation: u64, sequence: Sequence) -> Self {
        let salt = fastrand::u64(..);
        let seal = digest(incarnation, Use::Seal, salt, sequence);
        Self { salt, seal, masked: sequence ^ digest(incarnation, Use::Mask, salt, seal) }
    }

    /// For back ends: its place in the log with this incarnation.
    ///
    /// # Errors
    /// `Invalid`: it is of another log, or no log gave it.
    pub fn within(&self, incarnation: u64) -> Result<Sequence> {
        let sequence = self.masked ^ digest(incarnation, Use::Mask, self.salt, self.seal);
        if digest(incarnation, Use::Seal, self.salt, sequence) == self.seal {
            return Ok(sequence);
        }
        Err(Error::invalid(format!("the cursor {self} is of another log; begin anew with this one")))
    }
}

/// For back ends: the incarnation of a log that begins now. Nobody can guess it.
#[must_use]
pub fn new_incarnation() -> u64 {
    RandomState::new().hash_one("incarnation")
}

#[derive(Clone, Copy)]
enum Use {
    Seal = 0,
    Mask = 1,
}

fn digest(incarnation: u64, purpose: Use, salt: u64, input: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(incarnation.to_be_bytes());
    hash.update([purpose as u8]);
    hash.update(salt.to_be_bytes());
    hash.update(input.to_be_bytes());
    hash.finalize().iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}{:016x}", self.salt, self.seal, self.masked)
    }
}

impl FromStr for Cursor {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let known = text.len() == 48 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let word = |at: usize| u64::from_str_radix(text.get(at..at + 16)?, 16).ok();
        let words = || Some(Self { salt: word(0)?, seal: word(16)?, masked: word(32)? });
        known.then(words).flatten().ok_or_else(|| {
            Error::invalid(format!("{text:?} is no cursor; keep what EventStream::cursor gave"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_says_its_place_to_its_log_alone() {
        for sequence in [0, 1, 2, 1_000_000, u64::MAX] {
            let cursor = Cursor::new(7, sequence);
            assert_eq!(cursor.within(7).unwrap(), sequence);
            assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
            assert!(cursor.within(8).is_err());
            for bit in 0..64 {
                assert!(Cursor { seal: cursor.seal ^ 1 << bit, ..cursor }.within(7).is_err());
                assert!(Cursor { masked: cursor.masked ^ 1 << bit, ..cursor }.within(7).is_err());
            }
        }
    }

    /// Any two differ in about half of their bits, in each part: nothing of the distance shows, not even that there
    /// is none.
    #[test]
    fn the_distance_of_two_cursors_does_not_show() {
        let differ = |of: fn(&Cursor) -> u64, step: u64| -> u32 {
            let pairs = (0..1_000).map(|n| (Cursor::new(7, n), Cursor::new(7, n + step)));
            pairs.map(|(left, right)| (of(&left) ^ of(&right)).count_ones()).sum()
        };
        for step in [0, 1] {
            assert!((31_000..33_000).contains(&differ(|cursor| cursor.seal, step)));
            assert!((31_000..33_000).contains(&differ(|cursor| cursor.masked, step)));
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "1.2", "ä", &"0".repeat(49), &"+".repeat(48), &"ä".repeat(24)] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
