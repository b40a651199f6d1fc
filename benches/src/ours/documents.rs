//! Documents: what a write costs, what the current state takes, how texts are edited and opened, how soon a watch
//! tells, and what a million of them change.

mod editing;
mod million;
mod reopening;
mod rewriting;
mod storage;
mod watching;
mod writing;

pub(crate) use editing::{editing, editing_stored};
pub(crate) use million::{million_documents, million_filled};
pub(crate) use reopening::reopening;
pub(crate) use rewriting::rewriting;
pub(crate) use storage::storage;
pub(crate) use watching::watching;
pub(crate) use writing::writing;

use serde_json::{Map, Value};
use vextir::{Hub, SearchOptions};

use crate::Result;
use crate::limits::row_per_key::{KEYS, key, value};
use crate::trial::Trial;

/// A hub with its defaults, but for the search index.
fn open(trial: &Trial) -> Result<Hub> {
    let path = trial.folder.join("vextir.db");
    Ok(Hub::builder(path).search(SearchOptions::off()).open()?)
}

/// A document of 50 keys.
fn fifty_keys() -> Value {
    Value::Object((0..KEYS).map(|at| (key(at), Value::from(value(at)))).collect::<Map<_, _>>())
}
