//! Cursors of watches: bound to the opening of the hub that made the change at which they stand, so that a restored
//! backup does not take one for a place of its own.

use crate::fault::OrFault;
use crate::queries::{self, signed};
use rusqlite::Connection;
use vextir_core::{Cursor, Error, Result, Sequence};

/// How many openings a file knows. A cursor that is older than all of them is refused.
const OPENINGS: u32 = 4_096;

/// Seals and opens the cursors of one hub.
#[derive(Debug)]
pub(crate) struct Cursors {
    incarnation: u64,
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
    pub(crate) fn open(connection: &Connection, incarnation: u64) -> Result<Self> {
        let mut openings: Vec<(Sequence, u32)> = connection
            .prepare("SELECT first, number FROM opening ORDER BY first")
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?));
                statement.query_map([], read)?.collect()
            })
            .or_fault()?;
        let head = queries::last_change(connection)?;
        openings.push((head + 1, fastrand::u32(1..)));
        Ok(Self { incarnation, openings })
    }

    /// The present opening.
    pub(crate) fn opening(&self) -> Option<Opening> {
        self.openings.last().map(|(first, number)| Opening { first: *first, number: *number })
    }

    /// The place after a change.
    pub(crate) fn seal(&self, after: Sequence) -> Cursor {
        Cursor::new(self.incarnation_of(self.number_of(after)), after)
    }

    /// The place of a cursor, in a log that ends with `head`.
    ///
    /// # Errors
    /// `Invalid`: it was not made here.
    pub(crate) fn unseal(&self, cursor: &Cursor, head: Sequence) -> Result<Sequence> {
        let mut numbers = self.openings.iter().rev().map(|(_, number)| *number).chain([0]);
        let place = |number| Some((number, cursor.within(self.incarnation_of(number)).ok()?));
        match numbers.find_map(place) {
            Some((number, after)) if after <= head && number == self.number_of(after) => Ok(after),
            _ => Err(Error::invalid(
                "the cursor is of another store, or of changes that this one does not have (was a backup restored?); \
                 read the documents anew, and watch from now on",
            )),
        }
    }

    /// Under what the cursors of an opening are sealed. They are none of the log's.
    fn incarnation_of(&self, number: u32) -> u64 {
        self.incarnation.rotate_left(32) ^ (u64::from(number) << 32 | 0x5658_5452)
    }

    /// The opening that made a change; 0 for one that is not known.
    fn number_of(&self, change: Sequence) -> u32 {
        let later = self.openings.partition_point(|(first, _)| *first <= change);
        later.checked_sub(1).map_or(0, |at| self.openings[at].1)
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

    fn cursors() -> (Connection, Cursors) {
        let connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&connection, 0).unwrap();
        let cursors = Cursors::open(&connection, 7).unwrap();
        (connection, cursors)
    }

    #[test]
    fn a_cursor_comes_back_and_others_are_refused() {
        let (connection, cursors) = cursors();
        let again = Cursors { openings: cursors.openings.clone(), ..Cursors::open(&connection, 7).unwrap() };
        for after in [0, 1, 1 << 40] {
            assert_eq!(again.unseal(&cursors.seal(after), 1 << 41).unwrap(), after);
        }
        let other = Cursors::open(&connection, 7).unwrap();
        assert!(other.unseal(&cursors.seal(1), 9).is_err(), "of an opening that the file does not know");
        assert!(cursors.unseal(&cursors.seal(10), 9).is_err(), "behind the head");
        assert!(cursors.unseal(&Cursor::new(7, 1), 9).is_err(), "of the log of events");
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
