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
/// one up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Depends on the place, and proves it. Hides it, too: the place is masked with what follows from the seal.
    seal: u64,
    masked: u64,
}

impl Cursor {
    /// For back ends: the place of `sequence` in the log with this incarnation.
    #[must_use]
    pub fn new(incarnation: u64, sequence: Sequence) -> Self {
        let seal = digest(incarnation, Use::Seal, sequence);
        Self { seal, masked: sequence ^ digest(incarnation, Use::Mask, seal) }
    }

    /// For back ends: its place in the log with this incarnation.
    ///
    /// # Errors
    /// `Invalid`: it is of another log, or no log gave it.
    pub fn within(&self, incarnation: u64) -> Result<Sequence> {
        let sequence = self.masked ^ digest(incarnation, Use::Mask, self.seal);
        if Self::new(incarnation, sequence) == *self {
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

fn digest(incarnation: u64, purpose: Use, input: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(incarnation.to_be_bytes());
    hash.update([purpose as u8]);
    hash.update(input.to_be_bytes());
    hash.finalize().iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.seal, self.masked)
    }
}

impl FromStr for Cursor {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let bits =
            Some(text).filter(|text| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let bits = bits.and_then(|text| u128::from_str_radix(text, 16).ok()).ok_or_else(|| {
            Error::invalid(format!("{text:?} is no cursor; keep what EventStream::cursor gave"))
        })?;
        Ok(Self { seal: (bits >> 64) as u64, masked: bits as u64 })
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

    /// Neighbours differ in about half of their bits, in both halves: nothing of the distance shows.
    #[test]
    fn the_distance_of_two_cursors_does_not_show() {
        let distance = |of: fn(&Cursor) -> u64| -> u32 {
            let pairs = (0..1_000).map(|n| (Cursor::new(7, n), Cursor::new(7, n + 1)));
            pairs.map(|(left, right)| (of(&left) ^ of(&right)).count_ones()).sum()
        };
        assert!((31_000..33_000).contains(&distance(|cursor| cursor.seal)));
        assert!((31_000..33_000).contains(&distance(|cursor| cursor.masked)));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in [
            "",
            "1.2",
            "+0000000000000000000000000000001",
            "ä",
            &"0".repeat(33),
            "0x00000000000000000000000000000",
        ] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
