//! What becomes of a failed attempt: a pure decision.

use crate::FailureClass;
use std::time::Duration;

/// How failed attempts are spaced: doubling from `base` up to `cap`, each pause spread by up to half of it
/// either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first pause. 100 ms by default.
    pub base: Duration,
    /// The longest pause. 30 s by default.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { base: Duration::from_millis(100), cap: Duration::from_secs(30) }
    }
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Retry(Duration),
    GiveUp,
}

impl RetryPolicy {
    /// The pause after attempt number `attempt` (from 1); `spread`, from 0 to 1, says where in its range it lies.
    #[must_use]
    pub fn pause(self, attempt: u32, spread: f64) -> Duration {
        let doublings = attempt.saturating_sub(1);
        let doubled = self.base.saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX));
        let seconds = doubled.min(self.cap).as_secs_f64() * (0.5 + spread.clamp(0.0, 1.0));
        Duration::try_from_secs_f64(seconds).unwrap_or(self.cap)
    }

    /// Decides after attempt number `attempt` (from 1) of `1 + retries`; `spread` is between 0 and 1.
    pub(super) fn decide(
        self,
        class: FailureClass,
        asked: Option<Duration>,
        attempt: u32,
        retries: u32,
        spread: f64,
    ) -> Next {
        if class == FailureClass::Permanent || attempt > retries {
            return Next::GiveUp;
        }
        Next::Retry(asked.unwrap_or_else(|| self.pause(attempt, spread)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap_and_end() {
        let policy = RetryPolicy { base: Duration::from_millis(100), cap: Duration::from_secs(1) };
        let pause = |attempt| policy.decide(FailureClass::Transient, None, attempt, 40, 0.5);
        assert_eq!(pause(1), Next::Retry(Duration::from_millis(100)));
        assert_eq!(pause(3), Next::Retry(Duration::from_millis(400)));
        assert_eq!(pause(40), Next::Retry(Duration::from_secs(1)));
        assert_eq!(pause(41), Next::GiveUp);
        let never = policy.decide(FailureClass::Permanent, None, 1, 40, 0.5);
        assert_eq!(never, Next::GiveUp);
        let asked = policy.decide(FailureClass::Transient, Some(Duration::from_secs(9)), 1, 1, 0.5);
        assert_eq!(asked, Next::Retry(Duration::from_secs(9)));
    }

    #[test]
    fn a_pause_is_spread_by_half_of_it_either_way() {
        let policy = RetryPolicy { base: Duration::from_millis(100), cap: Duration::from_secs(1) };
        let pause = |attempt, spread| policy.decide(FailureClass::Transient, None, attempt, 40, spread);
        for (attempt, middle) in [(1, 100), (2, 200), (40, 1_000)] {
            assert_eq!(pause(attempt, 0.0), Next::Retry(Duration::from_millis(middle / 2)));
            assert_eq!(pause(attempt, 1.0), Next::Retry(Duration::from_millis(middle * 3 / 2)));
        }
    }
}
