//! What comes in and what goes out.

use super::state::RunStatus;
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use vextir::{EventId, Name, Pattern, Timestamp};

/// One attempt at a step, or at one element of its `for_each`. Attempts count from 1 and never repeat, also when a
/// run is retried.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) step: Name,
    pub(crate) item: Option<u32>,
    pub(crate) attempt: u32,
}

/// `fetch/1`, or with an element `fetch/17/1`.
impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            Some(item) => write!(f, "{}/{item}/{}", self.step, self.attempt),
            None => write!(f, "{}/{}", self.step, self.attempt),
        }
    }
}

/// An event that answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) event_id: EventId,
    pub(crate) event_type: Name,
    pub(crate) data: Value,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The wait before the attempt after this one is over.
    Retry,
    /// This attempt took too long.
    Timeout,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Happened {
    /// All that the step's event caused is over.
    Ended {
        at: At,
        /// What is in its branch, in the order of the log; `error` events too.
        answers: Vec<Answer>,
        /// How many more there were, which nobody named.
        more: u64,
        /// It failed in a way that no `error` event among the answers tells: its branch was cancelled, for one.
        failed: Option<String>,
    },
    /// The step's event was refused: by a policy, or since its data do not fit. It is not tried again.
    Refused { at: At, reason: String },
    /// The step's event, or one that it caused, is held: by a policy, or since its driver is gone. It goes on later, or never.
    Held { at: At, reason: String },
    /// One that was held goes on.
    GoesOn { at: At },
    /// An event came that a wait may take.
    Came { at: At, event: Answer },
    /// A timer fell due.
    Due { at: At, what: Due },
    /// A person decided.
    Decided { at: At, approved: bool, by: Name, reason: Option<String> },
    /// The run of another instruction is over.
    RunEnded {
        at: At,
        status: RunStatus,
        output: Value,
        error: Option<String>,
        /// The event that says so: a large output is kept by reference to it.
        event_id: Option<EventId>,
    },
    /// A run that waited for its turn has it.
    Turn,
    /// Nothing new begins until it is resumed.
    Pause,
    /// It goes on.
    Resume,
    /// It ends now.
    Cancel,
    /// A run that failed or was cancelled goes on from this step.
    RetryFrom { step: Name },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// Emits an event and watches what it causes.
    Emit { at: At, event_type: Name, data: Value },
    /// Waits for an event; each that matches is told, until the wait is over.
    Wait {
        at: At,
        event: Pattern,
        /// The interpreter decides it, when the event is told.
        condition: Option<String>,
        /// Those that came since then count, too.
        since: Option<Timestamp>,
    },
    /// Asks a person.
    Ask { at: At, message: String },
    /// Runs another instruction.
    Start { at: At, instruction: Name, inputs: Value },
    /// Tells after a while that something is due.
    Timer { at: At, what: Due, after: Duration },
    /// This timer is needed no more. One that comes all the same does no harm.
    StopTimer { at: At, what: Due },
    /// Ends what this attempt began, whatever it is: the branch of its event, a wait, a question, a run.
    CancelBranch { at: At },
    /// The run is over.
    Finished {
        /// How often it was retried before: a run that is retried is over more than once.
        round: u32,
        status: RunStatus,
        /// The output of its last step; of several last steps an object by their ids.
        output: Value,
        error: Option<String>,
    },
}

impl Command {
    /// What names it, in its run and everywhere: who carries it out twice under this name does it once.
    pub(crate) fn key(&self, run: &Name) -> String {
        let of = |kind: &str, at: &At| format!("{run}/{at}/{kind}");
        match self {
            Self::Emit { at, .. } => of("emit", at),
            Self::Wait { at, .. } => of("wait", at),
            Self::Ask { at, .. } => of("ask", at),
            Self::Start { at, .. } => of("run", at),
            Self::Timer { at, what: Due::Retry, .. } => of("retry", at),
            Self::Timer { at, what: Due::Timeout, .. } => of("timeout", at),
            Self::StopTimer { at, what: Due::Retry } => of("stop-retry", at),
            Self::StopTimer { at, what: Due::Timeout } => of("stop-timeout", at),
            Self::CancelBranch { at } => of("cancel", at),
            Self::Finished { round, .. } => format!("{run}/finished/{round}"),
        }
    }
}
