//! What waits for events that do not come.

use super::circuit::{Circuit, Group, Listener, Role};
use super::finding::Unknown;
use super::{Finding, FindingKind, Severity};
use crate::Pattern;
use crate::pattern::overlap;

pub(super) fn find(circuit: &Circuit<'_>, findings: &mut Vec<Finding>) {
    let reached = reached(circuit);
    for (group, reached) in circuit.groups.iter().zip(&reached) {
        if *reached {
            continue;
        }
        let only_by = only_by(circuit, group);
        let waits = group.listeners.iter().map(|index| &circuit.listeners[*index]);
        let waits = waits.filter(|listener| !matches!(listener.role, Role::Takes | Role::Asked));
        findings.extend(waits.map(|listener| unreachable(circuit, group, listener, only_by.as_deref())));
    }
    for pattern in &circuit.facts.subscriptions {
        if !is_heard(circuit, pattern) {
            let message = format!("a subscription waits for `{pattern}`, which nothing emits or handles");
            let (severity, kind) = (Severity::Warning, FindingKind::Unreachable);
            let finding = Finding::new(severity, kind, pattern.as_str(), message, "check how it is written");
            findings.push(finding.unknown(Unknown::Observed(pattern.as_str().into())));
        }
    }
}

fn unreachable(
    circuit: &Circuit<'_>,
    group: &Group<'_>,
    listener: &Listener<'_>,
    only_by: Option<&str>,
) -> Finding {
    let (who, pattern) = (&listener.who, group.pattern);
    let waits = match listener.role {
        Role::Awaits => format!("{} waits for `{pattern}`", who.said()),
        Role::Starts => format!("{} is started by `{pattern}`", who.said()),
        _ => format!("{} handles `{pattern}`", who.said()),
    };
    let (severity, remedy) = match &circuit.facts.asked.inputs {
        Some(_) => (Severity::Warning, "emit it, or name it among the inputs of the check"),
        None => (Severity::Note, "if it comes from outside, name it among the inputs of the check"),
    };
    let message = match only_by {
        None => format!("{waits}, which nothing is known to emit"),
        Some(emitter) => format!("{waits}, which only {emitter} emits, and nothing reaches that"),
    };
    let finding = Finding::new(severity, FindingKind::Unreachable, who.id().clone(), message, remedy);
    let finding =
        if only_by.is_none() { finding.unknown(Unknown::Awaited(pattern.clone())) } else { finding };
    finding.at(who.place)
}

/// Somebody who would emit what a group waits for, if anything reached them.
fn only_by(circuit: &Circuit<'_>, group: &Group<'_>) -> Option<String> {
    // Where anything may come from outside, whoever emits is reached.
    circuit.facts.asked.inputs.as_ref()?;
    let emitted = if group.pattern.contains('*') {
        circuit.types.iter().find(|emitted| overlap(group.pattern, emitted.name))?
    } else {
        &circuit.types[*circuit.numbers.get(group.pattern.as_str())?]
    };
    let first = emitted.emissions.first()?;
    Some(circuit.emissions[*first].who.said())
}

/// For each group whether an event can come that matches.
fn reached(circuit: &Circuit<'_>) -> Vec<bool> {
    let mut reached = vec![false; circuit.groups.len()];
    let mut open: Vec<usize> = circuit.kernels.iter().flat_map(|name| circuit.groups_of(name)).collect();
    let Some(inputs) = &circuit.facts.asked.inputs else {
        open.extend(circuit.types.iter().flat_map(|emitted| &emitted.groups));
        open.into_iter().for_each(|group| reached[group] = true);
        return reached;
    };
    open.extend(inputs.iter().flat_map(|pattern| circuit.groups_beside(pattern)));
    let mut works = vec![false; circuit.units.len()];
    for (number, unit) in circuit.units.iter().enumerate() {
        if !unit.waits || unit.asked {
            works[number] = true;
            open.extend(follows(circuit, number));
        }
    }
    while let Some(group) = open.pop() {
        if std::mem::replace(&mut reached[group], true) {
            continue;
        }
        for index in &circuit.groups[group].listeners {
            let Listener { role, unit, .. } = &circuit.listeners[*index];
            if matches!(role, Role::Handles | Role::Starts) && !std::mem::replace(&mut works[*unit], true) {
                open.extend(follows(circuit, *unit));
            }
        }
    }
    reached
}

/// The groups that hear what a unit emits.
fn follows<'c>(circuit: &'c Circuit<'_>, unit: usize) -> impl Iterator<Item = usize> + 'c {
    let types = circuit.units[unit].emissions.iter().filter_map(|index| circuit.type_of(*index));
    types.flat_map(|number| circuit.types[number].groups.iter().copied())
}

/// Whether anything known could be seen by a subscription.
fn is_heard(circuit: &Circuit<'_>, pattern: &Pattern) -> bool {
    let asked = &circuit.facts.asked;
    let mut said = asked.inputs.iter().flatten().chain(&asked.outputs);
    // Who handles everything handles nothing in particular.
    circuit.groups_beside(pattern).iter().any(|group| *circuit.groups[*group].pattern != "**")
        || circuit.numbers.contains_key(pattern.as_str())
        || circuit.kernels.iter().any(|name| pattern.matches(name))
        || said.any(|said| overlap(said.as_str(), pattern.as_str()))
        || !pattern.is_exact() && circuit.types.iter().any(|emitted| pattern.matches(emitted.name))
}
