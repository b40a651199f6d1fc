//! Who may do what: grants along a path, cut off by the last restricted folder, and within an agent's own.

use super::node::{Node, NodeId};
use crate::decode::get;
use crate::fault::{OrFault, damaged};
use rusqlite::{Connection, OptionalExtension};
use vextir_core::context::Change;
use vextir_core::{Actor, Error, Level, Principal, Result};

/// How a principal is stored.
pub(crate) fn who(principal: &Principal) -> String {
    match principal {
        Principal::User(name) => format!("u:{name}"),
        Principal::Group(name) => format!("g:{name}"),
        Principal::Agent(name) => format!("a:{name}"),
    }
}

fn principal(who: &str) -> Result<Principal> {
    match who.split_once(':') {
        Some(("u", name)) => Ok(Principal::User(name.into())),
        Some(("g", name)) => Ok(Principal::Group(name.into())),
        Some(("k", _)) => Ok(Principal::User(super::groups::keeper(&who[2..]).into())),
        Some(("a", name)) => Ok(Principal::Agent(name.into())),
        _ => Err(damaged("a right")),
    }
}

/// How a level is stored.
pub(crate) fn number(level: Level) -> i64 {
    match level {
        Level::None => 0,
        Level::Read => 1,
        Level::Comment => 2,
        Level::Write => 3,
        Level::Admin => 4,
    }
}

pub(crate) fn level(number: i64) -> Result<Level> {
    match number {
        0 => Ok(Level::None),
        1 => Ok(Level::Read),
        2 => Ok(Level::Comment),
        3 => Ok(Level::Write),
        4 => Ok(Level::Admin),
        other => Err(damaged(format_args!("the level {other}"))),
    }
}

/// Who makes a change of an actor's command: never with more rights than the actor.
pub(super) fn acting(actor: &Actor, change: &Change) -> Result<Actor> {
    match (&actor.agent, &change.agent) {
        (Some(acts), Some(named)) if acts != named => Err(Error::invalid(format!(
            "{}: the agent {acts} cannot make a change of the agent {named}",
            change.path
        ))),
        (acts, named) => Ok(actor.clone().acting_as(acts.clone().or_else(|| named.clone()))),
    }
}

/// Rights of one actor, as they grow and are cut off on the way down a path.
#[derive(Debug, Clone)]
pub(crate) struct Rights {
    user: String,
    agent: Option<String>,
    is_owner: bool,
    of_user: Level,
    of_agent: Level,
}

impl Rights {
    /// The rights of an actor above the root of `owner`.
    pub(crate) fn of(actor: &Actor, owner: &str) -> Self {
        let is_owner = actor.user == owner;
        Self {
            user: format!("u:{}", actor.user),
            agent: actor.agent.as_ref().map(|agent| format!("a:{agent}")),
            is_owner,
            of_user: if is_owner { Level::Admin } else { Level::None },
            of_agent: Level::None,
        }
    }

    /// Whether every place of the tree is the same: nothing need be looked up.
    pub(crate) fn is_everywhere(&self) -> bool {
        self.is_owner && self.agent.is_none()
    }

    /// Goes down into a node.
    pub(crate) fn enter(&mut self, connection: &Connection, node: &Node) -> Result<()> {
        self.enter_at(connection, node.id, node.restricted)
    }

    /// The same, for one of which no more is known.
    pub(crate) fn enter_at(&mut self, connection: &Connection, id: NodeId, restricted: bool) -> Result<()> {
        if restricted {
            self.of_user = if self.is_owner { Level::Admin } else { Level::None };
            self.of_agent = Level::None;
        }
        if !self.is_owner {
            self.of_user = self.of_user.max(granted_to_user(connection, id, &self.user)?);
        }
        if let Some(agent) = &self.agent {
            self.of_agent = self.of_agent.max(granted(connection, id, agent)?);
        }
        Ok(())
    }

    /// What the user could do here without the agent.
    pub(crate) fn of_user(&self) -> Level {
        self.of_user
    }

    /// What the actor may do here.
    pub(crate) fn level(&self) -> Level {
        match self.agent {
            Some(_) => self.of_user.min(self.of_agent),
            None => self.of_user,
        }
    }
}

/// What an actor may do at the end of a chain from a root down.
pub(crate) fn level_at(connection: &Connection, actor: &Actor, chain: &[Node]) -> Result<Level> {
    let Some(root) = chain.first() else { return Ok(Level::None) };
    let mut rights = Rights::of(actor, &root.name);
    if !rights.is_everywhere() {
        for node in chain {
            rights.enter(connection, node)?;
        }
    }
    Ok(rights.level())
}

/// Everything that is granted at a node.
pub(crate) fn all_granted(connection: &Connection, node: NodeId) -> Result<Vec<(Principal, Level)>> {
    let sql = "SELECT who, level FROM entitlement WHERE node = ?1 ORDER BY who";
    let mut statement = connection.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query([node]).or_fault()?;
    let mut found: Vec<(Principal, Level)> = Vec::new();
    while let Some(row) = rows.next().or_fault()? {
        let (principal, level) = (principal(&get::<String>(row, 0)?)?, level(get(row, 1)?)?);
        // A user may have a right of its own, and another one for as long as it is in a group.
        match found.iter_mut().find(|(known, _)| *known == principal && matches!(known, Principal::User(_))) {
            Some((_, known)) => *known = level.max(*known),
            None => found.push((principal, level)),
        }
    }
    Ok(found)
}

pub(crate) fn granted(connection: &Connection, node: NodeId, who: &str) -> Result<Level> {
    let found: Option<i64> = connection
        .prepare_cached("SELECT level FROM entitlement WHERE node = ?1 AND who = ?2")
        .and_then(|mut statement| statement.query_row((node, who), |row| row.get(0)).optional())
        .or_fault()?;
    level(found.unwrap_or(0))
}

/// The user's own grant, or the highest of the user's groups.
fn granted_to_user(connection: &Connection, node: NodeId, user: &str) -> Result<Level> {
    let found: Option<i64> = connection
        .prepare_cached(
            "SELECT max(level) FROM entitlement WHERE node = ?1
             AND (who = ?2 OR who IN (SELECT who FROM member WHERE user = ?3))",
        )
        .and_then(|mut statement| {
            let name = user.get(2..).unwrap_or_default();
            statement.query_row((node, user, name), |row| row.get(0))
        })
        .or_fault()?;
    level(found.unwrap_or(0))
}
