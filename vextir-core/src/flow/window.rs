//! How many began within a span that moves along: exact for small numbers, never too many for large ones.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// As many moments are told apart. Where more than these begin within a span, they are counted in slices of it.
const MOMENTS: u32 = 128;

/// What began lately, under a limit of so many within any span of a length. It remembers 129 moments at the most.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use std::time::Duration;
/// use vextir::{Timestamp, Window};
///
/// let (most, per) = (2, Duration::from_secs(60));
/// let noon: Timestamp = "2025-06-15T12:00:00Z".parse()?;
/// let mut window = Window::default();
/// window.add(noon, most, per);
/// window.add(noon.after(Duration::from_secs(20)), most, per);
/// assert_eq!(window.next(noon.after(Duration::from_secs(30)), most, per), noon.after(per));
/// # Ok::<(), vextir::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Window {
    /// Moments, in microseconds, with how many began then; in order.
    began: VecDeque<(i64, u32)>,
}

impl Window {
    /// When the next one may begin: `now`, or later.
    #[must_use]
    pub fn next(&self, now: Timestamp, most: u32, per: Duration) -> Timestamp {
        let begin = now.before(per).as_micros();
        // What lies far ahead was noted by a clock that was wrong.
        let end = now.after(per).as_micros();
        let recent = || self.began.iter().filter(|(at, _)| *at > begin && *at <= end);
        let count: u64 = recent().map(|(_, count)| u64::from(*count)).sum();
        let Some(mut too_many) = (count + 1).checked_sub(u64::from(most)).filter(|many| *many > 0) else {
            return now;
        };
        for (at, count) in recent() {
            too_many = too_many.saturating_sub(u64::from(*count));
            if too_many == 0 {
                return Timestamp::from_micros(*at).after(per).max(now);
            }
        }
        now.after(per)
    }

    /// One begins now.
    pub fn add(&mut self, now: Timestamp, most: u32, per: Duration) {
        self.forget(now, per);
        let now = now.as_micros();
        let slice = match most {
            0..=MOMENTS => 1,
            _ => i64::try_from(per.as_micros().div_ceil(u128::from(MOMENTS))).unwrap_or(i64::MAX),
        };
        // As if it had begun at the end of its slice: so there are never too many.
        let at = now.div_euclid(slice.max(1)).saturating_mul(slice.max(1)).saturating_add(slice - 1);
        // A clock that was set back adds to what is there.
        match self.began.iter_mut().rev().find(|(known, _)| *known <= at) {
            Some((known, count)) if *known == at => *count = count.saturating_add(1),
            _ => {
                let place = self.began.partition_point(|(known, _)| *known < at);
                self.began.insert(place, (at, 1));
            }
        }
        while self.began.len() > MOMENTS as usize + 1 {
            self.began.pop_front();
        }
    }

    /// From when on nothing that it remembers counts any more.
    #[must_use]
    pub fn until(&self, per: Duration) -> Timestamp {
        self.began.back().map_or(Timestamp::UNSET, |(at, _)| Timestamp::from_micros(*at).after(per))
    }

    fn forget(&mut self, now: Timestamp, per: Duration) {
        let begin = now.before(per).as_micros();
        while self.began.front().is_some_and(|(at, _)| *at <= begin) {
            self.began.pop_front();
        }
    }
}
