//! Our own side of the table. Each function is one workload; a process runs one of them, once.
//!
//! All durable ones use `Hub::open` in the trial's folder with its defaults (WAL, `synchronous = FULL`) on a runtime
//! with as many threads as the machine has cores, and nothing is switched off: checks, leases and audit are on.

pub(crate) mod agent;
mod answerer;
pub(crate) mod documents;
mod drain;
mod emit;
mod event_loop;
mod graph;
mod latency;
mod lifetime;
mod plan;
mod route;
mod schedule;
mod search;
mod sql;

pub(crate) use drain::drain;
pub(crate) use emit::durable_emit;
pub(crate) use event_loop::{durable_loop, memory_loop};
pub(crate) use graph::graph;
pub(crate) use latency::latency;
pub(crate) use lifetime::{idle, million};
pub(crate) use plan::{fan_out, plans, reading};
pub(crate) use route::route;
pub(crate) use schedule::{armed, due_at_once};
pub(crate) use search::{search, search_write};
pub(crate) use sql::sql;

use std::future::Future;

use vextir::Hub;

use crate::Result;
use crate::trial::Trial;

/// Runs a workload on a runtime of its own.
fn block_on<T>(workload: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(workload)
}

/// A hub with its defaults.
fn open(trial: &Trial) -> Result<Hub> {
    Ok(Hub::open(trial.folder.join("vextir.db"))?)
}

#[cfg(test)]
mod tests;
