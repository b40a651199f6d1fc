//! The limits repeat the hub's statements by hand. Here both are compared by the rows that they leave.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;
use vextir::{Category, Event, Processor};

use super::answerer::{Answer, Answerer, Ask};
use crate::Result;
use crate::limits::rows::{self, Rows};
use crate::trial::Trial;

/// How many rows of a table have such types in their columns, by table and types.
type Content = BTreeMap<(String, String), i64>;

/// How far events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Nobody handles them.
    Unhandled,
    /// Their deliveries wait.
    Waiting,
    /// They are answered.
    Answered,
}

#[test]
fn the_limits_write_what_the_hub_writes() -> Result<()> {
    for way in [Way::Unhandled, Way::Waiting, Way::Answered] {
        let ours = more(by_hub(way, 0)?, by_hub(way, 20)?);
        assert!(ours.values().any(|rows| *rows >= 20), "{way:?}: {ours:?}");
        assert_eq!(more(by_limit(way, 0)?, by_limit(way, 20)?), ours, "{way:?}");
    }
    Ok(())
}

fn by_hub(way: Way, events: usize) -> Result<Content> {
    let folder = TempDir::new()?;
    let trial = Trial { folder: folder.path().to_owned(), quick: true };
    super::block_on(async {
        let builder = Processor::builder(super::open(&trial)?).driver(Answerer::new(1));
        let app = if way == Way::Waiting { builder.paused() } else { builder }.start().await?;
        for _ in 0..events {
            match way {
                Way::Unhandled => {
                    let data = Event::of(&Ask::new())?.data.clone();
                    app.emit(Event::new("bench.fact").with_category(Category::Input).with_data(data)).await?;
                }
                Way::Waiting => _ = app.emit(Ask::new()).await?,
                Way::Answered => _ = app.request::<Answer>(Ask::new()).await?,
            }
        }
        Ok(app.shutdown().await?)
    })?;
    content(&folder.path().join("vextir.db"))
}

fn by_limit(way: Way, events: usize) -> Result<Content> {
    let folder = TempDir::new()?;
    let connection = rows::open(folder.path())?;
    let mut rows = Rows::prepare(&connection)?;
    for _ in 0..events {
        rows.begin()?;
        match way {
            Way::Unhandled => rows.emit()?,
            Way::Waiting => _ = rows.emit_to_driver()?,
            Way::Answered => {
                let open = rows.emit_to_driver()?;
                rows.settle(open)?;
            }
        }
    }
    content(&folder.path().join("limit.db"))
}

fn content(file: &Path) -> Result<Content> {
    let connection = Connection::open(file)?;
    // What is in `meta` changes in its own time, and is none of an event's rows.
    let mut tables = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' AND name <> 'meta'",
    )?;
    let mut content = Content::new();
    for table in tables.query_map([], |row| row.get::<_, String>(0))? {
        let table = table?;
        let mut columns = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let types = columns
            .query_map([&table], |row| Ok(format!("typeof(\"{}\")", row.get::<_, String>(0)?)))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let sql = format!("SELECT {}, count(*) FROM \"{table}\" GROUP BY 1", types.join(" || ' ' || "));
        let mut kinds = connection.prepare(&sql)?;
        for kind in kinds.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
            let (types, rows) = kind?;
            content.insert((table.clone(), types), rows);
        }
    }
    Ok(content)
}

/// What was added to the one in the other.
fn more(before: Content, mut after: Content) -> Content {
    for (kind, rows) in before {
        *after.entry(kind).or_default() -= rows;
    }
    after.retain(|_, rows| *rows != 0);
    after
}
