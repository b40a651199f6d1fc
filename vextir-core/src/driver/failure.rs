//! How a handler fails: for now, or for good.

use std::fmt;
use std::time::Duration;

/// Any error that a handler may return.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a handler gives back: the events that it causes.
pub type HandlerResult = Result<Vec<crate::Event>, BoxError>;

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureClass {
    /// Trying again may help: retried with growing pauses, as often as the driver allows.
    Transient,
    /// Trying again cannot help: straight to the dead letters.
    Permanent,
}

/// A handler's failure with its class. Every other error counts as transient: nothing is guessed from its
/// text.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use std::time::Duration;
/// use vextir::{BoxError, Failure};
///
/// fn charge(amount: i64) -> Result<(), BoxError> {
///     if amount < 0 {
///         return Err(Failure::permanent("the amount is negative").into());
///     }
///     Err(Failure::transient("busy").retry_after(Duration::from_secs(5)).into())
/// }
/// # assert!(charge(-1).is_err());
/// ```
#[derive(Debug)]
pub struct Failure {
    class: FailureClass,
    after: Option<Duration>,
    error: BoxError,
}

impl Failure {
    /// Trying again cannot help.
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        Self { class: FailureClass::Permanent, after: None, error: error.into() }
    }

    /// Trying again may help.
    pub fn transient(error: impl Into<BoxError>) -> Self {
        Self { class: FailureClass::Transient, after: None, error: error.into() }
    }

    /// Says when to try again, instead of the driver's back-off.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.after = Some(pause);
        self
    }

    /// Its class.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        self.class
    }

    /// The pause that the failure itself asks for.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        self.after
    }

    /// Takes the class out of a handler's error. The kernel's own errors know theirs.
    #[must_use]
    pub fn from_error(error: BoxError) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(failure) => return *failure,
            Err(error) => error,
        };
        match error.downcast_ref::<crate::Error>() {
            Some(own) if !own.kind().is_transient() => Self::permanent(error),
            _ => Self::transient(error),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        let mut source = self.error.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
