//! The promises that a file breaks.

use std::collections::BTreeMap;
use std::fmt;

/// How many violations of one kind are told in words.
const TOLD: usize = 5;

/// The promises that do not hold: how often, and some of the cases.
#[derive(Debug, Default)]
pub struct Promises {
    broken: BTreeMap<&'static str, (usize, Vec<String>)>,
}

impl Promises {
    /// A promise does not hold in this case.
    pub fn violation(&mut self, promise: &'static str, case: impl fmt::Display) {
        let (count, cases) = self.broken.entry(promise).or_default();
        *count += 1;
        if cases.len() < TOLD {
            cases.push(case.to_string());
        }
    }

    /// A promise must hold in this case.
    pub fn expect(&mut self, holds: bool, promise: &'static str, case: impl fmt::Display) {
        if !holds {
            self.violation(promise, case);
        }
    }

    /// Whether all hold.
    pub fn hold(&self) -> bool {
        self.broken.is_empty()
    }

    /// Whether this one is broken.
    pub fn is_broken(&self, promise: &str) -> bool {
        self.broken.contains_key(promise)
    }
}

impl fmt::Display for Promises {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hold() {
            return write!(f, "every promise holds");
        }
        write!(f, "{} promises BROKEN", self.broken.len())?;
        for (promise, (count, cases)) in &self.broken {
            write!(f, "\n  {count} times not: {promise}")?;
            for case in cases {
                write!(f, "\n    {case}")?;
            }
        }
        Ok(())
    }
}
