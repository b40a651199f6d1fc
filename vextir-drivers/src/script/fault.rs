//! What is wrong with a handler's code, and where.

use rhai::{EvalAltResult, ParseError, Position};
use std::fmt;

/// What went wrong in the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    at: Option<(usize, usize)>,
    what: String,
    /// It ran out of time, which another attempt need not.
    pub(super) may_pass: bool,
}

impl Fault {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { at: None, what: what.into(), may_pass: false }
    }

    pub(super) fn passing(what: impl Into<String>) -> Self {
        Self { at: None, what: what.into(), may_pass: true }
    }

    pub(super) fn parse(error: &ParseError) -> Self {
        Self { at: place(error.position()), what: error.err_type().to_string(), may_pass: false }
    }

    /// Where an error happened is where its innermost cause did.
    pub(super) fn run(mut error: EvalAltResult) -> Self {
        let mut at = place(error.position());
        while let EvalAltResult::ErrorInFunctionCall(_, _, inner, _) = error {
            at = place(inner.position()).or(at);
            error = *inner;
        }
        error.set_position(Position::NONE);
        Self { at, what: error.to_string(), may_pass: false }
    }
}

fn place(position: Position) -> Option<(usize, usize)> {
    Some((position.line()?, position.position().unwrap_or(1)))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.at {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.what)
    }
}
