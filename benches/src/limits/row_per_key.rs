//! Documents without merging: a row for each key, and nothing around it.

use rusqlite::{Connection, params};

use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// How many keys a document has.
pub(crate) const KEYS: usize = 50;

/// How many documents are written to in turn.
pub(crate) const DOCUMENTS: usize = 100;

/// The same keys and values in both programs.
pub(crate) fn key(number: usize) -> String {
    format!("key{number:05}")
}

pub(crate) fn value(number: usize) -> String {
    format!("value{number}")
}

/// Which document and which of its keys is written next: all keys of all documents come in turn.
pub(crate) fn turn(written: usize) -> (usize, String) {
    (written % DOCUMENTS, key((written + written / DOCUMENTS) * 7 % KEYS))
}

/// One key's row, updated in a transaction of its own, durably; in the documents in turn.
pub(crate) fn row_update(trial: &Trial) -> Result<Vec<Measurement>> {
    let connection = Connection::open(trial.folder.join("limit.db"))?;
    connection.execute_batch(super::rows::SETTINGS)?;
    connection.execute_batch(
        "CREATE TABLE item (document INTEGER NOT NULL, key TEXT NOT NULL, value TEXT, PRIMARY KEY (document, key))",
    )?;
    let transaction = connection.unchecked_transaction()?;
    let mut add = connection.prepare("INSERT INTO item VALUES (?1, ?2, ?3)")?;
    for document in 0..DOCUMENTS {
        for at in 0..KEYS {
            add.execute(params![document as i64, key(at), value(at)])?;
        }
    }
    transaction.commit()?;
    let mut update = connection.prepare("UPDATE item SET value = ?3 WHERE document = ?1 AND key = ?2")?;
    let mut written = 0;
    let rate = trial.rate(|| {
        let (document, name) = turn(written);
        if update.execute(params![document as i64, name, format!("new{written}")])? != 1 {
            return Err("there is no such row".into());
        }
        written += 1;
        Ok(1)
    })?;
    Ok(vec![Measurement::new("limit_row_update", Unit::Microseconds, 1e6 / rate)])
}
