//! Schemas that do not meet: what somebody emits, and somebody else cannot take.

use super::circuit::{Circuit, Emission, Listener};
use super::schema::{Misfit, What, misfits};
use super::{Finding, FindingKind, Severity};
use foldhash::{HashMap, HashMapExt};
use schemars::Schema;
use std::collections::BTreeMap;

/// How many pairs of schemas are compared.
const COMPARED: usize = 100_000;

pub(super) fn find(circuit: &Circuit<'_>, findings: &mut Vec<Finding>) {
    let (mut compared, mut left_out) = (0, None);
    for emitted in &circuit.types {
        let listeners = emitted.groups.iter().flat_map(|group| &circuit.groups[*group].listeners);
        let listeners = listeners.map(|index| &circuit.listeners[*index]);
        let asked = alike(listeners.filter_map(|listener| Some((listener.input?, listener))));
        if asked.is_empty() {
            continue;
        }
        let emissions = emitted.emissions.iter().map(|index| &circuit.emissions[*index]);
        let given = alike(emissions.filter_map(|emission| Some((emission.schema?, emission))));
        for (is, emissions) in &given {
            for (wanted, listeners) in &asked {
                compared += 1;
                if compared > COMPARED {
                    left_out.get_or_insert(emitted.name);
                } else {
                    let found = misfits(is.as_value(), wanted.as_value());
                    findings.extend(found.iter().map(|misfit| finding(emissions, listeners, misfit)));
                }
            }
        }
    }
    if let Some(name) = left_out {
        let message =
            format!("more than {COMPARED} pairs of schemas: those of `{name}` and others were not compared");
        findings.push(Finding::new(Severity::Note, FindingKind::Incomplete, name.clone(), message, ""));
    }
}

/// Those with the same schema together.
fn alike<'f, T>(all: impl Iterator<Item = (&'f Schema, T)>) -> Vec<(&'f Schema, Vec<T>)> {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut groups: BTreeMap<usize, (&Schema, Vec<T>)> = BTreeMap::new();
    for (schema, one) in all {
        let next = numbers.len();
        let number = *numbers.entry(schema.as_value().to_string()).or_insert(next);
        groups.entry(number).or_insert_with(|| (schema, Vec::new())).1.push(one);
    }
    groups.into_values().collect()
}

fn finding(emissions: &[&Emission<'_>], listeners: &[&Listener<'_>], misfit: &Misfit) -> Finding {
    let (emission, listener) = (emissions[0], listeners[0]);
    let (from, to) = (named(emissions, |one| one.who.said()), named(listeners, |one| one.who.said()));
    let Misfit { path, what } = misfit;
    let kind = emission.event_type;
    let (severity, message) = match what {
        What::Missing => {
            (Severity::Error, format!("{from} emits `{kind}` without the field `{path}` that {to} asks for"))
        }
        What::Unknown => (
            Severity::Error,
            format!("{from} emits `{kind}` with the field `{path}`, which {to} does not take"),
        ),
        What::OfType(is, wanted) if path.is_empty() => {
            (Severity::Error, format!("{from} emits `{kind}` as {is}, and {to} takes {wanted}"))
        }
        What::OfType(is, wanted) => {
            let says = format!("{from} emits `{kind}` with `{path}` of type {is}");
            (Severity::Error, format!("{says}, and {to} asks for {wanted}"))
        }
        What::MayBeNull => (
            Severity::Note,
            format!("{from} emits `{kind}` with `{path}` that may be null; {to} takes no null"),
        ),
    };
    let remedy = match what {
        What::MayBeNull => "",
        _ => "let both use one payload type, or make the field optional where it is taken",
    };
    let about = listener.who.id().clone();
    Finding::new(severity, FindingKind::Mismatch, about, message, remedy).at(emission.who.place)
}

/// The first one, and how many there are beside it.
fn named<T>(all: &[&T], said: impl Fn(&T) -> String) -> String {
    match all {
        [] => String::new(),
        [one] => said(one),
        [first, others @ ..] => format!("{} (and {} more)", said(first), others.len()),
    }
}
