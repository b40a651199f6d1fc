//! What runs of agents cost beside their model.

use super::{Figure, Row, Wants};
use crate::programs::Program;

/// Agents by themselves, and a thousand of them beside the time that their model takes alone.
pub(super) fn agents() -> Vec<Row> {
    let of = |program, name| Figure { program: Program::Child(program), name };
    let alone = |name, ours| Row { name, ours, against: None, wants: Wants::Less, floor: None, goal: None };
    let thousand = |name, program| Row {
        against: Some(("the model's own time", of(program, Some("ideal")))),
        ..alone(name, of(program, Some("took")))
    };
    vec![
        alone("agent, a turn with its tool, p50", of("agent_turn", None)).reach(3.0, 1.5),
        Row { wants: Wants::More, ..alone("agents, tools called", of("agent_tools", None)) }
            .reach(5_000.0, 10_000.0),
        alone("agents, 1,000 at once, resident growth", of("agents_1000", Some("resident")))
            .reach(300.0, 150.0),
        thousand("agents, 1,000 at once, 1,000 model calls at a time", "agents_1000").reach(1.3, 1.1),
        thousand("agents, 1,000 at once, 64 model calls at a time", "agents_1000_64").reach(1.3, 1.1),
    ]
}
