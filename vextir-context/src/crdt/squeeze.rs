//! The form in which a state lies beside its content in one row. Names and texts of a state stand in the content too, in
//! nearly the same order: what is there is named by its place, which halves most states.
//!
//! The length of the state, four bytes of its hash, then by turns: a number of bytes and these bytes themselves; a number of
//! bytes of the content (less [`SHORTEST`]) and how far behind the last ones they begin.

use super::pack::number;
use super::wire::{Reader, malformed};
use std::borrow::Cow;
use vextir_core::{Error, ErrorKind, Result};

/// The first byte. A state begins with another one (see [`super::pack`]), and is then stored as it is.
const SQUEEZED: u8 = 2;

/// What is longer stays as it is: it fills its pages well, and should be read quickly.
pub(crate) const LONGEST: usize = 32 << 10;

/// Fewer bytes are not worth being named.
const SHORTEST: usize = 4;

/// What follows in the state mostly follows in the content too, behind so much punctuation.
const NEAR: usize = 8;

/// How many places are compared where it does not.
const TRIES: usize = 64;

/// Places with the same hash are in one list.
const HASHES: usize = 1 << 10;

/// A state as it is stored beside its content.
pub(crate) fn squeeze(state: Vec<u8>, content: &str) -> Vec<u8> {
    if state.len() > LONGEST || content.len() > LONGEST {
        return state;
    }
    let squeezed = squeezed(&state, content.as_bytes());
    if squeezed.len() < state.len() { squeezed } else { state }
}

/// The state that was stored beside a content.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if it is damaged, or the content is not the one that it was stored beside.
pub(crate) fn unsqueeze<'s>(stored: &'s [u8], content: &[u8]) -> Result<Cow<'s, [u8]>> {
    match stored.split_first() {
        Some((&SQUEEZED, rest)) => {
            let read = unsqueezed(rest, content);
            let damaged =
                |error| Error::new(ErrorKind::Corrupt, "the document's state is damaged").with_source(error);
            read.map(Cow::Owned).map_err(damaged)
        }
        _ => Ok(Cow::Borrowed(stored)),
    }
}

fn squeezed(state: &[u8], content: &[u8]) -> Vec<u8> {
    let places = Places::of(content);
    let mut out = vec![SQUEEZED];
    number(&mut out, state.len() as u64);
    out.extend_from_slice(&sum(state));
    let (mut at, mut done, mut end) = (0, 0, 0);
    while at + SHORTEST <= state.len() {
        let Some((place, length)) = places.find(&state[at..], end) else {
            at += 1;
            continue;
        };
        literal(&mut out, &state[done..at]);
        number(&mut out, (length - SHORTEST) as u64);
        number(&mut out, zigzag(place as i64 - end as i64));
        (at, end) = (at + length, place + length);
        done = at;
    }
    literal(&mut out, &state[done..]);
    out
}

fn unsqueezed(squeezed: &[u8], content: &[u8]) -> Result<Vec<u8>> {
    let mut reader = Reader::new(squeezed);
    let length = usize::try_from(reader.number()?).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| malformed("a state that is too long"))?;
    let expected = reader.bytes(4)?;
    let mut state = Vec::with_capacity(length);
    let mut end = 0_i64;
    loop {
        let count = reader.number()?;
        state.extend_from_slice(reader.bytes(count)?);
        if state.len() >= length {
            break;
        }
        let count = usize::try_from(reader.number()?).ok().and_then(|count| count.checked_add(SHORTEST));
        let place = end.checked_add(unzigzag(reader.number()?));
        let (count, place) = count
            .zip(place.and_then(|place| usize::try_from(place).ok()))
            .ok_or_else(|| malformed("a place that is not in the content"))?;
        let same = place.checked_add(count).and_then(|end| content.get(place..end));
        let same = same.ok_or_else(|| malformed("a place that is not in the content"))?;
        state.extend_from_slice(same);
        end = (place + count) as i64;
    }
    if state.len() != length || !reader.rest.is_empty() {
        return Err(malformed("bytes behind its end"));
    }
    if sum(&state) != expected {
        return Err(Error::invalid("it was stored beside another content, or its bytes were changed"));
    }
    Ok(state)
}

/// A hash of a state (FNV-1a). It finds faults, and not what somebody made on purpose.
fn sum(state: &[u8]) -> [u8; 4] {
    let add = |sum: u32, byte: &u8| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    state.iter().fold(0x811c_9dc5, add).to_le_bytes()
}

fn literal(out: &mut Vec<u8>, bytes: &[u8]) {
    number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Where the content has which bytes.
struct Places<'c> {
    content: &'c [u8],
    /// The last place with each hash, counted from 1.
    last: Vec<u16>,
    /// The place before each one with the same hash.
    before: Vec<u16>,
}

impl<'c> Places<'c> {
    fn of(content: &'c [u8]) -> Self {
        let mut places = Self { content, last: vec![0; HASHES], before: Vec::with_capacity(content.len()) };
        for (place, bytes) in content.windows(SHORTEST).enumerate() {
            let last = &mut places.last[hash(bytes)];
            places.before.push(*last);
            // A content is not longer than `LONGEST`.
            *last = u16::try_from(place + 1).unwrap_or(0);
        }
        places
    }

    /// How many bytes are the same from here on.
    fn same(&self, bytes: &[u8], place: usize) -> usize {
        let there = self.content.get(place..).unwrap_or_default();
        bytes.iter().zip(there).take_while(|(one, other)| one == other).count()
    }

    /// Where the content goes on as these bytes do, and how far: near the end of what was found last, or anywhere.
    fn find(&self, bytes: &[u8], end: usize) -> Option<(usize, usize)> {
        let first = bytes.get(..SHORTEST)?;
        // Most places differ in their first bytes.
        let begins = |place: usize| self.content.get(place..place + SHORTEST) == Some(first);
        let near = (end..=end + NEAR).filter(|place| begins(*place));
        let near = near.map(|place| (place, self.same(bytes, place)));
        if let Some(near) = near.max_by_key(|(_, length)| *length) {
            return Some(near);
        }
        let mut best = None;
        let mut next = self.last[hash(first)];
        for _ in 0..TRIES {
            let Some(place) = usize::from(next).checked_sub(1) else { break };
            let length = if begins(place) { self.same(bytes, place) } else { 0 };
            if length >= SHORTEST && best.is_none_or(|(_, longest)| length > longest) {
                best = Some((place, length));
            }
            next = self.before[place];
        }
        best
    }
}

fn hash(bytes: &[u8]) -> usize {
    let number = bytes.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    (number.wrapping_mul(0x9e37_79b1) >> 22) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(state: &[u8], content: &str) -> usize {
        let stored = squeeze(state.to_vec(), content);
        assert_eq!(unsqueeze(&stored, content.as_bytes()).unwrap(), state);
        assert!(stored.len() <= state.len());
        stored.len()
    }

    #[test]
    fn what_stands_in_the_content_is_named_by_its_place() {
        let content = r#"{"key1":"the first value","key2":"the second value"}"#;
        assert!(round(b"\x01\x04/key1\x0fthe first value\x04/key2\x10the second value\x09", content) < 32);
        round(b"", content);
        round(b"\x01", content);
        round(b"\x01nothing of it", "");
        round(b"\x01key2 and key1, key2 and the se", content);
        let long = format!("\x01{}", "ab".repeat(10_000));
        assert!(round(long.as_bytes(), &"ab".repeat(10_000)) < 20);
        round(long.as_bytes(), &"ba".repeat(40_000));
    }

    #[test]
    fn a_state_of_many_forms_comes_back() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let length = random.usize(..200);
            let content: String = (0..length).map(|_| random.char('a'..'d')).collect();
            let mut state = vec![1];
            while random.u8(..10) > 0 {
                let from = random.usize(..=length);
                state.extend_from_slice(&content.as_bytes()[from..random.usize(from..=length)]);
                state.extend((0..random.usize(..5)).map(|_| random.u8(..)));
            }
            round(&state, &content);
        }
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let content = "a content of some words and of others";
        let stored = squeeze(b"\x01content of some words\x02 and of others".to_vec(), content);
        assert_eq!(stored[0], SQUEEZED);
        for end in 1..stored.len() {
            assert_eq!(unsqueeze(&stored[..end], content.as_bytes()).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        assert!(unsqueeze(&stored, b"another").is_err());
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..10_000 {
            let mut damaged = stored.clone();
            let at = random.usize(1..damaged.len());
            damaged[at] = random.u8(..);
            let read = unsqueeze(&damaged, content.as_bytes());
            assert!(read.is_err() || damaged == stored, "{damaged:?}");
        }
        let endless = [&[SQUEEZED, 255, 255, 1][..], &[0, 30, 0].repeat(20)].concat();
        assert!(unsqueeze(&endless, content.as_bytes()).is_err());
    }
    #[test]
    fn a_state_is_refused_beside_another_content_of_equal_length() {
        let content = "a content of some words and of others";
        let state = b"\x01content of some words\x02 and of others";
        let stored = squeeze(state.to_vec(), content);
        let mut refused = 0;
        for at in 0..content.len() {
            let mut other = content.as_bytes().to_vec();
            other[at] ^= 1;
            match unsqueeze(&stored, &other) {
                // A byte that the state does not name.
                Ok(read) => assert_eq!(*read, *state),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt);
                    refused += 1;
                }
            }
        }
        assert!(refused > 30, "{refused}");
    }
}
