//! The rows of the table: which figure is divided by which, and how far it must get.

mod agents;
mod documents;

use crate::options::Options;
use crate::programs::Program;

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) ours: Figure,
    /// The limit or the peer, and how the table calls it. A row without is judged by its own figure.
    pub(crate) against: Option<(&'static str, Figure)>,
    pub(crate) wants: Wants,
    /// What must be reached, and what we want to reach.
    pub(crate) floor: Option<f64>,
    pub(crate) goal: Option<f64>,
}

/// A figure, and the program that measures it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) program: Program,
    /// Which of the program's figures, if it measures more than one.
    pub(crate) name: Option<&'static str>,
}

/// Whether a larger ratio is better, or a smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    More,
    Less,
}

impl Row {
    pub(crate) fn figures(&self) -> Vec<Figure> {
        std::iter::once(self.ours).chain(self.against.iter().map(|(_, figure)| *figure)).collect()
    }

    fn reach(mut self, floor: f64, goal: f64) -> Row {
        (self.floor, self.goal) = (Some(floor), Some(goal));
        self
    }

    fn less_is_better(mut self) -> Row {
        self.wants = Wants::Less;
        self
    }
}

/// The rows that the options ask for.
pub(crate) fn select(options: &Options) -> Vec<Row> {
    let wanted = options.only.as_deref().unwrap_or_default().to_lowercase();
    let with_peers =
        |row: &Row| options.peers || !row.figures().iter().any(|figure| figure.program.is_peer());
    let (million, name) = documents::MILLION;
    let asked_for = |row: &Row| row.ours.program != Program::Child(million) || wanted.contains(name);
    let rows = all().into_iter().filter(with_peers).filter(asked_for);
    rows.filter(|row| row.name.to_lowercase().contains(&wanted)).collect()
}

pub(crate) fn all() -> Vec<Row> {
    let documents = [documents::documents(), documents::sql(), documents::million()].concat();
    [limits(), peers(), schedules(), agents::agents(), graph(), resources(), searching(), documents].concat()
}

/// Ours beside what SQLite, the disk and a hash map can do, with the same rows.
fn limits() -> Vec<Row> {
    vec![
        row("durable loop, 1,024 in flight", "loop_1024", "raw SQL, same rows", "limit_loop")
            .reach(0.50, 0.80),
        row("durable loop, 256 in flight", "loop_256", "raw SQL, same rows", "limit_loop").reach(0.45, 0.70),
        row("durable emit, 256 emitters", "emit_256", "raw SQL, 1,000 a transaction", "limit_emit_batch")
            .reach(0.40, 0.60),
        row("durable emit, 1 emitter", "emit_1", "raw SQL, 1 a transaction", "limit_emit_single")
            .reach(0.70, 0.85),
        row("drain, 100,000 waiting", "drain_100000", "10,000 waiting", "drain_10000").reach(0.80, 0.95),
        row("one at a time, p50", "latency", "one fdatasync", "limit_sync").less_is_better().reach(4.0, 2.0),
        row("one at a time, eager, p50", "latency_eager", "one fdatasync", "limit_sync")
            .less_is_better()
            .reach(4.0, 1.5),
        row("route among 1,000 patterns", "route", "hash hit", "limit_hash_hit")
            .less_is_better()
            .reach(5.0, 2.0),
    ]
}

/// Ours beside other programs that do the same work.
fn peers() -> Vec<Row> {
    let jetstream = |mode| Program::JetStream { mode };
    let apalis = |jobs, state| Program::Apalis { jobs, state };
    vec![
        beside("durable loop, 256 in flight", "loop_256", "JetStream, sync always", jetstream("always"))
            .reach(8.0, 15.0),
        beside("durable loop, 256 in flight", "loop_256", "JetStream, no sync", jetstream("default"))
            .reach(0.4, 0.8),
        beside("durable loop, 256 in flight", "loop_256", "AutoGen core, in memory", Program::AutoGen)
            .reach(8.0, 14.0),
        beside("drain of 1,000", "drain_1000", "apalis, fresh file", apalis(1_000, "fresh"))
            .reach(15.0, 40.0),
        beside("drain of 10,000", "drain_10000", "apalis, fresh file", apalis(10_000, "fresh"))
            .reach(100.0, 250.0),
        beside("drain of 1,000", "drain_1000", "apalis, optimized file", apalis(1_000, "optimized"))
            .reach(15.0, 40.0),
        beside("drain of 10,000", "drain_10000", "apalis, optimized file", apalis(10_000, "optimized"))
            .reach(100.0, 250.0),
        beside("in-memory loop, 256 in flight", "memory_loop", "ractor ask, 64 callers", Program::Ractor)
            .reach(0.1, 0.3),
    ]
}

/// Schedules and plans beside the loop without them, and by themselves.
fn schedules() -> Vec<Row> {
    let only = |name, program, floor, goal| Row {
        name,
        ours: Figure { program: Program::Child(program), name: None },
        against: None,
        wants: Wants::Less,
        floor: Some(floor),
        goal: Some(goal),
    };
    vec![
        row("schedules, 100,000 due at once", "schedules_due", "durable loop, 256", "loop_256")
            .reach(0.5, 1.0),
        only("schedules, 10,000 armed: lateness, p99", "schedules_armed", 50.0, 10.0),
        only("instruction of 500 steps, read and checked", "instruction_500", 20.0, 5.0),
        only("fan-out of 10,000 steps, resident growth", "fan_out", 100.0, 50.0),
        beside("plan of 1 step", "plan_1", "duroxide, 1 activity", Program::Duroxide { activities: 1 })
            .reach(60.0, 150.0),
        beside("plan of 3 steps", "plan_3", "duroxide, 3 activities", Program::Duroxide { activities: 3 })
            .reach(60.0, 150.0),
    ]
}

/// Our graph beside another one that keeps both times, in one SQLite file too. Neither waits for the disk. One of our
/// links comes with the episode that says it.
fn graph() -> Vec<Row> {
    let of = |program, name| Figure { program, name: Some(name) };
    let row = |name, ours, theirs| Row {
        name,
        ours: of(Program::Child("graph"), ours),
        against: Some(("grit-core", of(Program::Grit, theirs))),
        wants: Wants::More,
        floor: None,
        goal: None,
    };
    vec![
        row("graph, a link at a time", "graph_add", "grit_add").reach(1.0, 1.0),
        row("graph, 100 links at a time", "graph_add_batch", "grit_add_batch").reach(1.0, 2.0),
        row("graph, two links deep", "graph_walk", "grit_walk").less_is_better().reach(1.5, 1.0),
    ]
}

/// What a process costs that does nothing, and one that has done much.
fn resources() -> Vec<Row> {
    let (idle, million) = (Program::Child("idle"), Program::Child("million"));
    let alone = |name, ours| Row { name, ours, against: None, wants: Wants::Less, floor: None, goal: None };
    let of = |program, name| Figure { program, name: Some(name) };
    let early = ("its early mark", of(million, "resident_early"));
    vec![
        alone("idle for a minute", of(idle, "idle_cpu")).reach(60.0, 6.0),
        alone("idle, resident", of(idle, "idle_resident")).reach(15.0, 10.0),
        Row { against: Some(early), ..alone("resident after 500,000 events", of(million, "resident_half")) }
            .reach(1.2, 1.05),
        Row { against: Some(early), ..alone("resident after 1,000,000 events", of(million, "resident_all")) }
            .reach(1.2, 1.05),
    ]
}

/// Searching 100,000 documents, beside SQLite and a plain scan of the same file.
fn searching() -> Vec<Row> {
    let of = |program, name| Figure { program: Program::Child(program), name: Some(name) };
    let (one, scan) = ("search", ("exact scan", of("search", "scan")));
    let less = |name, ours, against| Row {
        name,
        ours,
        against: Some(against),
        wants: Wants::Less,
        floor: None,
        goal: None,
    };
    let recall = ("", of(one, "recall"));
    vec![
        less("search by words, top 10", of(one, "words"), ("raw FTS5", of(one, "words_raw"))).reach(2.0, 1.5),
        less("search by meaning, top 10", of(one, "meaning"), scan).reach(0.03, 0.02),
        less("search by meaning, a hundredth is open", of(one, "meaning_hundredth"), scan).reach(0.03, 0.01),
        Row {
            against: None,
            wants: Wants::More,
            ..less("recall of searching by meaning", of(one, "recall"), recall)
        }
        .reach(99.0, 99.5),
        Row {
            wants: Wants::More,
            ..less(
                "write with the index",
                of("search_write", "indexed"),
                ("without", of("search_write", "plain")),
            )
        }
        .reach(0.90, 0.98),
    ]
}

/// A row between two workloads of this program.
fn row(name: &'static str, ours: &'static str, label: &'static str, limit: &'static str) -> Row {
    beside(name, ours, label, Program::Child(limit))
}

fn beside(name: &'static str, ours: &'static str, label: &'static str, against: Program) -> Row {
    let only = |program| Figure { program, name: None };
    Row {
        name,
        ours: only(Program::Child(ours)),
        against: Some((label, only(against))),
        wants: Wants::More,
        floor: None,
        goal: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_judged() {
        for row in all() {
            assert!(row.floor.is_some() && row.goal.is_some(), "{} has no bounds", row.name);
        }
    }

    #[test]
    fn what_takes_minutes_is_asked_for_by_its_name() {
        let names = |only: Option<&str>| {
            let rows = select(&Options { only: only.map(String::from), ..Options::default() });
            rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
        };
        let takes_minutes = |name: &&'static str| name.starts_with("1,000,000 documents");
        assert!(!names(None).iter().any(&takes_minutes));
        assert!(!names(Some("documents")).is_empty());
        assert!(!names(Some("documents")).iter().any(&takes_minutes));
        assert!(names(Some("1,000,000 documents, opening")).iter().all(takes_minutes));
        assert_eq!(names(Some("1,000,000 documents")).len(), documents::million().len());
    }
}
