//! What waits for one key, and what happens to it. Pure.

use crate::{Ctx, EventId, Timestamp};
use serde::{Deserialize, Serialize};

/// A wait: the document of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    pub(super) due: Timestamp,
    /// The event that began it.
    pub(super) after: EventId,
    pub(super) timer: Timer,
}

/// The one timer of a wait. A wait that begins anew keeps it: it rings too early then, and is set again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Timer {
    pub(super) at: Timestamp,
    /// The event at whose handling it was set.
    pub(super) by: EventId,
}

impl Timer {
    /// The identity of its event. What is written into the document makes no other event of it.
    pub(super) fn id(&self, cx: &Ctx) -> EventId {
        EventId::derived(self.at, cx.user(), &self.by, &format!("{}/timer", cx.driver()), 0)
    }
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// This deadline has passed.
    pub(super) tell: Option<Waiting>,
    pub(super) cancel: Option<Timer>,
    pub(super) set: Option<Timer>,
    /// What waits from now on, if that changes.
    pub(super) keep: Option<Option<Waiting>>,
}

impl Step {
    fn begin(fresh: Waiting) -> Self {
        Self { set: Some(fresh.timer.clone()), keep: Some(Some(fresh)), ..Self::default() }
    }
}

/// Something happened that begins a wait.
pub(super) fn begun(before: Option<Waiting>, fresh: Waiting, happened: Timestamp, restarts: bool) -> Step {
    match before {
        None => Step::begin(fresh),
        // The deadline of the earlier one has passed, and its timer is on its way, or was lost.
        Some(waiting) if waiting.due < happened => Step { tell: Some(waiting), ..Step::begin(fresh) },
        Some(waiting) if restarts && fresh.due > waiting.due => {
            Step { keep: Some(Some(Waiting { timer: waiting.timer, ..fresh })), ..Step::default() }
        }
        Some(_) => Step::default(),
    }
}

/// Something happened that answers what waits. When it is too late, the timer tells it.
pub(super) fn answered(waiting: Waiting, happened: Timestamp) -> Step {
    if happened > waiting.due {
        return Step::default();
    }
    Step { cancel: Some(waiting.timer), keep: Some(None), ..Step::default() }
}

/// The timer of what waits has rung; `by` is its event.
pub(super) fn rang(waiting: Waiting, now: Timestamp, by: &EventId) -> Step {
    if waiting.due <= now {
        return Step { tell: Some(waiting), keep: Some(None), ..Step::default() };
    }
    let timer = Timer { at: waiting.due, by: by.clone() };
    Step::begin(Waiting { timer, ..waiting })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(due: i64, after: &str) -> Waiting {
        let timer = Timer { at: Timestamp::from_micros(due), by: after.parse().unwrap() };
        Waiting { key: None, due: Timestamp::from_micros(due), after: after.parse().unwrap(), timer }
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn a_wait_that_begins_anew_keeps_its_timer() {
        let step = begun(Some(waiting(10, "a")), waiting(15, "b"), at(5), true);
        let kept = step.keep.clone().flatten().unwrap();
        assert_eq!((kept.due, &kept.timer, step.set), (at(15), &waiting(10, "a").timer, None));
        let step = rang(kept.clone(), at(10), &"t".parse().unwrap());
        assert_eq!(step.set, Some(Timer { at: at(15), by: "t".parse().unwrap() }));
        assert_eq!(rang(kept.clone(), at(15), &"t".parse().unwrap()).tell, Some(kept));
        assert_eq!(begun(Some(waiting(10, "a")), waiting(15, "b"), at(5), false), Step::default());
        let late = begun(Some(waiting(10, "a")), waiting(8, "b"), at(2), true);
        assert_eq!(late, Step::default(), "what happened earlier does not bring it forward");
    }

    #[test]
    fn the_last_moment_is_in_time() {
        assert_eq!(answered(waiting(10, "a"), at(10)).keep, Some(None));
        assert_eq!(answered(waiting(10, "a"), at(11)), Step::default());
        assert_eq!(begun(Some(waiting(10, "a")), waiting(15, "b"), at(10), false).tell, None);
        let next = begun(Some(waiting(10, "a")), waiting(16, "b"), at(11), true);
        assert_eq!((next.tell, next.set), (Some(waiting(10, "a")), Some(waiting(16, "b").timer)));
    }
}
