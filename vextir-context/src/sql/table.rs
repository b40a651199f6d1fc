//! Our tables, as SQLite asks for them.
//!
//! The traits are `unsafe` because SQLite casts pointers to the first field of what implements them: each is
//! `#[repr(C)]` and begins with the part that belongs to SQLite. That is all there is to keep; no block here is unsafe.
#![expect(unsafe_code, reason = "rusqlite's table traits are `unsafe` to implement")]

use super::events::{EVENTS, Events, of_event};
use super::graph::{ENTITIES, Found, Graph, LINKS};
use super::plan::{Wanted, choose, wanted};
use super::reading::Reading;
use super::rows::{DOCUMENTS, FOLDERS, HISTORY, Step, of_document, of_folder, of_step, step_after};
use super::run::{Run, Serving};
use super::walk::{Item, Walk};
use rusqlite::types::Value;
use rusqlite::vtab::{
    Context, Filters, IndexInfo, Module, VTab, VTabConnection, VTabCursor, sqlite3_vtab, sqlite3_vtab_cursor,
};
use rusqlite::{Connection, Result};
use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_int};
use std::sync::Arc;
use vextir_core::Event;

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Documents,
    Folders,
    History,
    Events,
    Links,
    Entities,
}

/// The tables of a query: name, columns, and what tells its rows apart. Another kind of rows is one more line here.
pub(super) const TABLES: [(&str, Which, &[&str], &str); 6] = [
    ("documents", Which::Documents, DOCUMENTS, "id"),
    ("folders", Which::Folders, FOLDERS, "id"),
    ("history", Which::History, HISTORY, "id, number"),
    ("events", Which::Events, EVENTS, "id"),
    ("links", Which::Links, LINKS, "id, valid_from, episode, known_from"),
    ("entities", Which::Entities, ENTITIES, "id"),
];

/// Makes the tables known to a connection. They have no row numbers: those would tell how much others
/// have.
pub(super) fn register(connection: &Connection, serving: &Arc<Serving>) -> Result<()> {
    const MODULE: Module<'_, Table> = Module::eponymous_only_module().without_rowid();
    for (name, which, ..) in TABLES {
        connection.create_module(name, &MODULE, Some((serving.clone(), which)))?;
        // SQLite makes the table when it first meets its name, which the authorizer would refuse later.
        connection.prepare(&format!("SELECT 1 FROM {name}"))?;
    }
    Ok(())
}

#[repr(C)]
struct Table {
    /// SQLite's.
    base: sqlite3_vtab,
    serving: Arc<Serving>,
    which: Which,
    columns: &'static [&'static str],
}

unsafe impl VTab<'_> for Table {
    type Aux = (Arc<Serving>, Which);
    type Cursor = Cursor;

    fn connect(
        _: &mut VTabConnection,
        aux: Option<&Self::Aux>,
        _: &[u8],
        _: &[u8],
        _: &[u8],
        _: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        let unknown = || rusqlite::Error::ModuleError("no such table".to_owned());
        let (serving, which) = aux.ok_or_else(unknown)?;
        let (_, _, columns, key) = TABLES.iter().find(|table| table.1 == *which).ok_or_else(unknown)?;
        let typed: Vec<String> =
            columns.iter().map(|column| format!("{column} {}", affinity(column))).collect();
        let sql = format!("CREATE TABLE x ({}, PRIMARY KEY ({key})) WITHOUT ROWID", typed.join(", "));
        let sql = CString::new(sql).map_err(|_| unknown())?;
        let table = Self { base: sqlite3_vtab::default(), serving: serving.clone(), which: *which, columns };
        Ok((sql.into(), table))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let column = |name: &str| {
            let index = self.columns.iter().position(|column| *column == name);
            index.and_then(|index| i32::try_from(index).ok())
        };
        choose(info, column("id").unwrap_or(-1), column("path"));
        Ok(true)
    }

    fn open(&mut self) -> Result<Cursor> {
        Ok(Cursor {
            base: sqlite3_vtab_cursor::default(),
            serving: self.serving.clone(),
            which: self.which,
            columns: self.columns,
            scan: None,
            row: None,
        })
    }
}

fn affinity(column: &str) -> &'static str {
    match column {
        "version" | "number" | "depth" => "INTEGER",
        "vector_embedding" => "BLOB",
        _ => "TEXT",
    }
}

/// Where rows come from.
enum Source {
    Documents(Walk, Reading),
    Folders(Walk),
    Steps(Walk, Option<Item>),
    Events(Events),
    Graph(Box<RefCell<Graph>>),
}

/// What a cursor stands on.
enum Row {
    Item(Item),
    Step(Item, Step),
    Event(Box<Event>),
    Found(Found),
}

#[repr(C)]
struct Cursor {
    /// SQLite's.
    base: sqlite3_vtab_cursor,
    serving: Arc<Serving>,
    which: Which,
    columns: &'static [&'static str],
    /// For whom it goes through what: looked up each time that it begins.
    scan: Option<(Arc<Run>, Source)>,
    row: Option<Row>,
}

impl Cursor {
    fn begin(&self, run: &Arc<Run>, wanted: &Wanted) -> Result<Source> {
        let actor = &run.actor;
        run.read(|hub| match self.which {
            Which::Events => Events::begin(hub, actor, wanted).map(Source::Events),
            Which::Links | Which::Entities => {
                let graph = Graph::begin(hub, run, self.which == Which::Links)?;
                Ok(Source::Graph(Box::new(RefCell::new(graph))))
            }
            Which::History => Walk::begin(hub, actor, wanted).map(|walk| Source::Steps(walk, None)),
            Which::Documents => Walk::begin(hub, actor, wanted)
                .map(|walk| Source::Documents(walk, Reading::of(wanted.columns, &run.readings))),
            Which::Folders => Walk::begin(hub, actor, wanted).map(Source::Folders),
        })
    }

    fn advance(&mut self) -> Result<()> {
        let before = self.row.take();
        let Some((run, source)) = &mut self.scan else { return Ok(()) };
        let is_over = || run.check();
        self.row = run.read(|hub| match source {
            Source::Events(events) => {
                Ok(events.next(hub, &is_over)?.map(|event| Row::Event(Box::new(event))))
            }
            Source::Graph(graph) => Ok(graph.get_mut().next(hub)?.map(Row::Found)),
            Source::Documents(walk, reading) => Ok(reading.next(hub, walk, &is_over)?.map(Row::Item)),
            Source::Folders(walk) => {
                while let Some(item) = walk.next(hub, &is_over)? {
                    if !item.is_document {
                        return Ok(Some(Row::Item(item)));
                    }
                }
                Ok(None)
            }
            Source::Steps(walk, current) => {
                let last = match &before {
                    Some(Row::Step(_, step)) => Some(step),
                    _ => None,
                };
                if let Some(item) = current
                    && let Some(step) = step_after(hub, item, last)?
                {
                    return Ok(Some(Row::Step(item.clone(), step)));
                }
                while let Some(item) = walk.next(hub, &is_over)? {
                    *current = Some(item.clone());
                    if let Some(step) = step_after(hub, &item, None)? {
                        return Ok(Some(Row::Step(item, step)));
                    }
                }
                Ok(None)
            }
        })?;
        Ok(())
    }
}

unsafe impl VTabCursor for Cursor {
    fn filter(&mut self, columns: c_int, plan: Option<&str>, values: &Filters<'_>) -> Result<()> {
        // What it was at before is let go of first, and does not count any more.
        (self.row, self.scan) = (None, None);
        let run = self.serving.run()?;
        let source = self.begin(&run, &wanted(columns, plan.unwrap_or_default(), values))?;
        self.scan = Some((run, source));
        self.advance()
    }

    fn next(&mut self) -> Result<()> {
        self.advance()
    }

    fn eof(&self) -> bool {
        self.row.is_none()
    }

    fn column(&self, context: &mut Context, index: c_int) -> Result<()> {
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        let (Some((run, source)), Some(row), Some(name)) = (&self.scan, &self.row, self.columns.get(place))
        else {
            return context.set_result(Value::Null);
        };
        if let (Row::Item(item), Which::Documents) = (row, self.which)
            && let Some((_, known)) = item.ahead.iter().find(|(column, _)| *column == place)
        {
            return context.set_result(known);
        }
        let value = run.read(|hub| match row {
            Row::Item(item) if item.is_document => of_document(hub, item, name),
            Row::Item(item) => of_folder(hub, item, name),
            Row::Step(item, step) => of_step(hub, item, step, name),
            Row::Event(event) => of_event(event, name),
            Row::Found(found) => match source {
                Source::Graph(graph) => graph.borrow_mut().column(hub, found, name),
                _ => Ok(Value::Null),
            },
        })?;
        context.set_result(value)
    }

    fn rowid(&self) -> Result<i64> {
        Err(rusqlite::Error::ModuleError("there are no row numbers".to_owned()))
    }
}
