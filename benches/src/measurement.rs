//! One measured figure, as the programs of a table hand it to the driver: a line of JSON.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A figure that one run of one program measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measurement {
    pub(crate) workload: String,
    pub(crate) unit: Unit,
    pub(crate) value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    PerSecond,
    Milliseconds,
    Microseconds,
    Nanoseconds,
    /// Of processor time.
    CpuMilliseconds,
    Mebibytes,
    Bytes,
    Percent,
}

impl Measurement {
    pub(crate) fn new(workload: impl Into<String>, unit: Unit, value: f64) -> Measurement {
        Measurement { workload: workload.into(), unit, value }
    }

    /// The median of what was measured several times.
    pub(crate) fn middle(workload: &str, unit: Unit, times: &[f64]) -> crate::Result<Measurement> {
        let value = crate::rounds::median(times).ok_or("nothing was measured")?;
        Ok(Measurement::new(workload, unit, value))
    }

    /// All figures that a program printed. A line that is no figure is an error: a program prints nothing else.
    pub(crate) fn parse_all(output: &str) -> Result<Vec<Measurement>, String> {
        output
            .lines()
            .map(|line| serde_json::from_str(line).map_err(|error| format!("{error} in {line:?}")))
            .collect()
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Unit {
    /// The figure as a table shows it.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Unit::PerSecond => format!("{} /s", thousands(value)),
            Unit::Milliseconds => format!("{value:.1} ms"),
            Unit::Microseconds => format!("{value:.0} µs"),
            Unit::Nanoseconds => format!("{value:.0} ns"),
            Unit::CpuMilliseconds => format!("{value:.1} ms cpu"),
            Unit::Mebibytes => format!("{value:.1} MiB"),
            Unit::Bytes => format!("{} B", thousands(value)),
            Unit::Percent => format!("{value:.1} %"),
        }
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_survives_its_line_of_json() {
        let figure = Measurement::new("loop", Unit::PerSecond, 71_900.5);
        assert_eq!(figure.to_string(), r#"{"workload":"loop","unit":"per_second","value":71900.5}"#);
        assert_eq!(Measurement::parse_all(&figure.to_string()), Ok(vec![figure]));
    }

    #[test]
    fn a_line_that_is_no_figure_is_an_error() {
        assert!(Measurement::parse_all("database is locked").is_err());
    }

    #[test]
    fn rates_are_grouped_by_thousands() {
        assert_eq!(Unit::PerSecond.show(1_234_567.4), "1,234,567 /s");
        assert_eq!(Unit::PerSecond.show(999.0), "999 /s");
    }
}
