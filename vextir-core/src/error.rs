//! The one error type of the kernel's contracts.

use std::borrow::Cow;
use std::fmt;

/// What a caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input breaks a rule: a bad type name, an oversized event, a payload that does not fit.
    Invalid,
    /// Policy or ownership forbids it.
    Denied,
    /// It waits for somebody's decision (an approval, a lease extension).
    Held,
    /// The id or key is in use with other content.
    Conflict,
    /// Nothing is there, or nothing that the caller may see.
    NotFound,
    /// The backlog is full; try later, or use `emit`, which waits.
    Busy,
    /// The cursor points below what retention has kept.
    Gap,
    /// The work was cancelled.
    Cancelled,
    /// It took longer than allowed.
    Timeout,
    /// The causal tree went quiet without an answer.
    NoAnswer,
    /// A handler failed for good.
    Failed,
    /// The delivery was settled or taken over by somebody else.
    Stale,
    /// Another processor or process holds the resource.
    Locked,
    /// The stored data is damaged, or newer than this code.
    Corrupt,
    /// The back end cannot do this.
    Unsupported,
    /// The back end failed for now (disk full, connection lost); nothing was stored.
    Unavailable,
    /// The processor was shut down.
    Closed,
}

impl ErrorKind {
    /// Whether the same call may succeed later without a change by the caller.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable | Self::Timeout | Self::Locked)
    }
}

/// An error of the kernel: its kind, one sentence with place and remedy, and its source.
///
/// `Display` is one line; `Debug` shows everything.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Busy, "100,000 deliveries wait").context("emit");
/// assert!(error.kind().is_transient());
/// assert_eq!(error.to_string(), "emit: 100,000 deliveries wait");
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    context: Vec<Cow<'static, str>>,
    message: Cow<'static, str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of the kernel's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` with one sentence.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { kind, context: Vec::new(), message: message.into(), source: None }))
    }

    /// An [`ErrorKind::Invalid`] error.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Says where it happened; the outermost place is shown first.
    #[must_use]
    pub fn context(mut self, place: impl Into<Cow<'static, str>>) -> Self {
        self.0.context.push(place.into());
        self
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence, without places.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The same error for each of several callers that shared one write; the source stays behind.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let mut message = self.0.message.clone();
        if let Some(source) = &self.0.source {
            message = format!("{message}: {source}").into();
        }
        Self(Box::new(Inner { kind: self.0.kind, context: self.0.context.clone(), message, source: None }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in self.0.context.iter().rev() {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
