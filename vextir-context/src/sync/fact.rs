//! What was said about structure and rights, kept as it was said. The rows of nodes and rights follow from it.

use super::identity::{number, present};
use super::name::{Stamp, Uid};
use super::rule::standing;
use super::settle;
use crate::decode::get;
use crate::documents::node::{self, Kind, NodeId};
use crate::documents::rights;
use crate::fault::{OrFault, damaged};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vextir_core::context::Deed;
use vextir_core::{Actor, Result};

/// One thing that was said about one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fact {
    pub(super) clock: i64,
    pub(super) by: Uid,
    #[serde(flatten)]
    pub(super) say: Say,
}

impl Fact {
    pub(super) fn stamp(&self) -> Stamp {
        Stamp(self.clock, self.by)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "lowercase")]
pub(super) enum Say {
    /// It was made here, or moved here. `parent`: `None` where the reader may not know. `stub`: its folder is not
    /// for the reader; it hangs below the root of its owner.
    Place {
        parent: Option<Uid>,
        name: String,
        #[serde(default, skip_serializing_if = "is_false")]
        moved: bool,
        #[serde(default, skip_serializing_if = "is_false")]
        stub: bool,
    },
    /// It was removed at a time, or restored.
    Removed { at: Option<i64> },
    /// It inherits rights no more, or again.
    Restricted { on: bool, over: Vec<Stamp> },
    /// What somebody may do here.
    Level { who: String, level: i64, over: Vec<Stamp> },
    /// For how long the folder keeps the past, in microseconds; missing: as the folder above.
    Keep { versions: Option<i64>, removed: Option<i64>, over: Vec<Stamp> },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Say {
    /// Under what it is stored.
    pub(super) fn topic(&self) -> String {
        match self {
            Self::Place { moved: false, .. } => "c".into(),
            Self::Place { .. } => "m".into(),
            Self::Removed { .. } => "r".into(),
            Self::Restricted { .. } => "x".into(),
            Self::Level { who, .. } => format!("g{who}"),
            Self::Keep { .. } => KEEP.into(),
        }
    }

    /// Whether a part of it was kept back.
    fn is_veiled(&self) -> bool {
        matches!(self, Self::Place { parent: None, .. } | Self::Place { stub: true, .. })
    }
}

/// Everything that was said about a node, with the changes that said it.
pub(super) fn of_node(connection: &Connection, node: NodeId) -> Result<Vec<Fact>> {
    select(connection, "WHERE node = ?1", node)
}

/// What one change said.
pub(super) fn of_change(connection: &Connection, sequence: i64) -> Result<Vec<Fact>> {
    select(connection, "WHERE seq = ?1", sequence)
}

fn select(connection: &Connection, condition: &str, key: i64) -> Result<Vec<Fact>> {
    let sql = format!(
        "SELECT clock, id, value FROM fact JOIN replica ON number = replica {condition} ORDER BY clock, id"
    );
    let mut statement = connection.prepare_cached(&sql).or_fault()?;
    let mut rows = statement.query([key]).or_fault()?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().or_fault()? {
        let say = serde_json::from_str(&get::<String>(row, 2)?).map_err(|_| damaged("a fact"))?;
        found.push(Fact { clock: get(row, 0)?, by: Uid::of(&get::<Vec<u8>>(row, 1)?)?, say });
    }
    Ok(found)
}

/// Every creation and move of the folders that were ever moved.
pub(super) fn of_moved_folders(connection: &Connection) -> Result<Vec<(NodeId, Fact)>> {
    let mut statement = connection
        .prepare_cached(
            "SELECT DISTINCT fact.node FROM fact INDEXED BY fact_moved JOIN node ON node.id = fact.node
             WHERE topic = 'm' AND kind = 1",
        )
        .or_fault()?;
    let mut rows = statement.query([]).or_fault()?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().or_fault()? {
        let node = get(row, 0)?;
        let said = of_node(connection, node)?.into_iter();
        found.extend(said.filter(|fact| matches!(fact.say, Say::Place { .. })).map(|fact| (node, fact)));
    }
    Ok(found)
}

/// Whether another folder was moved at the time of the last move of this one, or is said to have been later.
pub(super) fn is_before_another_move(connection: &Connection, folder: NodeId) -> Result<bool> {
    let sql = "SELECT 1 FROM fact INDEXED BY fact_moved_at JOIN node ON node.id = fact.node
               WHERE topic = 'm' AND kind = 1 AND fact.node <> ?1
               AND fact.clock >= (SELECT max(clock) FROM fact WHERE node = ?1 AND topic = 'm')";
    connection.prepare_cached(sql).and_then(|mut statement| statement.exists([folder])).or_fault()
}

/// Whether something was not said before, or tells what was kept back.
pub(super) fn is_news(known: &[Fact], fact: &Fact) -> bool {
    let same = |other: &&Fact| other.stamp() == fact.stamp() && other.say.topic() == fact.say.topic();
    known.iter().find(same).is_none_or(|other| other.say.is_veiled() && !fact.say.is_veiled())
}

/// Adds what was said; true if it is new, or tells what was kept back before.
pub(super) fn add(connection: &Connection, node: NodeId, sequence: i64, fact: &Fact) -> Result<bool> {
    let topic = fact.say.topic();
    let value = serde_json::to_string(&fact.say).map_err(|_| damaged("a fact"))?;
    let replica = number(connection, fact.by)?;
    let before: Option<String> = connection
        .prepare_cached(
            "SELECT value FROM fact WHERE node = ?1 AND topic = ?2 AND clock = ?3 AND replica = ?4",
        )
        .and_then(|mut statement| {
            statement.query_row((node, &topic, fact.clock, replica), |row| row.get(0)).optional()
        })
        .or_fault()?;
    if let Some(before) = before {
        let before: Say = serde_json::from_str(&before).map_err(|_| damaged("a fact"))?;
        if !before.is_veiled() || fact.say.is_veiled() {
            return Ok(false);
        }
    }
    connection
        .prepare_cached(
            "INSERT INTO fact (node, topic, clock, replica, seq, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (node, topic, clock, replica) DO UPDATE SET value = excluded.value",
        )
        .and_then(|mut statement| statement.execute((node, topic, fact.clock, replica, sequence, value)))
        .or_fault()?;
    Ok(true)
}

/// Under what it is stored how long a folder keeps the past.
pub(super) const KEEP: &str = "k";

/// One right as it was said: by whom, over what, and what.
pub(super) type Said = (Stamp, Vec<Stamp>, i64);

/// What was said about one right. A folder that is restricted counts as 0, an open one as 1.
pub(super) fn said(facts: &[Fact], topic: &str) -> Vec<Said> {
    let of_topic = facts.iter().filter(|fact| fact.say.topic() == topic);
    of_topic
        .filter_map(|fact| match &fact.say {
            Say::Restricted { on, over } => Some((fact.stamp(), over.clone(), i64::from(!on))),
            Say::Level { level, over, .. } => Some((fact.stamp(), over.clone(), *level)),
            Say::Keep { over, .. } => Some((fact.stamp(), over.clone(), 0)),
            _ => None,
        })
        .collect()
}

/// Notes what the last change of this replica said, and numbers names anew where that is due.
pub(crate) fn note(
    connection: &Connection,
    (node, deed, clock): (NodeId, Deed, i64),
    owner: &str,
    actor: &Actor,
    detail: Option<&Value>,
) -> Result<()> {
    let detail = detail.unwrap_or(&Value::Null);
    // Who came into a group or left it is this hub's affair.
    if deed == Deed::Written || !detail["through"].is_null() {
        return Ok(());
    }
    let sequence = connection.last_insert_rowid();
    let Some(row) = node::node(connection, node)?
        .filter(|row| row.kind != Kind::Root || deed == Deed::Granted || deed == Deed::Kept)
    else {
        return Ok(());
    };
    let before = match deed {
        // What was said before matters to neither.
        Deed::Removed | Deed::Restored => Vec::new(),
        _ => of_node(connection, node)?,
    };
    let standing = |topic: &str| standing(&said(&before, topic)).map(|(stamp, _)| stamp).collect();
    let level = |who: String, level| {
        let over = standing(&format!("g{who}"));
        Say::Level { who, level, over }
    };
    let say = match deed {
        Deed::Created | Deed::Guided | Deed::Moved => {
            let moved = deed == Deed::Moved;
            if !moved && before.iter().any(|fact| matches!(fact.say, Say::Place { .. })) {
                return Ok(());
            }
            let parent = Some(uid(connection, row.parent)?);
            vec![Say::Place { parent, name: row.name.to_string(), moved, stub: false }]
        }
        Deed::Removed | Deed::Restored => vec![Say::Removed { at: row.removed.map(|at| at.as_micros()) }],
        Deed::Granted => {
            let who = detail["who"].as_str().unwrap_or_default().to_owned();
            let granted = rights::granted(connection, node, &who)?;
            vec![level(who, rights::number(granted))]
        }
        Deed::Restricted => {
            let on = detail["on"].as_bool().unwrap_or_default();
            let own = (on && actor.user != owner).then(|| level(format!("u:{}", actor.user), 4));
            [Say::Restricted { on, over: standing("x") }].into_iter().chain(own).collect()
        }
        Deed::Kept => {
            let (versions, removed) = (detail["versions"].as_i64(), detail["removed"].as_i64());
            vec![Say::Keep { versions, removed, over: standing(KEEP) }]
        }
        _ => return Ok(()),
    };
    // What this change has seen, it comes after, however far in the future it was said.
    let last = before.iter().map(|fact| fact.clock + 1).max().unwrap_or(clock);
    let by = present(connection)?;
    for say in say {
        add(connection, node, sequence, &Fact { clock: clock.max(last), by, say })?;
    }
    settle::after_own(connection, &row, deed, detail)
}

/// The identity of a node.
pub(super) fn uid(connection: &Connection, node: NodeId) -> Result<Uid> {
    let uid: Vec<u8> = connection
        .prepare_cached("SELECT uid FROM node WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([node], |row| row.get(0)))
        .or_fault()?;
    Uid::of(&uid)
}

/// The node with an identity.
pub(super) fn node_of(connection: &Connection, uid: Uid) -> Result<Option<NodeId>> {
    connection
        .prepare_cached("SELECT id FROM node WHERE uid = ?1")
        .and_then(|mut statement| statement.query_row([uid.0], |row| row.get(0)).optional())
        .or_fault()
}
