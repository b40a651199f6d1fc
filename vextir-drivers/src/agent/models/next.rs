//! Whom an attempt asks first, and what comes after a failure: pure.

use crate::agent::{ModelError, ModelErrorClass};
use std::time::Duration;

/// A longer pause than this is not waited for where another model can be asked.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest pause that a provider can ask for.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask the next of the chain.
    Another,
    /// Begin again later, after this pause if one is asked for.
    Later(Option<Duration>),
    /// Nobody answers, and nobody will.
    Over,
    /// Nobody answers now, and it was tried often enough.
    GiveUp,
}

/// Where attempt number `attempt` (from 1) at a chain begins: the one that failed last gets its second try.
pub(super) fn first(attempt: u32, chain: usize) -> usize {
    let passed = usize::try_from(attempt.saturating_sub(2)).unwrap_or(usize::MAX);
    passed.min(chain.saturating_sub(1))
}

/// Decides after the failure of the model at `at`, in attempt number `attempt` at a chain. What may pass by is tried twice.
pub(super) fn next(error: &ModelError, attempt: u32, at: usize, chain: usize) -> Next {
    let has_another = at + 1 < chain;
    let is_second_try = attempt > 1 && at == first(attempt, chain);
    match error.class() {
        ModelErrorClass::BadRequest => Next::Over,
        class if class.is_transient() => {
            let is_far = error.pause().is_some_and(|pause| pause > PATIENCE);
            if has_another && (is_second_try || is_far) {
                Next::Another
            } else if is_second_try {
                Next::GiveUp
            } else {
                Next::Later(error.pause().map(|pause| pause.min(LONGEST)))
            }
        }
        _ if has_another => Next::Another,
        _ => Next::Over,
    }
}

/// Of two failures in one chain, the one that says more about the request than about the model.
pub(super) fn telling<T>(before: Option<(T, ModelError)>, now: (T, ModelError)) -> (T, ModelError) {
    let rank = |error: &ModelError| match error.class() {
        ModelErrorClass::BadRequest => 3,
        ModelErrorClass::ContextTooLong => 2,
        ModelErrorClass::Refused => 1,
        _ => 0,
    };
    match before {
        Some(before) if rank(&before.1) >= rank(&now.1) => before,
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::{Next, first, next, telling};
    use crate::agent::{ModelError, ModelErrorClass};
    use std::time::Duration;

    /// Which models are asked in which attempt, if each fails like this.
    fn asked(class: ModelErrorClass, chain: usize) -> (Vec<Vec<usize>>, Next) {
        let error = ModelError::new(class, "no");
        let mut all = Vec::new();
        for attempt in 1.. {
            let mut asked = Vec::new();
            for at in first(attempt, chain).. {
                asked.push(at);
                match next(&error, attempt, at, chain) {
                    Next::Another => {}
                    Next::Later(_) => break,
                    end => {
                        all.push(asked);
                        return (all, end);
                    }
                }
            }
            all.push(asked);
        }
        unreachable!()
    }

    #[test]
    fn each_model_is_tried_twice_where_that_may_help() {
        use ModelErrorClass::*;
        assert_eq!(asked(Overloaded, 1), (vec![vec![0], vec![0]], Next::GiveUp));
        assert_eq!(asked(RateLimited, 3), (vec![vec![0], vec![0, 1], vec![1, 2], vec![2]], Next::GiveUp));
        assert_eq!(asked(Unauthorized, 3), (vec![vec![0, 1, 2]], Next::Over));
        assert_eq!(asked(ContextTooLong, 1), (vec![vec![0]], Next::Over));
        assert_eq!(asked(BadRequest, 3), (vec![vec![0]], Next::Over));
    }

    #[test]
    fn a_long_pause_is_not_waited_for_where_another_can_be_asked() {
        let hour = Duration::from_secs(3_600);
        let error = ModelError::new(ModelErrorClass::RateLimited, "no").retry_after(hour);
        assert_eq!(next(&error, 1, 0, 2), Next::Another);
        assert_eq!(next(&error, 1, 0, 1), Next::Later(Some(Duration::from_secs(600))));
    }

    #[test]
    fn what_concerns_the_request_is_told() {
        let error = |class| ModelError::new(class, "no");
        let long = error(ModelErrorClass::ContextTooLong);
        let told = telling(Some((1, long.clone())), (2, error(ModelErrorClass::Unauthorized)));
        assert_eq!(told, (1, long.clone()));
        assert_eq!(telling(Some((1, error(ModelErrorClass::Refused))), (2, long.clone())), (2, long));
    }
}
