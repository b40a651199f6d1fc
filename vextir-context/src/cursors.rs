//! Cursors of watches: sealed, so that they tell a user nothing of what others do, and bound to the opening of the hub
//! that made the change at which they stand, so that a restored backup does not take one for a place of its own.

use crate::fault::OrFault;
use crate::queries::{self, signed};
use rusqlite::Connection;
use std::hash::Hasher;
use vextir_core::{Cursor, Error, Result, Sequence};

/// How many openings a file knows. A cursor that is older than all of them is refused.
const OPENINGS: u32 = 4_096;

/// Rounds of the seal.
const ROUNDS: u8 = 8;

/// Seals and opens the cursors of one hub.
#[derive(Debug)]
pub(crate) struct Cursors {
    key: (u64, u64),
    /// The first change of each opening, and the opening's number; the last one is this opening.
    openings: Vec<(Sequence, u32)>,
}

/// An opening of the hub, which is noted with its first change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening {
    first: Sequence,
    number: u32,
}

impl Cursors {
    /// Reads what the file knows, before anybody writes.
    pub(crate) fn open(connection: &Connection) -> Result<Self> {
        let half = |name: &str| -> Result<u64> {
            if let Some(known) = queries::meta::<i64>(connection, name)? {
                return Ok(known.cast_unsigned());
            }
            let fresh = fastrand::u64(..);
            connection
                .execute("INSERT INTO meta (name, value) VALUES (?1, ?2)", (name, fresh.cast_signed()))
                .or_fault()?;
            Ok(fresh)
        };
        let key = (half("cursor_key_1")?, half("cursor_key_2")?);
        let mut openings: Vec<(Sequence, u32)> = connection
            .prepare("SELECT first, number FROM opening ORDER BY first")
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?));
                statement.query_map([], read)?.collect()
            })
            .or_fault()?;
        let head = queries::number(connection, "SELECT coalesce(max(seq), 0) FROM change", [])?;
        openings.push((head + 1, fastrand::u32(1..)));
        Ok(Self { key, openings })
    }

    /// The present opening.
    pub(crate) fn opening(&self) -> Option<Opening> {
        self.openings.last().map(|(first, number)| Opening { first: *first, number: *number })
    }

    /// The place after a change. No two cursors look alike, also those of one place.
    pub(crate) fn seal(&self, after: Sequence) -> Cursor {
        let (mut left, mut right) =
            (after, u64::from(self.number_of(after)) << 32 | u64::from(fastrand::u32(..)));
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.mixed(round, right));
        }
        Cursor::new(left, right)
    }

    /// The place of a cursor, in a log that ends with `head`.
    ///
    /// # Errors
    /// `Invalid`: it was not made here.
    pub(crate) fn unseal(&self, cursor: &Cursor, head: Sequence) -> Result<Sequence> {
        let (mut left, mut right) = cursor.halves();
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.mixed(round, left), left);
        }
        let (after, number) = (left, (right >> 32) as u32);
        if after > head || number != self.number_of(after) {
            return Err(Error::invalid(
                "the cursor is of another store, or of changes that this one does not have (was a backup restored?); \
                 read the documents anew, and watch from now on",
            ));
        }
        Ok(after)
    }

    /// The opening that made a change; 0 for one that is not known.
    fn number_of(&self, change: Sequence) -> u32 {
        let later = self.openings.partition_point(|(first, _)| *first <= change);
        later.checked_sub(1).map_or(0, |at| self.openings[at].1)
    }

    fn mixed(&self, round: u8, half: u64) -> u64 {
        #[expect(deprecated, reason = "the hash that cursors are sealed with must never become another one")]
        let mut hasher = std::hash::SipHasher::new_with_keys(self.key.0, self.key.1);
        hasher.write_u8(round);
        hasher.write(&half.to_le_bytes());
        hasher.finish()
    }
}

impl Opening {
    /// Notes the opening, in the transaction of its first change.
    pub(crate) fn note(self, connection: &Connection) -> Result<()> {
        connection
            .execute(
                "INSERT OR REPLACE INTO opening (first, number) VALUES (?1, ?2)",
                (signed(self.first), self.number),
            )
            .or_fault()?;
        connection
            .execute(
                "DELETE FROM opening WHERE first < (SELECT first FROM opening ORDER BY first DESC LIMIT 1 OFFSET ?1)",
                [OPENINGS],
            )
            .or_fault()
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn cursors() -> (Connection, Cursors) {
        let connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&connection, 0).unwrap();
        let cursors = Cursors::open(&connection).unwrap();
        (connection, cursors)
    }

    #[test]
    fn a_cursor_tells_nothing_and_comes_back() {
        let (connection, cursors) = cursors();
        let again = Cursors { openings: cursors.openings.clone(), ..Cursors::open(&connection).unwrap() };
        let mut seen = HashSet::new();
        for after in [0, 1, 1, 2, 1 << 40] {
            let cursor = cursors.seal(after);
            assert_eq!(again.unseal(&cursor, 1 << 41).unwrap(), after);
            let (left, right) = cursor.halves();
            assert!(seen.insert(left >> 32) && seen.insert(right >> 32), "not even halves of it are alike");
        }
    }

    #[test]
    fn what_was_not_made_here_is_refused() {
        let (_, one) = cursors();
        let (_, other) = cursors();
        assert!(other.unseal(&one.seal(1), 9).is_err());
        assert!(one.unseal(&one.seal(10), 9).is_err(), "behind the head");
        let (left, right) = one.seal(1).halves();
        assert!(one.unseal(&Cursor::new(left ^ 1, right), 9).is_err());
        assert!(one.unseal(&Cursor::new(0, 0), 9).is_err());
    }

    #[test]
    fn openings_are_few() {
        let (connection, cursors) = cursors();
        for first in 1..=5_000 {
            Opening { first, number: 7 }.note(&connection).unwrap();
        }
        let count = queries::number(&connection, "SELECT count(*) FROM opening", []).unwrap();
        assert_eq!(count, u64::from(OPENINGS) + 1);
        drop(cursors);
    }
}
