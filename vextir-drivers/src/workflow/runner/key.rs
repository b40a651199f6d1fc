//! Names: of the events that concern an instruction, and of what a plan has begun.

use crate::workflow::run::At;
use sha2::{Digest, Sha256};
use vextir::{Error, Event, EventId, Name, Result};

/// What an event that concerns an instruction asks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Run,
    Begin,
    Enter,
    Leave,
    Queue,
    Go,
    Pause,
    Resume,
    Cancel,
    Retry,
    Fork,
    Forked,
    Decide,
    Timer,
    Came,
    Look,
    Returned,
}

impl Verb {
    pub(super) const ALL: [Self; 17] = [
        Self::Run,
        Self::Begin,
        Self::Enter,
        Self::Leave,
        Self::Queue,
        Self::Go,
        Self::Pause,
        Self::Resume,
        Self::Cancel,
        Self::Retry,
        Self::Fork,
        Self::Forked,
        Self::Decide,
        Self::Timer,
        Self::Came,
        Self::Look,
        Self::Returned,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Begin => "begin",
            Self::Enter => "enter",
            Self::Leave => "leave",
            Self::Queue => "queue",
            Self::Go => "go",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Fork => "fork",
            Self::Forked => "forked",
            Self::Decide => "decide",
            Self::Timer => "timer",
            Self::Came => "came",
            Self::Look => "look",
            Self::Returned => "returned",
        }
    }
}

pub(super) fn event_type(instruction: &str, verb: Verb) -> Name {
    format!("instruction.{instruction}.{}", verb.word()).into()
}

/// What an event asks of this instruction.
pub(super) fn verb(instruction: &str, event_type: &str) -> Option<Verb> {
    let word = event_type.strip_prefix("instruction.")?.strip_prefix(instruction)?.strip_prefix('.')?;
    Verb::ALL.into_iter().find(|verb| verb.word() == word)
}

/// The instruction that an event is about.
pub(super) fn instruction(event_type: &str) -> Option<&str> {
    Some(event_type.strip_prefix("instruction.")?.rsplit_once('.')?.0)
}

/// The instruction that an event asks to run.
pub(in crate::workflow) fn asked_instruction(event_type: &str) -> Option<&str> {
    event_type.strip_prefix("instruction.")?.strip_suffix(".run")
}

/// The plan that an event begins: the same, however often it is handled.
pub(super) fn plan_of(instruction: &str, cause: &Event) -> Name {
    let digest = Sha256::digest(format!("{}\0{}", cause.user_id, cause.id));
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{instruction}-{hex}").into()
}

/// The ordering key of all that concerns a plan.
pub(super) fn order(plan: &str) -> Name {
    format!("plan/{plan}").into()
}

/// Refuses what does not come in turn.
pub(super) fn in_turn(verb: Verb, plan: &str, event: &Event) -> Result<()> {
    match verb {
        // Gates look for themselves.
        Verb::Run | Verb::Fork | Verb::Enter | Verb::Leave => Ok(()),
        _ => has_key(event, &order(plan)),
    }
}

/// Refuses an event without this ordering key.
pub(super) fn has_key(event: &Event, key: &Name) -> Result<()> {
    if event.ordering_key.as_ref() == Some(key) {
        return Ok(());
    }
    let message = format!("{}: set the ordering key {key:?}, so that it comes in turn", event.event_type);
    Err(Error::invalid(message))
}

/// The event with which a plan begins, and which all that it does names as its cause.
pub(super) fn begin(plan: &str) -> Result<EventId> {
    format!("{plan}/begin").parse()
}

/// The event with which a plan that waited for its turn goes to work.
pub(super) fn go(plan: &str) -> Result<EventId> {
    format!("{plan}/go").parse()
}

/// What a plan has begun under this id: the plan, the attempt, and its kind.
pub(super) fn parse(id: &EventId) -> Option<(Name, At, &str)> {
    let (plan, rest) = id.foreign()?.split_once('/')?;
    let (place, kind) = rest.rsplit_once('/')?;
    Some((plan.into(), at(place)?, kind))
}

/// `fetch/1`, or with an element `fetch/17/1`.
pub(super) fn at(text: &str) -> Option<At> {
    let mut parts = text.split('/');
    let (step, first, second) = (parts.next()?, parts.next()?.parse().ok()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    let (item, attempt) = match second {
        None => (None, first),
        Some(second) => (Some(first), second.parse().ok()?),
    };
    Some(At { step: step.into(), item, attempt })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_made() {
        for at in [
            At { step: "a".into(), item: None, attempt: 3 },
            At { step: "b-c".into(), item: Some(17), attempt: 1 },
        ] {
            let id: EventId = format!("plan-1/{at}/emit").parse().unwrap();
            assert_eq!(parse(&id), Some(("plan-1".into(), at, "emit")));
        }
        for odd in ["plan/begin", "plan", "a/b/c/d", "p/s/1/2/3/emit", "p/s/-1/emit"] {
            assert_eq!(parse(&odd.parse().unwrap()), None, "{odd}");
        }
        assert_eq!(verb("x", "instruction.x.run"), Some(Verb::Run));
        assert_eq!(verb("x", "instruction.xy.run"), None);
        assert_eq!(verb("x", "instruction.x.finished"), None);
        assert_eq!(instruction("instruction.x.run"), Some("x"));
    }
}
