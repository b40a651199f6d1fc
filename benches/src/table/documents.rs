//! The rows about documents, and about SQL over them.

use super::{Figure, Row, Wants};
use crate::programs::Program;

/// The program whose file takes minutes to make: its rows are measured only when they are asked for by their name.
pub(super) const MILLION: (&str, &str) = ("million_documents", "1,000,000 documents");

/// What a document of 50 keys takes in cr-sqlite's layout of a row for each key, in bytes, as was measured when the bounds were set.
const CR_SQLITE: f64 = 5_257.0;

fn of(program: &'static str, name: &'static str) -> Figure {
    Figure { program: Program::Child(program), name: Some(name) }
}

/// Less is better, in all of them.
fn less(name: &'static str, ours: Figure, against: Option<(&'static str, Figure)>) -> Row {
    Row { name, ours, against, wants: Wants::Less, floor: None, goal: None }
}

/// Ours beside rows without merging and beside yrs alone.
pub(super) fn documents() -> Vec<Row> {
    let only = |program| Figure { program: Program::Child(program), name: None };
    let trace = |name, ours, limit| less(name, only(ours), Some(("raw yrs", only(limit))));
    vec![
        less(
            "documents, a key of 50",
            only("documents_write"),
            Some(("plain row update", only("limit_row_update"))),
        )
        .reach(3.0, 2.0),
        less("documents, 50 keys stored", of("documents_storage", "rows"), None)
            .reach(0.5 * CR_SQLITE, 0.4 * CR_SQLITE),
        less("documents, 50 keys in pages", of("documents_storage", "pages"), None)
            .reach(0.5 * CR_SQLITE, 0.4 * CR_SQLITE),
        less("documents, an operation logged", of("documents_storage", "operation"), None)
            .reach(400.0, 250.0),
        trace("documents, editing trace", "documents_trace", "limit_yrs_trace").reach(1.3, 1.0),
        trace("documents, editing trace, stored", "documents_trace_stored", "limit_yrs_trace_stored")
            .reach(1.3, 1.0),
        less("documents, 100 KB rewritten", of("documents_rewrite", "rewrite"), None).reach(20.0, 10.0),
        less("documents, 100 KB all new", of("documents_rewrite", "rewrite_whole"), None).reach(20.0, 10.0),
        trace("documents, cold open and read", "documents_reopen", "limit_yrs_reopen").reach(3.0, 1.0),
        less("documents, watch after commit, p99", only("documents_watch"), None).reach(5.0, 1.0),
    ]
}

/// Ours beside views without any protection.
pub(super) fn sql() -> Vec<Row> {
    let view = |name, ours, view| less(name, of("sql", ours), Some(("view", of("sql", view))));
    vec![
        view("sql, a point", "point", "point_view").reach(1.0, 0.8),
        view("sql, the spec's query", "query", "query_view").reach(1.0, 0.5),
        view("sql, a scan", "scan", "scan_view").reach(1.5, 1.0),
    ]
}

/// What a million documents change.
pub(super) fn million() -> Vec<Row> {
    let of = |name| of(MILLION.0, name);
    vec![
        less("1,000,000 documents, opening", of("million_open"), None).reach(100.0, 50.0),
        less("1,000,000 documents, resident", of("million_resident"), None).reach(200.0, 100.0),
        less("1,000,000 documents, emit beside a root grant", of("million_stall"), None).reach(5.0, 2.0),
        less("1,000,000 documents, emit without one", of("million_calm"), None).reach(5.0, 2.0),
    ]
}
