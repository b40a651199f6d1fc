//! SQL as a user asks it, beside the same questions to views without any protection over the same file.

use std::hint::black_box;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use vextir::context::{Actor, Change, Intent};
use vextir::{Context, ContextStore, Hub, QueryLimits, SearchOptions};

use super::search::corpus::Corpus;
use crate::Result;
use crate::limits::open_views;
use crate::measurement::{Measurement, Unit};
use crate::resources::cpu_milliseconds;
use crate::trial::Trial;

/// How many folders the documents lie in.
const FOLDERS: usize = 100;

/// The specification's query: one in a hundred is of high priority.
const SPEC: &str = "SELECT path, content FROM documents
    WHERE path LIKE '/Projects/%' AND json_extract(metadata, '$.priority') = 'high'";

const SCAN: &str = "SELECT count(*) AS n, sum(length(content)) AS length FROM documents";

/// 100,000 JSON documents below one folder. A point is a document by its `id`, the query is the specification's, and the scan
/// reads each content. From the call of `query` until its rows are there as JSON, in processor time of all threads: another program on the
/// machine changes little in it. Medians, ours and the view's by turns.
pub(crate) fn sql(trial: &Trial) -> Result<Vec<Measurement>> {
    let documents = if trial.quick { 2_000 } else { 100_000 };
    let trial = trial.clone();
    super::block_on(async move {
        let path = trial.folder.join("vextir.db");
        // A slow machine gets a figure too.
        let limits = QueryLimits::default().with_deadline(Duration::from_secs(60));
        let hub = Hub::builder(&path).search(SearchOptions::off()).query_limits(limits).open()?;
        fill(&hub, documents).await?;
        let (ann, view) = (hub.context("ann"), open_views(&path)?);
        let mut figures = points(&ann, &view, if trial.quick { 50 } else { 1_000 }, documents).await?;
        let times = if trial.quick { 3 } else { 9 };
        figures.extend(compared(("query", SPEC), &ann, &view, times).await?);
        figures.extend(compared(("scan", SCAN), &ann, &view, times).await?);
        hub.close().await?;
        Ok(figures)
    })
}

async fn fill(hub: &Hub, documents: usize) -> Result<()> {
    let (ann, corpus) = (Actor::user("ann"), Corpus::new());
    let write = |number: usize| {
        let path = format!("/Projects/p{}/d{number}", number % FOLDERS);
        let content = json!({ "title": format!("Document {number}"), "text": corpus.text(number) });
        let priority = if number.is_multiple_of(100) { "high" } else { "low" };
        let mut change = Change::new(path, Intent::Write(content.into()));
        change.metadata = Some(json!({ "priority": priority, "number": number }));
        change
    };
    for first in (0..documents).step_by(500) {
        hub.change(&ann, (first..(first + 500).min(documents)).map(write).collect()).await?;
    }
    Ok(())
}

/// One document by its number.
async fn points(
    ann: &Context,
    view: &Connection,
    times: usize,
    documents: usize,
) -> Result<Vec<Measurement>> {
    let mut one = view.prepare("SELECT path, content FROM document_by_id WHERE uid = ?1")?;
    let mut uids = view.prepare("SELECT uid FROM node WHERE kind = 2 ORDER BY id LIMIT 1 OFFSET ?1")?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..times {
        let uid: Vec<u8> = uids.query_row([(round * 7_919 % documents) as i64], |row| row.get(0))?;
        let id: String = uid.iter().map(|byte| format!("{byte:02x}")).collect();
        let began = cpu_milliseconds();
        let found =
            ann.query("SELECT path, content FROM documents WHERE id = ?1").params([id.as_str()]).await?;
        ours.push((cpu_milliseconds() - began) * 1e3);
        let began = cpu_milliseconds();
        let raw = rows(&mut one, &[&uid])?;
        theirs.push((cpu_milliseconds() - began) * 1e3);
        if found != raw || raw.len() != 1 {
            return Err(format!("{found:?} and {raw:?}").into());
        }
    }
    Ok(vec![
        Measurement::middle("point", Unit::Microseconds, &ours)?,
        Measurement::middle("point_view", Unit::Microseconds, &theirs)?,
    ])
}

/// One statement, the same in both.
async fn compared(
    (name, statement): (&str, &str),
    ann: &Context,
    view: &Connection,
    times: usize,
) -> Result<Vec<Measurement>> {
    let mut raw = view.prepare(statement)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let began = cpu_milliseconds();
        let found = ann.query(statement).await?;
        ours.push((cpu_milliseconds() - began) * 1e3);
        let began = cpu_milliseconds();
        let expected = rows(&mut raw, &[])?;
        theirs.push((cpu_milliseconds() - began) * 1e3);
        let sorted = |rows: &[Value]| {
            let mut texts: Vec<String> = rows.iter().map(Value::to_string).collect();
            texts.sort_unstable();
            texts
        };
        if found.is_empty() || sorted(&found) != sorted(&expected) {
            return Err(format!("{name}: {} rows, and the view has {}", found.len(), expected.len()).into());
        }
        black_box(found);
    }
    Ok(vec![
        Measurement::middle(name, Unit::Microseconds, &ours)?,
        Measurement::middle(&format!("{name}_view"), Unit::Microseconds, &theirs)?,
    ])
}

/// The rows of a statement as JSON objects, as ours come.
fn rows(statement: &mut rusqlite::Statement<'_>, parameters: &[&dyn rusqlite::ToSql]) -> Result<Vec<Value>> {
    let names: Vec<String> = statement.column_names().map(String::from).collect();
    let mut rows = statement.query(parameters)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let mut object = serde_json::Map::new();
        for (index, name) in names.iter().enumerate() {
            let value = match row.get_ref(index)? {
                rusqlite::types::ValueRef::Integer(number) => number.into(),
                other => other.as_str()?.into(),
            };
            object.insert(name.clone(), value);
        }
        all.push(Value::Object(object));
    }
    Ok(all)
}
