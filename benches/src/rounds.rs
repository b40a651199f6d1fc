//! Alternating rounds: each program once a round, so that a slow minute of the machine hits all of them.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::options::Options;
use crate::programs::{Program, Starter};
use crate::table::{Figure, Row};

/// All figures of all rounds.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    rounds: BTreeMap<Program, Vec<Vec<Measurement>>>,
    /// Programs that cannot be measured here, and why.
    pub(crate) missing: BTreeMap<Program, String>,
    /// Programs that broke, and how. They are not started again.
    pub(crate) failed: BTreeMap<Program, String>,
}

pub(crate) fn run(rows: &[Row], starter: &Starter, options: &Options) -> Result<Outcome> {
    let mut programs: Vec<Program> = Vec::new();
    let mut outcome = Outcome::default();
    for program in rows.iter().flat_map(Row::figures).map(|figure| figure.program) {
        match starter.obstacle(program) {
            Some(obstacle) => _ = outcome.missing.insert(program, obstacle),
            None if programs.contains(&program) => {}
            None => programs.push(program),
        }
    }
    for round in 0..options.rounds {
        for program in &programs {
            if outcome.failed.contains_key(program) || (round > 0 && !program.every_round()) {
                continue;
            }
            announce(&format!("round {} of {}: {}", round + 1, options.rounds, program.name()));
            match starter.run(*program) {
                Ok(figures) => outcome.rounds.entry(*program).or_default().push(figures),
                Err(error) => _ = outcome.failed.insert(*program, error.to_string()),
            }
        }
        // The next round goes the other way, so that no program always runs in the wake of the same one.
        programs.reverse();
    }
    announce("");
    Ok(outcome)
}

impl Outcome {
    /// The figure in each round, in the order of the rounds. Empty if it was not measured.
    pub(crate) fn values(&self, figure: Figure) -> Vec<f64> {
        self.find(figure).map(|found| found.value).collect()
    }

    pub(crate) fn unit(&self, figure: Figure) -> Option<Unit> {
        self.find(figure).map(|found| found.unit).next()
    }

    fn find(&self, figure: Figure) -> impl Iterator<Item = &Measurement> {
        let rounds = self.rounds.get(&figure.program).into_iter().flatten();
        rounds.filter_map(move |round| match figure.name {
            Some(name) => round.iter().find(|measurement| measurement.workload == name),
            None => round.first(),
        })
    }
}

/// The middle value; of an even number, the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// Says what runs now to somebody who is watching, on one line.
fn announce(now: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{now}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_one_bad_round() {
        assert_eq!(median(&[3.0, 900.0, 1.0, 2.0, 4.0]), Some(3.0));
        assert_eq!(median(&[1.0, 2.0]), Some(1.5));
        assert_eq!(median(&[]), None);
    }
}
