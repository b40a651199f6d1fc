//! Names: of the events that concern an agent, and of what a run has begun.

use sha2::{Digest, Sha256};
use vextir::{Error, Event, EventId, Name, Result};

/// What an event that concerns an agent asks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Begin,
    Cancel,
    Retry,
}

impl Verb {
    pub(super) const ALL: [Self; 3] = [Self::Begin, Self::Cancel, Self::Retry];

    fn word(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
        }
    }
}

/// What a run has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    /// The model was asked, in this turn.
    Model(u32),
    /// A tool was called: in this turn, the call with this index.
    Tool(u32, usize),
}

pub(super) fn event_type(agent: &str, verb: Verb) -> Name {
    format!("agent.{agent}.{}", verb.word()).into()
}

/// What an event asks of this agent.
pub(super) fn verb(agent: &str, event_type: &str) -> Option<Verb> {
    let word = event_type.strip_prefix("agent.")?.strip_prefix(agent)?.strip_prefix('.')?;
    Verb::ALL.into_iter().find(|verb| verb.word() == word)
}

/// The run that an event begins: the same, however often it is handled.
pub(super) fn run_of(agent: &str, cause: &Event) -> Name {
    let digest = Sha256::digest(format!("{}\0{}", cause.user_id, cause.id));
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{agent}-{hex}").into()
}

/// The ordering key of all that concerns a run.
pub(super) fn order(run: &str) -> Name {
    format!("agent/{run}").into()
}

/// The run that an ordering key is about.
pub(super) fn ordered(event: &Event) -> Option<Name> {
    event.ordering_key.as_ref()?.strip_prefix("agent/").map(Name::from)
}

/// Refuses what does not come in turn.
pub(super) fn in_turn(event: &Event, run: &str) -> Result<()> {
    let key = order(run);
    if event.ordering_key.as_ref() == Some(&key) {
        return Ok(());
    }
    let message = format!("{}: set the ordering key {key:?}, so that it comes in turn", event.event_type);
    Err(Error::invalid(message))
}

/// The event with which a run begins, and which all that it does names as its cause.
pub(super) fn begin(run: &str) -> Result<EventId> {
    format!("{run}/begin").parse()
}

/// The event that a run begins something with.
pub(super) fn begun(run: &str, begun: Begun) -> Result<EventId> {
    match begun {
        Begun::Model(turn) => format!("{run}/model/{turn}").parse(),
        Begun::Tool(turn, index) => format!("{run}/tool/{turn}/{index}").parse(),
    }
}

/// What was begun under this id.
pub(super) fn parse(id: &EventId) -> Option<(Name, Begun)> {
    let mut parts = id.foreign()?.split('/');
    let (run, kind, turn) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
    let index = parts.next().map(str::parse);
    let begun = match (kind, index) {
        ("model", None) => Begun::Model(turn),
        ("tool", Some(Ok(index))) => Begun::Tool(turn, index),
        _ => return None,
    };
    parts.next().is_none().then(|| (run.into(), begun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_is_read_as_it_was_made() {
        for what in [Begun::Model(3), Begun::Tool(2, 17)] {
            assert_eq!(parse(&begun("mail-1", what).unwrap()), Some(("mail-1".into(), what)));
        }
        for odd in ["r/begin", "r", "r/model/x", "r/model/1/2", "r/tool/1", "r/tool/1/2/3"] {
            assert_eq!(parse(&odd.parse().unwrap()), None, "{odd}");
        }
        assert_eq!(verb("x", "agent.x.begin"), Some(Verb::Begin));
        assert_eq!(verb("x", "agent.xy.begin"), None);
    }
}
