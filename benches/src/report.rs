//! The table as text.

use std::fmt::Write;
use std::iter::zip;

use crate::options::Options;
use crate::resources;
use crate::rounds::{Outcome, median};
use crate::table::{Figure, Row, Wants};

const HEADINGS: [&str; 8] = ["workload", "ours", "against", "its figure", "ratio", "rounds", "floor", "goal"];

/// Everything that the command prints.
pub(crate) fn render(rows: &[Row], outcome: &Outcome, options: &Options, schema: &str) -> String {
    let mut text = title(options);
    let mut cells = vec![HEADINGS.map(String::from).to_vec()];
    cells[0].push("verdict".into());
    cells.extend(rows.iter().map(|row| line(row, outcome)));
    text.push_str(&align(&cells));
    let troubles = [("NOT MEASURED", &outcome.missing), ("FAILED", &outcome.failed)];
    for (kind, programs) in troubles {
        for (program, reason) in programs {
            let _ = writeln!(text, "{kind}: {}: {reason}", program.name());
        }
    }
    let _ = write!(text, "\nWhat the raw limits write to, as the hub has made it:\n{schema}");
    text
}

fn title(options: &Options) -> String {
    let rounds = options.rounds;
    let mut title = format!("Medians of {rounds} alternating rounds, {}", resources::machine());
    if options.sync_delay_ms > 0 {
        let _ = write!(title, ", {} ms added to each sync", options.sync_delay_ms);
    }
    if options.quick {
        title.push_str(", QUICK: these runs are too short for a figure that means anything");
    }
    title + "\n\n"
}

fn line(row: &Row, outcome: &Outcome) -> Vec<String> {
    let ours = outcome.values(row.ours);
    let show = |figure: Figure| match (median(&outcome.values(figure)), outcome.unit(figure)) {
        (Some(value), Some(unit)) => unit.show(value),
        _ => "NOT MEASURED".into(),
    };
    let (label, their_figure, judged, spread) = match row.against {
        None => (String::new(), String::new(), median(&ours), String::new()),
        Some((label, against)) => {
            let theirs = outcome.values(against);
            let ratio = median(&ours).zip(median(&theirs)).map(|(ours, theirs)| ours / theirs);
            let each: Vec<f64> = zip(&ours, &theirs).map(|(ours, theirs)| ours / theirs).collect();
            (label.into(), show(against), ratio, spread(&each))
        }
    };
    let ratio = if row.against.is_some() { judged } else { None };
    vec![
        row.name.into(),
        show(row.ours),
        label,
        their_figure,
        ratio.map(short).unwrap_or_default(),
        spread,
        bound(row, row.floor),
        bound(row, row.goal),
        verdict(row, judged).into(),
    ]
}

/// The lowest and the highest ratio of one round.
fn spread(ratios: &[f64]) -> String {
    let lowest = ratios.iter().copied().reduce(f64::min);
    let highest = ratios.iter().copied().reduce(f64::max);
    lowest
        .zip(highest)
        .map(|(lowest, highest)| format!("{}..{}", short(lowest), short(highest)))
        .unwrap_or_default()
}

fn bound(row: &Row, value: Option<f64>) -> String {
    let sign = if row.wants == Wants::Less { "<= " } else { "" };
    value.map(|value| format!("{sign}{}", short(value))).unwrap_or_default()
}

fn verdict(row: &Row, judged: Option<f64>) -> &'static str {
    let reached = |bound: Option<f64>| {
        bound.zip(judged).map(|(bound, judged)| match row.wants {
            Wants::More => judged >= bound,
            Wants::Less => judged <= bound,
        })
    };
    match (reached(row.floor), reached(row.goal)) {
        (_, Some(true)) => "goal",
        (Some(true), _) => "floor",
        (Some(false), _) => "BELOW FLOOR",
        _ => "",
    }
}

/// Two digits that count.
fn short(value: f64) -> String {
    if value >= 10.0 {
        format!("{value:.0}")
    } else if value >= 1.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// Columns as wide as their widest cell; figures to the right.
fn align(lines: &[Vec<String>]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let mut written = String::new();
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            let _ = match column {
                0 | 2 | 8 => write!(written, "{cell:<width$}  "),
                _ => write!(written, "{cell:>width$}  "),
            };
        }
        text.push_str(written.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    fn named(name: &str) -> Option<Row> {
        table::all().into_iter().find(|row| row.name == name)
    }

    #[test]
    fn a_rate_must_reach_its_bounds() {
        let row = named("durable loop, 1,024 in flight");
        let say = |ratio| row.as_ref().map(|row| verdict(row, ratio));
        assert_eq!(say(Some(0.49)), Some("BELOW FLOOR"));
        assert_eq!(say(Some(0.5)), Some("floor"));
        assert_eq!(say(Some(0.8)), Some("goal"));
        assert_eq!(say(None), Some(""));
    }

    #[test]
    fn a_duration_must_stay_below_its_bounds() {
        let row = named("one at a time, p50");
        let say = |ratio| row.as_ref().map(|row| verdict(row, Some(ratio)));
        assert_eq!(say(4.1), Some("BELOW FLOOR"));
        assert_eq!(say(4.0), Some("floor"));
        assert_eq!(say(1.9), Some("goal"));
    }

    #[test]
    fn ratios_keep_the_digits_that_count() {
        assert_eq!([0.834, 4.06, 317.4].map(short), ["0.83", "4.1", "317"]);
    }
}
