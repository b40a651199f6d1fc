//! What is emitted, and nobody handles it.

use super::circuit::{Actor, Circuit, Emission};
use super::finding::Unknown;
use super::{Finding, FindingKind, Severity};
use crate::Category;

pub(super) fn find(circuit: &Circuit<'_>, findings: &mut Vec<Finding>) {
    let answers = answers(circuit);
    for emitted in circuit.types.iter().filter(|emitted| emitted.groups.is_empty()) {
        let is_taken = circuit.facts.asked.outputs.iter().any(|pattern| pattern.matches(emitted.name))
                // Who observes everything waits for nothing in particular.
                || circuit.facts.subscriptions.iter().any(|pattern| {
                    pattern.as_str() != "**" && pattern.matches(emitted.name)
                });
        if is_taken {
            continue;
        }
        let emissions = emitted.emissions.iter().map(|index| &circuit.emissions[*index]);
        let (quiet, loud): (Vec<_>, Vec<_>) =
            emissions.partition(|emission| emission.category != Category::Internal || answers[emission.unit]);
        findings.extend(quiet.split_first().map(|(first, others)| quiet_one(first, others.len())));
        findings.extend(loud.iter().map(|emission| loud_one(emission, circuit.units[emission.unit].wired)));
    }
}

/// What ends somewhere, as it should: with who asked, outside, or with nobody who is interested.
fn quiet_one(emission: &Emission<'_>, others: usize) -> Finding {
    let Emission { who, event_type, category, .. } = emission;
    let why = match category {
        Category::Output => "for the outside",
        Category::Input => "from the outside",
        Category::Internal => "as the answer to a step",
    };
    let by = if others == 0 { who.said() } else { format!("{} (and {others} more)", who.said()) };
    let message = format!("{by} emits `{event_type}` {why}: no driver handles it");
    Finding::new(Severity::Note, FindingKind::Unhandled, who.id().clone(), message, "").at(who.place)
}

fn loud_one(emission: &Emission<'_>, wired: bool) -> Finding {
    let Emission { who, event_type, .. } = emission;
    let remedy = if !wired {
        "handle it, give its payload the category `output`, or name it among the outputs of the check"
    } else if matches!(who.actor, Actor::Schedule(_)) {
        "register a driver for it, or cancel the schedule"
    } else {
        "register a driver for it"
    };
    let message = format!("{} emits `{event_type}`, and no driver handles it", who.said());
    Finding::new(Severity::Warning, FindingKind::Unhandled, who.id().clone(), message, remedy)
        .unknown(Unknown::Emitted((*event_type).clone()))
        .at(who.place)
}

/// For each unit whether it is a handler that a step of somebody's may have asked.
fn answers(circuit: &Circuit<'_>) -> Vec<bool> {
    let mut answers = vec![false; circuit.units.len()];
    let is_step = |index: &usize| {
        let Emission { who, unit, .. } = &circuit.emissions[*index];
        circuit.units[*unit].wired && matches!(who.actor, Actor::Driver(_))
    };
    for emitted in circuit.types.iter().filter(|emitted| emitted.emissions.iter().any(is_step)) {
        for index in emitted.groups.iter().flat_map(|group| &circuit.groups[*group].listeners) {
            let unit = circuit.listeners[*index].unit;
            answers[unit] = !circuit.units[unit].wired;
        }
    }
    answers
}
