use super::*;
use crate::schema::{APPLICATION_ID, FIRST};
use std::fs;

const PLAIN: Tuning = Tuning { durability: crate::writer::Durability::Full, max_bytes: None };

/// The files of a process that dies while the tables are made, at a moment when some pages have reached the
/// disk: a copy of what is there before the commit.
#[test]
fn who_dies_while_the_tables_are_made_leaves_a_file_that_opens() {
    let folder = tempfile::tempdir().unwrap();
    let (dying, left) = (folder.path().join("dying.db"), folder.path().join("left.db"));
    let connection = Connection::open(&dying).unwrap();
    connection
        .execute_batch(
            "PRAGMA cache_size = 1; BEGIN IMMEDIATE; CREATE TABLE t (x);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
             INSERT INTO t SELECT randomblob(4000) FROM n;",
        )
        .unwrap();
    for ending in ["", "-journal"] {
        assert!(fs::copy(beside(&dying, ending), beside(&left, ending)).unwrap() > 0, "{ending:?}");
    }
    for _ in 0..2 {
        let connection = open(&left, PLAIN).unwrap();
        let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(version, VERSION);
    }
}

#[test]
fn a_new_file_is_made_in_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    let mut connection = Connection::open(&path).unwrap();
    let commits = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = commits.clone();
    let hook = move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        false
    };
    connection.commit_hook(Some(hook)).unwrap();
    make(&connection).unwrap();
    assert_eq!(commits.load(std::sync::atomic::Ordering::Relaxed), 1);
    let pragma =
        |name| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0)).unwrap();
    assert_eq!(["auto_vacuum", "page_size", "user_version"].map(pragma), [2, 4096, VERSION]);
}

#[test]
fn a_file_of_the_first_version_opens_as_one_of_this() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(&format!(
        "PRAGMA auto_vacuum = INCREMENTAL; {FIRST} INSERT INTO meta VALUES ('head', 7);
         PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;"
    ))
    .unwrap();
    old.close().unwrap();
    for _ in 0..2 {
        let new = open(&path, PLAIN).unwrap();
        let number = |sql: &str| new.query_row(sql, [], |row| row.get::<_, i32>(0)).unwrap();
        assert_eq!(number("PRAGMA user_version"), VERSION);
        assert_eq!(number("SELECT value FROM meta WHERE name = 'head'"), 7);
        assert_eq!(number("SELECT count(*) FROM node"), 0);
    }
}
