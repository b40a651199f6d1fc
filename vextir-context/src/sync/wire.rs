//! What replicas say to each other.
//!
//! A message is JSON (`serde_json`, which refuses deep nesting), with bytes as hexadecimal text: a few documents more
//! or less a second do not make a second format worth its attack surface. It carries its version, the sessions that
//! it goes from and to, and its number, so that one from another session or for the second time is known as such.

use super::fact::{Fact, Say};
use super::identity::Vector;
use super::name::{Bytes, Uid};
use crate::graph::GraphPart;
use serde::{Deserialize, Serialize};
use vextir_core::context::clean_path;
use vextir_core::{Error, ErrorKind, MAX_NAME_BYTES, Result};

/// The version of what is said.
const VERSION: u8 = 1;
/// Bytes of one message.
pub(super) const MESSAGE: usize = 160 << 20;
/// Operations or nodes in one message.
pub(super) const ITEMS: usize = 20_000;
/// Operations, facts of one node, scopes.
const PARTS: usize = 10_000;
/// The latest clock that is believed at all, so that sums do not overflow: the year 9999.
const LATEST: i64 = 253_402_300_799_000_000;

/// One message with what surrounds it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Frame {
    #[serde(rename = "v")]
    pub(super) version: u8,
    pub(super) from: Uid,
    /// The session that it answers; missing only as long as that is unknown.
    pub(super) to: Option<Uid>,
    /// Counts from 1 in each direction; 0 says only what was seen.
    #[serde(rename = "n")]
    pub(super) number: u64,
    /// Up to which number the other side's messages have come.
    pub(super) seen: u64,
    #[serde(rename = "m")]
    pub(super) message: Message,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub(super) enum Message {
    Hello(Hello),
    /// What did not fit into the hello.
    Further(Known),
    Operations(Operations),
    /// What came last is stored or waits, but for so many operations.
    Took {
        refused: u64,
    },
    /// These nodes are missing.
    Want {
        scope: Uid,
        nodes: Vec<Uid>,
    },
    Nodes {
        scope: Scope,
        nodes: Vec<Record>,
    },
    /// All operations are sent, and taken by the other side.
    Sent,
    /// What each scope comes to.
    Digests {
        scopes: Vec<(Uid, String)>,
    },
    /// What each node of a scope comes to, up to a node; for the scopes that differ.
    Compare {
        scope: Uid,
        after: Option<Uid>,
        until: Option<Uid>,
        nodes: Vec<(Uid, String)>,
    },
    /// No more of these will come.
    Compared,
    /// Episodes and relations that the other side lacks, or has otherwise.
    Graph(GraphPart),
    /// Nothing more will come.
    Done,
    /// Nothing but what was seen.
    Seen,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Hello {
    /// On whose behalf: what this user may read is what is exchanged.
    pub(super) user: String,
    /// The file, through all its incarnations.
    pub(super) file: Uid,
    pub(super) replica: Uid,
    pub(super) known: Known,
}

/// What a replica has, or a part of that: a file that was opened often has more to tell than fits into one message.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Known {
    /// What the file made itself, by incarnation; it has that in each scope.
    #[serde(default, skip_serializing_if = "Vector::is_empty")]
    pub(super) own: Vector,
    /// What it took in from others.
    pub(super) scopes: Vec<(Scope, Vector)>,
    /// The rest comes with [`Message::Further`].
    #[serde(default)]
    pub(super) more: bool,
}

/// A tree, or what is shared of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Scope {
    pub(super) top: Uid,
    pub(super) owner: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Operations {
    pub(super) scope: Scope,
    pub(super) operations: Vec<Operation>,
}

/// One change by one replica.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Operation {
    pub(super) by: Uid,
    pub(super) n: u64,
    pub(super) node: Uid,
    pub(super) folder: bool,
    /// When the node was made.
    pub(super) created: i64,
    /// The deed, as the operation log stores it.
    pub(super) what: i64,
    pub(super) at: i64,
    pub(super) user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) driver: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) facts: Vec<Fact>,
    /// What changed in the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Bytes>,
}

/// A node as it is: for who does not have it, or has another one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) node: Uid,
    pub(super) folder: bool,
    pub(super) created: i64,
    pub(super) facts: Vec<Fact>,
    /// The whole content, as an update.
    pub(super) state: Option<Bytes>,
}

impl Frame {
    pub(super) fn new(from: Uid, to: Option<Uid>, number: u64, seen: u64, message: Message) -> Self {
        Self { version: VERSION, from, to, number, seen, message }
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let bytes = serde_json::to_vec(self)
            .map_err(|error| Error::invalid("a message of sync cannot be written").with_source(error))?;
        if bytes.len() > MESSAGE {
            return Err(Error::invalid(format!(
                "a document is too large to travel: {} bytes, at most {MESSAGE}; divide it",
                bytes.len()
            )));
        }
        Ok(bytes)
    }

    /// Reads a message with suspicion: nothing in it is out of its bounds then.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MESSAGE {
            return Err(malformed(format_args!("has {} bytes, at most {MESSAGE}", bytes.len())));
        }
        let version: Version = serde_json::from_slice(bytes).map_err(unreadable)?;
        if version.v != VERSION {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "the peer speaks version {} of sync, and this replica {VERSION}; update the older one",
                    version.v
                ),
            ));
        }
        let frame: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        frame.message.check()?;
        Ok(frame)
    }
}

#[derive(Deserialize)]
struct Version {
    v: u8,
}

/// The library's text is left out: it cites the message.
fn unreadable(error: serde_json::Error) -> Error {
    malformed(format_args!("cannot be read ({:?} at byte {})", error.classify(), error.column()))
}

fn malformed(what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("a message of sync {what}; it was not taken in"))
}

impl Message {
    fn check(&self) -> Result<()> {
        match self {
            Self::Hello(hello) => {
                check_name(&hello.user)?;
                hello.known.check()
            }
            Self::Further(known) => known.check(),
            Self::Operations(Operations { scope, operations }) => {
                check_name(&scope.owner)?;
                check_count(operations.len(), ITEMS)?;
                operations.iter().try_for_each(Operation::check)
            }
            Self::Took { .. } => Ok(()),
            Self::Want { nodes, .. } => check_count(nodes.len(), ITEMS),
            Self::Nodes { scope, nodes } => {
                check_name(&scope.owner)?;
                check_count(nodes.len(), ITEMS)?;
                nodes.iter().try_for_each(|node| check_facts(&node.facts, node.created, node.folder))
            }
            Self::Digests { scopes } => check_count(scopes.len(), ITEMS),
            Self::Graph(part) => part.check().map_err(malformed),
            Self::Compare { nodes, .. } => check_count(nodes.len(), ITEMS),
            Self::Sent | Self::Compared | Self::Done | Self::Seen => Ok(()),
        }
    }
}

impl Known {
    fn check(&self) -> Result<()> {
        let vectors = self.scopes.iter().map(|(_, vector)| vector).chain([&self.own]);
        check_count(vectors.clone().map(|vector| vector.len() + 1).sum(), ITEMS)?;
        vectors.flat_map(Vector::values).try_for_each(|counter| check_counter(*counter))?;
        self.scopes.iter().try_for_each(|(scope, _)| check_name(&scope.owner))
    }
}

impl Operation {
    /// Whether its content may be the first that the node had: of a new document, or of a folder's guide.
    pub(super) fn may_found(&self) -> bool {
        matches!(self.what, 0 | 5)
    }

    fn check(&self) -> Result<()> {
        check_name(&self.user)?;
        self.agent.iter().chain(&self.driver).try_for_each(|name| check_name(name))?;
        if self.cause.as_ref().is_some_and(|cause| cause.is_empty() || cause.len() > MAX_NAME_BYTES) {
            return Err(malformed("has an impossible cause"));
        }
        if !(0..=8).contains(&self.what) {
            return Err(malformed(format_args!("has the unknown deed {}", self.what)));
        }
        check_counter(self.n)?;
        check_time(self.at)?;
        check_facts(&self.facts, self.created, self.folder)
    }
}

fn check_facts(facts: &[Fact], created: i64, is_folder: bool) -> Result<()> {
    check_time(created)?;
    check_count(facts.len(), PARTS)?;
    for fact in facts {
        check_time(fact.clock)?;
        match &fact.say {
            // Kept back with its folder.
            Say::Place { parent: None, name, .. } if name.is_empty() => {}
            Say::Place { name, .. } => {
                let path = format!("/{name}");
                if name.is_empty() || name.contains('/') || clean_path(&path).ok().as_ref() != Some(&path) {
                    return Err(malformed("has an impossible name of a node"));
                }
            }
            // Below zero are states of house-keeping.
            Say::Removed { at } => match at {
                Some(at) if !(0..=LATEST).contains(at) => return Err(malformed("has an impossible time")),
                _ => {}
            },
            Say::Restricted { over, .. } => check_count(over.len(), PARTS)?,
            Say::Level { who, level, over } => {
                check_count(over.len(), PARTS)?;
                let name = who.strip_prefix("u:").or(who.strip_prefix("g:")).or(who.strip_prefix("a:"));
                check_name(name.unwrap_or_default())?;
                if !(0..=4).contains(level) {
                    return Err(malformed("has an unknown level"));
                }
            }
            Say::Keep { versions, removed, over } => {
                check_count(over.len(), PARTS)?;
                if !is_folder || versions.is_some_and(|age| age < 0) || removed.is_some_and(|age| age < 0) {
                    return Err(malformed("keeps the past of what is no folder, or for less than no time"));
                }
            }
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(malformed("has an impossible name of a user, an agent or a driver"));
    }
    Ok(())
}

fn check_count(count: usize, most: usize) -> Result<()> {
    if count > most { Err(malformed(format_args!("has {count} parts, at most {most}"))) } else { Ok(()) }
}

fn check_counter(counter: u64) -> Result<()> {
    if i64::try_from(counter).is_ok_and(|counter| counter < i64::MAX) {
        Ok(())
    } else {
        Err(malformed("counts too far"))
    }
}

fn check_time(micros: i64) -> Result<()> {
    if (-LATEST..=LATEST).contains(&micros) { Ok(()) } else { Err(malformed("has an impossible time")) }
}
