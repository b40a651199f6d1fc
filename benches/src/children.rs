//! The workloads that this program runs itself, one per process, by name.

use crate::measurement::Measurement;
use crate::trial::Trial;
use crate::{Result, limits, ours};

type Workload = fn(&Trial) -> Result<Vec<Measurement>>;

const WORKLOADS: &[(&str, Workload)] = &[
    ("limit_loop", limits::event_loop),
    ("limit_emit_batch", limits::emit_in_batches),
    ("limit_emit_single", limits::emit_one_by_one),
    ("limit_sync", limits::one_sync),
    ("limit_hash_hit", limits::hash_hit),
    ("loop_1024", |trial| ours::durable_loop(trial, 1_024)),
    ("loop_256", |trial| ours::durable_loop(trial, 256)),
    ("emit_256", |trial| ours::durable_emit(trial, 256)),
    ("emit_1", |trial| ours::durable_emit(trial, 1)),
    ("drain_1000", |trial| ours::drain(trial, 1_000)),
    ("drain_10000", |trial| ours::drain(trial, 10_000)),
    ("drain_100000", |trial| ours::drain(trial, 100_000)),
    ("memory_loop", |trial| ours::memory_loop(trial, 256)),
    ("route", |trial| ours::route(trial, 1_000)),
    ("latency", |trial| ours::latency(trial, false)),
    ("latency_eager", |trial| ours::latency(trial, true)),
    ("limit_row_update", limits::row_update),
    ("limit_yrs_trace", limits::yrs_editing),
    ("limit_yrs_trace_stored", limits::yrs_editing_stored),
    ("limit_yrs_reopen", limits::yrs_reopening),
    ("plan_1", |trial| ours::plans(trial, 1)),
    ("plan_3", |trial| ours::plans(trial, 3)),
    ("fan_out", ours::fan_out),
    ("instruction_500", ours::reading),
    ("agent_turn", ours::agent::turn),
    ("agent_tools", ours::agent::tools),
    ("agents_1000", |trial| ours::agent::thousand(trial, 1_000)),
    ("agents_1000_64", |trial| ours::agent::thousand(trial, 64)),
    ("schedules_due", ours::due_at_once),
    ("schedules_armed", ours::armed),
    ("graph", ours::graph),
    ("documents_write", ours::documents::writing),
    ("documents_storage", ours::documents::storage),
    ("documents_trace", ours::documents::editing),
    ("documents_trace_stored", ours::documents::editing_stored),
    ("documents_rewrite", ours::documents::rewriting),
    ("documents_reopen", ours::documents::reopening),
    ("documents_watch", ours::documents::watching),
    ("million_documents", ours::documents::million_documents),
    ("million_filled", ours::documents::million_filled),
    ("sql", ours::sql),
    ("idle", ours::idle),
    ("million", ours::million),
    ("search", ours::search),
    ("search_write", ours::search_write),
];

/// Runs one round and prints its figures, each on one line.
pub(crate) fn run(name: &str, trial: &Trial) -> Result<()> {
    let Some((_, workload)) = WORKLOADS.iter().find(|(known, _)| *known == name) else {
        return Err(format!("unknown workload {name}").into());
    };
    for measurement in workload(trial)? {
        println!("{measurement}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::Program;
    use crate::table;

    #[test]
    fn every_workload_of_the_table_exists() {
        for row in table::all() {
            for figure in row.figures() {
                if let Program::Child(name) = figure.program {
                    assert!(WORKLOADS.iter().any(|(known, _)| *known == name), "{name}");
                }
            }
        }
    }
}
