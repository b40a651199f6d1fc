//! When a schedule fires: at one time, by cron, or every so often. Pure: nothing here looks at a clock.

mod cron;

pub use cron::check_cron;

use crate::{Error, Result, Timestamp};
use croner::Cron;
use jiff::Zoned;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The shortest period of a schedule.
const SHORTEST: Duration = Duration::from_millis(100);

/// When a schedule fires. Each time is called a slot; together with the schedule's id it names one firing.
///
/// As JSON: `{"at": "2025-06-16T09:00:00Z"}`, `{"cron": "0 9 * * MON-FRI", "timezone": "America/New_York"}` or
/// `{"every_ms": 60000, "from": "2025-06-16T09:00:00Z"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
#[non_exhaustive]
pub enum Times {
    /// Once.
    Once {
        /// The slot.
        #[schemars(with = "String")]
        at: Timestamp,
    },
    /// By a cron expression of five fields (minute, hour, day of month, month, day of week), or six with seconds in
    /// front, as POSIX and Vixie cron read them, with names (`MON-FRI`, `JAN`). In a time zone of the IANA database.
    ///
    /// Where a clock goes forward, what was meant for the hour that is left out fires once, right after it, if it has
    /// a fixed time of day; what fires every so often (with `*` in its hours or minutes) has no slot there. Where a
    /// clock goes back, what has a fixed time of day fires once, the first time; what fires every so often goes on
    /// through both hours.
    Cron {
        /// The expression.
        cron: String,
        /// The time zone; `UTC` if it is not said.
        #[serde(default = "utc")]
        timezone: String,
    },
    /// Every so often, counted from a moment: it does not drift, and no time zone matters.
    Every {
        /// The period in milliseconds, at least 100.
        every_ms: u64,
        /// The first slot is one period after it; the moment at which it was asked for, if it is not said.
        #[serde(default, skip_serializing_if = "is_unset")]
        #[schemars(with = "String")]
        from: Timestamp,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_unset(moment: &Timestamp) -> bool {
    moment.is_unset()
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Times {
    /// Refuses what cannot be understood, and what never fires.
    ///
    /// # Errors
    /// `Invalid`, with what is wrong and how to write it.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Cron { cron, timezone } => {
                zone(timezone)?;
                check_cron(cron, timezone)
                    .map_err(|(wrong, help)| Error::invalid(format!("cron {cron:?}: {wrong}; {help}")))
            }
            Self::Every { every_ms, .. } if Duration::from_millis(*every_ms) < SHORTEST => {
                let message =
                    format!("a schedule fires at most every {SHORTEST:?}; {every_ms} ms is too often");
                Err(Error::invalid(message))
            }
            Self::Once { .. } | Self::Every { .. } => Ok(()),
        }
    }

    /// The first slot after a moment; `None` if there is none any more.
    ///
    /// # Errors
    /// As [`Times::check`], but for what never fires.
    pub fn next_after(&self, moment: Timestamp) -> Result<Option<Timestamp>> {
        match self {
            Self::Once { at } => Ok(Some(*at).filter(|at| *at > moment)),
            Self::Cron { cron, timezone } => Ok(next(&parse(cron)?, &zone(timezone)?, moment)),
            Self::Every { every_ms, from } => {
                let period = i64::try_from(every_ms.saturating_mul(1_000)).unwrap_or(i64::MAX).max(1);
                let passed = moment.as_micros().saturating_sub(from.as_micros()).max(0);
                let slot = (passed / period + 1).saturating_mul(period).saturating_add(from.as_micros());
                Ok(Some(Timestamp::from_micros(slot)).filter(|slot| *slot > moment))
            }
        }
    }

    /// Whether there is never more than one slot.
    #[must_use]
    pub fn is_once(&self) -> bool {
        matches!(self, Self::Once { .. })
    }
}

fn parse(text: &str) -> Result<Cron> {
    cron::parse(text).map_err(|error| Error::invalid(format!("cron {text:?}: {error}")))
}

fn zone(name: &str) -> Result<TimeZone> {
    TimeZone::get(name).map_err(|_| {
        Error::invalid(format!(
            "time zone {name:?} is not known; write a name of the IANA database, as in \"America/New_York\" or \"UTC\""
        ))
    })
}

fn next(cron: &Cron, zone: &TimeZone, moment: Timestamp) -> Option<Timestamp> {
    let moment = jiff::Timestamp::from_microsecond(moment.as_micros()).ok()?;
    let found: Zoned = cron.find_next_occurrence(&moment.to_zoned(zone.clone()), false).ok()?;
    Some(Timestamp::from_micros(found.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests;
