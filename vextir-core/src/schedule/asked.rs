//! What somebody asks for: an event, when, and what happens when things go otherwise.

use super::Times;
use crate::{Error, Event, Limits, Result, Timestamp};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// What happens to a slot while what an earlier one caused is still at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Overlap {
    /// It is left out.
    #[default]
    Skip,
    /// One waits, and fires when the running one has ended; further ones are left out.
    BufferOne,
    /// All wait, 1,000 at most, and fire one after the other.
    BufferAll,
    /// It fires beside the running one.
    Allow,
    /// The running one is cancelled, and it fires.
    CancelRunning,
}

/// What somebody asks for. As JSON, in an event or a document, only `event` and the times are needed:
/// `{"event": {"type": "standup.prepare"}, "cron": "0 9 * * MON-FRI", "timezone": "America/New_York"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Schedule {
    /// What is emitted: each firing is a new event, the root of a new causal tree. Its metadata say which `schedule` and
    /// which `slot` it is for.
    #[serde(deserialize_with = "event")]
    #[schemars(with = "serde_json::Value")]
    pub event: Event,
    /// When.
    #[serde(flatten)]
    pub times: Times,
    /// What happens while an earlier firing is still at work.
    #[serde(default)]
    pub overlap: Overlap,
    /// Slots that were missed (no processor ran) fire late if they are not older; the others are counted as missed.
    /// In milliseconds; a day by default.
    #[serde(default = "day")]
    pub catch_up_ms: u64,
    /// Each firing comes later by a part of this that its slot decides, so that not everything fires at nine
    /// o'clock. In milliseconds; 0 by default.
    #[serde(default)]
    pub jitter_ms: u64,
    /// The schedule is paused after so many firings in a row of which something failed for good; never, if 0.
    #[serde(default)]
    pub pause_after: u32,
    /// There is no slot after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// What each firing may use; the processor's limits otherwise. A user's own limits beyond those need a policy that
    /// grants them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub limits: Option<Limits>,
}

/// Through a value: what stands beside flattened fields is buffered, and raw JSON cannot be read from that.
fn event<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Event, D::Error> {
    serde_json::from_value(Value::deserialize(from)?).map_err(D::Error::custom)
}

fn day() -> u64 {
    millis(DAY)
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Schedule {
    /// An event at these times, with the defaults for everything else.
    #[must_use]
    pub fn new(event: Event, times: Times) -> Self {
        Self {
            event,
            times,
            overlap: Overlap::default(),
            catch_up_ms: day(),
            jitter_ms: 0,
            pause_after: 0,
            until: None,
            limits: None,
        }
    }

    /// Refuses what cannot be understood, and what never fires from a moment on.
    ///
    /// # Errors
    /// `Invalid`, with what is wrong and how to write it.
    pub fn check(&self, now: Timestamp) -> Result<()> {
        self.clone().begun(now).check_begun(now)
    }

    /// What counts from the moment at which it was asked for counts from now.
    pub(super) fn begun(mut self, now: Timestamp) -> Self {
        if let Times::Every { from, .. } = &mut self.times
            && from.is_unset()
        {
            *from = now;
        }
        self
    }

    fn check_begun(&self, now: Timestamp) -> Result<()> {
        crate::check_type(&self.event.event_type)?;
        self.times.check()?;
        match self.times {
            Times::Once { at } if now.since(at) > self.catch_up() => {
                let message =
                    format!("{at} is longer ago than what was missed is caught up with (catch_up_ms)");
                Err(Error::invalid(message))
            }
            Times::Once { .. } => Ok(()),
            _ if self.slot_after(now)?.is_none() => {
                Err(Error::invalid("the schedule never fires: it ends before its first time"))
            }
            _ => Ok(()),
        }
    }

    /// The first slot after a moment, if there is one.
    ///
    /// # Errors
    /// `Invalid`: the times cannot be understood.
    pub fn slot_after(&self, moment: Timestamp) -> Result<Option<Timestamp>> {
        let next = self.times.next_after(moment)?;
        Ok(next.filter(|slot| self.until.is_none_or(|until| *slot <= until)))
    }

    pub(super) fn catch_up(&self) -> Duration {
        Duration::from_millis(self.catch_up_ms)
    }

    /// Whether anything depends on how a firing ends.
    pub(super) fn is_watched(&self) -> bool {
        self.overlap != Overlap::Allow || self.pause_after > 0
    }

    /// Whether another one asks for the same. What counts from the moment at which it was asked for is the same then.
    pub(super) fn asks_the_same(&self, other: &Self) -> bool {
        let mut alike = other.clone();
        if let (Times::Every { from, .. }, Times::Every { from: theirs, .. }) =
            (&self.times, &mut alike.times)
        {
            *theirs = *from;
        }
        *self == alike
    }
}
