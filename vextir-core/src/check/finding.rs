//! One thing that was found.

use crate::Name;
use serde::Serialize;
use std::fmt;

/// How bad it is; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// It fails when it happens.
    Error,
    /// It is most likely not what was meant.
    Warning,
    /// It may be as it was meant.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// What sort of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FindingKind {
    /// No driver handles what is emitted.
    Unhandled,
    /// Nothing emits what is waited for.
    Unreachable,
    /// Events cause each other.
    Cycle,
    /// What is emitted does not fit what handles it.
    Mismatch,
    /// Something could not be looked at.
    Incomplete,
}

/// One thing that was found. `Display` is one line: `warning: standup.yaml:4:12: step .. emits ..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What sort of thing it is.
    pub kind: FindingKind,
    /// What it is about: the id of a driver or a schedule, the pattern of a subscription, an event type.
    pub about: Name,
    /// Where that was written (file, line, column), if it was.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// The name for which there may be a similar one.
    #[serde(skip)]
    pub(super) unknown: Option<Unknown>,
}

/// A name that nobody else says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Unknown {
    /// It is emitted.
    Emitted(Name),
    /// It is waited for.
    Awaited(Name),
    /// It is subscribed to.
    Observed(Name),
}

impl Finding {
    /// Something about a driver or whatever else has a name: what is wrong, and what to do about it.
    pub fn new(
        severity: Severity,
        kind: FindingKind,
        about: impl Into<Name>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (about, message, remedy) = (about.into(), message.into(), remedy.into());
        Self { severity, kind, about, place: String::new(), message, remedy, unknown: None }
    }

    /// Says where it was written.
    #[must_use]
    pub fn at(self, place: impl Into<String>) -> Self {
        Self { place: place.into(), ..self }
    }

    /// There may be something similar.
    pub(super) fn unknown(self, name: Unknown) -> Self {
        Self { unknown: Some(name), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.severity)?;
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}
