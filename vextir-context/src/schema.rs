//! The tables of a hub's file, and how older files become newer ones.

use crate::fault::OrFault;
use rusqlite::Connection;
use vextir_core::Result;

/// Marks the file as a hub's: "VXTR".
pub(crate) const APPLICATION_ID: i32 = 0x5658_5452;

/// From version 0 to 1, from 1 to 2, and so on; each step runs in one transaction with its version number.
const STEPS: &[&str] = &[
    include_str!("schema/1_log.sql"),
    include_str!("schema/2_documents.sql"),
    include_str!("schema/3_unclaimed.sql"),
    include_str!("schema/4_places.sql"),
    include_str!("schema/5_search.sql"),
    include_str!("schema/6_keeping.sql"),
    include_str!("schema/7_sync.sql"),
    include_str!("schema/8_graph.sql"),
    include_str!("schema/9_refused.sql"),
    include_str!("schema/10_approved.sql"),
    include_str!("schema/11_reserve.sql"),
    include_str!("schema/12_outbox.sql"),
    include_str!("schema/13_squeezed.sql"),
    include_str!("schema/14_agreed.sql"),
    include_str!("schema/15_branch.sql"),
    include_str!("schema/16_holds.sql"),
];

/// The version that this code reads and writes.
pub(crate) const VERSION: i32 = STEPS.len() as i32;

/// What the first version made.
#[cfg(test)]
pub(crate) const FIRST: &str = STEPS[0];

/// Columns of an event, in the order in which `encode` writes and `decode` reads them.
pub(crate) const EVENT_COLUMNS: &str = "id, type, category, time, user, source, cause, root, depth, \
     ordering_key, deliver_at, priority, labels, metadata, branch, data";

/// Brings a file from `version` to [`VERSION`]; all of it or nothing.
pub(crate) fn migrate(connection: &Connection, version: i32) -> Result<()> {
    let done = usize::try_from(version).unwrap_or(0);
    if done >= STEPS.len() {
        return Ok(());
    }
    // A new file is made in one commit: on its own, the pragma would leave one that is nobody's.
    let begin = if done == 0 { "BEGIN; PRAGMA auto_vacuum = INCREMENTAL;" } else { "BEGIN IMMEDIATE;" };
    let mut script = String::from(begin);
    for step in &STEPS[done..] {
        script.push_str(step);
    }
    script.push_str(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
    ));
    connection.execute_batch(&script).or_fault().inspect_err(|_| {
        if !connection.is_autocommit() {
            // The migration has failed already; the file is as it was.
            let _ = connection.execute_batch("ROLLBACK");
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(connection: &Connection) -> Vec<String> {
        let mut statement = connection
            .prepare("SELECT type || name || coalesce(sql, '') FROM sqlite_schema ORDER BY 1")
            .unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(|row| row.unwrap()).collect()
    }

    #[test]
    fn a_file_of_the_first_version_becomes_a_new_one_and_keeps_its_rows() {
        let old = Connection::open_in_memory().unwrap();
        old.execute_batch(&format!("{FIRST} PRAGMA user_version = 1; INSERT INTO meta VALUES ('head', 7);"))
            .unwrap();
        migrate(&old, 1).unwrap();
        let new = Connection::open_in_memory().unwrap();
        migrate(&new, 0).unwrap();
        assert_eq!(tables(&old), tables(&new));
        let number = |sql: &str| -> rusqlite::Result<i32> { old.query_row(sql, [], |row| row.get(0)) };
        assert_eq!(number("SELECT value FROM meta WHERE name = 'head'"), Ok(7));
        assert_eq!(number("PRAGMA user_version"), Ok(VERSION));
        migrate(&old, VERSION).unwrap();
        assert!(migrate(&old, 1).is_err(), "a step that fails leaves the file as it is");
        assert_eq!(tables(&old), tables(&new));
    }

    #[test]
    fn what_replicas_agree_on_now_is_taken_from_what_was_there() {
        let old = Connection::open_in_memory().unwrap();
        old.execute_batch(&STEPS[..9].concat()).unwrap();
        old.execute_batch(
            "PRAGMA user_version = 9;
             INSERT INTO node (id, uid, kind, parent, name, created, updated, clock) VALUES (7, x'07', 1, 0, 'f', 0, 0, 5);
             INSERT INTO keeping (node, versions, removed) VALUES (7, 60, NULL);
             INSERT INTO replica (number, id, first) VALUES (2, x'02', 3), (3, x'03', NULL);
             INSERT INTO episode (id, uid, owner, source, key, kind, at, known) VALUES (1, x'01', 'ann', 's', 'k', 'mail', 1, 2);
             INSERT INTO episode (uid, owner, source, key, kind, at, known, removed) VALUES (x'02', 'ann', '', '', '', 0, 3, 4);
             INSERT INTO episode (id, uid, owner, source, key, kind, at, known) VALUES (5, x'03', 'ann', 's', 'l', 'mail', 1, 2);
             INSERT INTO statement (link, valid_from, episode, known_from, known_until)
             VALUES (1, 1, 5, 2, 9), (2, 1, 5, 2, NULL), (3, 1, 5, 6, NULL);",
        )
        .unwrap();
        migrate(&old, 9).unwrap();
        let text = |sql: &str| -> String { old.query_row(sql, [], |row| row.get(0)).unwrap() };
        let said = "SELECT topic || clock || replica || value FROM fact WHERE node = 7";
        assert_eq!(text(said), "k52{\"say\":\"keep\",\"versions\":60,\"removed\":null,\"over\":[]}");
        let told = "SELECT group_concat(told || ':' || coalesce(forgot, '-'), ' ') FROM episode";
        assert_eq!(text(told), "2:- 3:4 9:-");
        let again = "SELECT group_concat(link || ':' || again, ' ') FROM statement";
        assert_eq!(text(again), "1:0 2:9 3:9");
    }
}
