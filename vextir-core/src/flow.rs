//! Flow control: how much of a handler's work goes on at a time, how often it begins, and what stands for what.

mod declared;
mod form;
mod path;
mod window;

pub use declared::FlowKey;
pub(crate) use declared::{Declared, check, declared};
pub use path::EventPath;
pub use window::Window;

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The largest number that a rule may name.
const MOST: u32 = 1_000_000;
/// The most events of one batch.
const MOST_IN_BATCH: u32 = 1_000;
/// The longest time that a rule may name: a year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// One rule of flow control, for a driver or for one of its handlers. The processor enforces it; work that waits for
/// it waits in the log, and holds no slot.
///
/// With a key there is one count for each value at that place of the event, and each user has counts of their own
/// ([`Flow::across_users`] says otherwise). Events without anything at that place share one count. Without a key there is
/// one count for each user, and of concurrency and throttle one for all.
///
/// A rule loads from a map, in which one field names what it is:
///
/// ```
/// # extern crate vextir_core as vextir;
/// use std::time::Duration;
/// use vextir::Flow;
///
/// let rule: Flow = serde_json::from_str(r#"{"throttle": 10, "per": "1m", "key": "data.host"}"#)?;
/// assert_eq!(rule, Flow::throttle(10, Duration::from_secs(60)).key("data.host"));
/// assert_eq!(rule.to_string(), "throttle 10 per 1m by data.host");
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// | rule | what it does with what is too much |
/// |---|---|
/// | `{concurrency: 5}` | waits until one of the five has ended |
/// | `{throttle: 10, per: 1m}` | waits until it may begin: ten within any minute |
/// | `{rate_limit: 10, per: 1m}` | is not handled: ten of those that came within any minute are |
/// | `{debounce: 30s, at_most: 5m}` | the latest one stands for all that came, once 30 seconds were quiet, or 5 minutes over |
/// | `{batch: 100, within: 5s}` | are handled together, by one call |
/// | `{singleton: skip}` | is not handled while an earlier one waits or runs |
/// | `{singleton: replace}` | takes the place of the earlier one, which is stopped |
/// | `{priority: data.urgency}` | `high`, `normal` or `low`, or a number above, at or below zero, goes first or last |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "form::Form", into = "form::Form")]
pub struct Flow {
    rule: FlowRule,
    key: Option<EventPath>,
    across_users: bool,
}

/// What a [`Flow`] demands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowRule {
    /// So many at a time.
    Concurrency(u32),
    /// So many of those that came within any such span; the others are not handled.
    RateLimit(u32, Duration),
    /// So many begin within any such span; the others wait.
    Throttle(u32, Duration),
    /// The latest stands for all, once such a span was quiet.
    Debounce {
        /// How long nothing comes.
        quiet: Duration,
        /// How long after the first one it is handled at the latest.
        at_most: Option<Duration>,
    },
    /// So many are handled by one call, which waits so long for more.
    Batch(u32, Duration),
    /// One that waits or runs.
    Singleton(Twin),
    /// In the order of what the event says at a place.
    Priority(EventPath),
}

/// What becomes of a second one, where there may be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Twin {
    /// It is not handled.
    Skip,
    /// It takes the place of the first, which is stopped: what that one did until then is dropped.
    Replace,
}

impl Flow {
    fn new(rule: FlowRule) -> Self {
        Self { rule, key: None, across_users: false }
    }

    /// So many at a time.
    #[must_use]
    pub fn concurrency(most: u32) -> Self {
        Self::new(FlowRule::Concurrency(most))
    }

    /// So many of those that came within any such span; the others are not handled, and the audit says so.
    #[must_use]
    pub fn rate_limit(most: u32, per: Duration) -> Self {
        Self::new(FlowRule::RateLimit(most, per))
    }

    /// So many begin within any such span; the others wait.
    #[must_use]
    pub fn throttle(most: u32, per: Duration) -> Self {
        Self::new(FlowRule::Throttle(most, per))
    }

    /// The latest one stands for all that came, once nothing came for such a span.
    #[must_use]
    pub fn debounce(quiet: Duration) -> Self {
        Self::new(FlowRule::Debounce { quiet, at_most: None })
    }

    /// Sets how long after the first one a debounced handler waits at the most. Other rules are left alone.
    #[must_use]
    pub fn at_most(mut self, span: Duration) -> Self {
        if let FlowRule::Debounce { at_most, .. } = &mut self.rule {
            *at_most = Some(span);
        }
        self
    }

    /// So many are handled by one call ([`Ctx::batch`](crate::Ctx::batch)), which waits so long for more. For handlers, not
    /// for whole drivers.
    #[must_use]
    pub fn batch(most: u32, within: Duration) -> Self {
        Self::new(FlowRule::Batch(most, within))
    }

    /// One that waits or runs.
    #[must_use]
    pub fn singleton(twin: Twin) -> Self {
        Self::new(FlowRule::Singleton(twin))
    }

    /// In the order of what the event says at a place: `high`, `normal`, `low`, or a number above, at or below zero.
    #[must_use]
    pub fn priority(path: impl Into<EventPath>) -> Self {
        Self::new(FlowRule::Priority(path.into()))
    }

    /// Counts by what stands at this place of the event: `user_id`, `type`, `metadata.shop`, `data.account.id`.
    #[must_use]
    pub fn key(mut self, path: impl Into<EventPath>) -> Self {
        self.key = Some(path.into());
        self
    }

    /// Counts the events of all users together. For what users share, such as a server that they all ask.
    #[must_use]
    pub fn across_users(mut self) -> Self {
        self.across_users = true;
        self
    }

    /// What it demands.
    #[must_use]
    pub fn rule(&self) -> &FlowRule {
        &self.rule
    }

    /// By what it counts.
    #[must_use]
    pub fn path(&self) -> Option<&EventPath> {
        self.key.as_ref()
    }

    /// Whether it counts the events of all users together: where it says so, and where it bounds calls without a key.
    #[must_use]
    pub fn is_across_users(&self) -> bool {
        let calls = matches!(self.rule, FlowRule::Concurrency(_) | FlowRule::Throttle(..));
        self.across_users || (calls && self.key.is_none())
    }

    /// Whether the numbers, spans and places are ones that can be kept.
    ///
    /// # Errors
    /// What is out of range, and what would do.
    pub fn check(&self) -> Result<()> {
        let number = |most: u32, limit: u32| match most {
            0 => Err(Error::invalid(format!("{self}: say a number from 1 to {limit}"))),
            _ if most > limit => Err(Error::invalid(format!("{self}: {limit} at the most"))),
            _ => Ok(()),
        };
        let span = |span: Duration| match span {
            _ if span < Duration::from_millis(1) => {
                Err(Error::invalid(format!("{self}: say a span from 1ms to a year, such as 30s, 5m or 2h")))
            }
            _ if span > LONGEST => Err(Error::invalid(format!("{self}: a year at the most"))),
            _ => Ok(()),
        };
        match &self.rule {
            FlowRule::Concurrency(most) => number(*most, MOST)?,
            FlowRule::RateLimit(most, per) | FlowRule::Throttle(most, per) => {
                number(*most, MOST)?;
                span(*per)?;
            }
            FlowRule::Debounce { quiet, at_most } => {
                span(*quiet)?;
                at_most.map_or(Ok(()), span)?;
                if at_most.is_some_and(|most| most < *quiet) {
                    return Err(Error::invalid(format!("{self}: `at_most` is shorter than the quiet time")));
                }
            }
            FlowRule::Batch(most, within) => {
                number(*most, MOST_IN_BATCH)?;
                span(*within)?;
            }
            FlowRule::Singleton(_) => {}
            FlowRule::Priority(path) => {
                path.check()?;
                if self.key.is_some() || self.across_users {
                    return Err(Error::invalid(format!("{self}: a priority is counted by nothing")));
                }
            }
        }
        let apart = matches!(
            self.rule,
            FlowRule::Debounce { .. } | FlowRule::Batch(..) | FlowRule::Singleton(Twin::Replace)
        );
        if apart && self.across_users {
            return Err(Error::invalid(format!(
                "{self}: the event of one user never stands for another one's"
            )));
        }
        self.key.as_ref().map_or(Ok(()), EventPath::check)
    }

    /// The word for it.
    pub(crate) fn kind(&self) -> &'static str {
        match self.rule {
            FlowRule::Concurrency(_) => "concurrency",
            FlowRule::RateLimit(..) => "rate_limit",
            FlowRule::Throttle(..) => "throttle",
            FlowRule::Debounce { .. } => "debounce",
            FlowRule::Batch(..) => "batch",
            FlowRule::Singleton(_) => "singleton",
            FlowRule::Priority(_) => "priority",
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |span: &Duration| humantime::format_duration(*span).to_string();
        f.write_str(self.kind())?;
        match &self.rule {
            FlowRule::Concurrency(most) => write!(f, " {most}")?,
            FlowRule::RateLimit(most, per) | FlowRule::Throttle(most, per) => {
                write!(f, " {most} per {}", span(per))?;
            }
            FlowRule::Debounce { quiet, at_most } => {
                write!(f, " {}", span(quiet))?;
                if let Some(most) = at_most {
                    write!(f, " and {} at most", span(most))?;
                }
            }
            FlowRule::Batch(most, within) => write!(f, " {most} within {}", span(within))?,
            FlowRule::Singleton(Twin::Skip) => f.write_str(" skip")?,
            FlowRule::Singleton(Twin::Replace) => f.write_str(" replace")?,
            FlowRule::Priority(path) => write!(f, " {path}")?,
        }
        if let Some(key) = &self.key {
            write!(f, " by {key}")?;
        }
        if self.across_users { f.write_str(" across users") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
