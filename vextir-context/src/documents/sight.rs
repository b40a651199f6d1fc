//! What an actor sees of one line of the operation log.

use super::history::{Entry, level_for};
use super::node::{self, Node, NodeId, join};
use super::place::{SHARED, mounted, seen_as};
use super::rights::level_at;
use crate::fault::{OrFault, damaged};
use crate::queries::signed;
use rusqlite::Connection;
use serde_json::{Value, json};
use vextir_core::context::{Changed, Deed, is_within};
use vextir_core::{Actor, Level, Result, Sequence};

/// The way to a node as it is now, for those who will not see it any more: each node, its name, and whether it is
/// restricted.
pub(super) fn trail(chain: &[Node]) -> Value {
    chain.iter().map(|node| json!([node.id, node.name.as_str(), node.restricted])).collect()
}

/// What an actor sees of one change, if it is at or below a path.
pub(super) fn seen(
    connection: &Connection,
    actor: &Actor,
    prefix: &str,
    entry: Entry,
) -> Result<Option<(Sequence, Changed)>> {
    let chain = node::chain(connection, entry.node)?;
    let Some(root) = chain.first() else { return Ok(None) };
    // Somebody else's tree is only looked at by who watches what is shared.
    if root.name != actor.user && !is_within(prefix, "/Shared") && prefix != "/" {
        return Ok(None);
    }
    // What was done in a folder that is removed by now was done before, and is told all the same.
    let level = level_at(connection, actor, &chain)?;
    let deed = entry.revision.what;
    let is_shown = match deed {
        // It concerns those whom it let in.
        Deed::Granted if level >= Level::Read => level == Level::Admin || names(connection, actor, &entry)?,
        Deed::Restricted if level >= Level::Read => {
            level == Level::Admin || entry.detail.as_ref().is_some_and(|detail| detail["on"] == false)
        }
        deed => level >= level_for(deed),
    };
    let path = if is_shown { seen_as(connection, actor, &chain, prefix)? } else { None };
    let from = match &entry.detail {
        Some(detail) if deed == Deed::Moved => moved_from(connection, actor, chain.last(), detail, prefix)?,
        Some(detail) if level < Level::Read => left(connection, actor, &root.name, &entry, detail, prefix)?,
        _ => None,
    };
    let (path, from, what) = match (path, from) {
        (Some(path), from) => (path, from, deed),
        // What goes out of sight is gone: where to is not told.
        (None, Some(from)) => (from, None, Deed::Removed),
        (None, None) => return Ok(None),
    };
    if !is_within(&path, prefix) && !from.as_ref().is_some_and(|from| is_within(from, prefix)) {
        return Ok(None);
    }
    let (sequence, revision) = (entry.sequence, entry.revision(&root.name));
    let mut changed = Changed::new(path, what, revision.version, revision.at, revision.by);
    changed.from = from;
    Ok(Some((sequence, changed)))
}

/// The path before a move, as the folder that it was in is called now.
fn moved_from(
    connection: &Connection,
    actor: &Actor,
    moved: Option<&Node>,
    detail: &Value,
    prefix: &str,
) -> Result<Option<String>> {
    let (Some(parent), Some(name)) = (detail["parent"].as_i64(), detail["name"].as_str()) else {
        return Err(damaged("a move"));
    };
    let chain = node::chain(connection, parent)?;
    if !node::is_live(&chain) || level_at(connection, actor, &chain)? < Level::Read {
        return Ok(None);
    }
    // A restricted folder has rights of its own, also where it was.
    let whole: Vec<Node> = chain.iter().chain(moved).cloned().collect();
    if level_at(connection, actor, &whole)? < Level::Read {
        return Ok(None);
    }
    Ok(seen_as(connection, actor, &chain, prefix)?.map(|folder| join(&folder, [name])))
}

/// Whether a grant is to an actor, or to a group that its user was in then.
fn names(connection: &Connection, actor: &Actor, entry: &Entry) -> Result<bool> {
    let Some(who) = entry.detail.as_ref().and_then(|detail| detail["who"].as_str()) else {
        return Ok(false);
    };
    Ok(is_agent(actor, who) || is_user(connection, actor, who, entry.sequence)?)
}

fn is_agent(actor: &Actor, who: &str) -> bool {
    actor.agent.as_ref().is_some_and(|agent| who.strip_prefix("a:") == Some(agent.as_str()))
}

fn is_user(connection: &Connection, actor: &Actor, who: &str, then: Sequence) -> Result<bool> {
    if let Some(user) = who.strip_prefix("u:") {
        return Ok(actor.user == *user);
    }
    connection
        .prepare_cached("SELECT 1 FROM member WHERE user = ?1 AND who = ?2 AND since < ?3")
        .and_then(|mut statement| statement.exists((actor.user.as_str(), who, signed(then))))
        .or_fault()
}

/// The path of what a revocation or a restriction took out of an actor's sight, as it was called then. `None` unless it
/// was in sight, as far as can be told from the rights that are still there.
fn left(
    connection: &Connection,
    actor: &Actor,
    owner: &str,
    entry: &Entry,
    detail: &Value,
    prefix: &str,
) -> Result<Option<String>> {
    let Some(trail) = detail["trail"].as_array() else { return Ok(None) };
    let step = |step: &Value| Some((step[0].as_i64()?, step[1].as_str()?.to_owned()));
    // Nothing above the last restricted folder let anybody in.
    let open = trail.iter().rposition(|step| step[2] == true).unwrap_or(0);
    let trail: Vec<(NodeId, String)> = trail.iter().filter_map(step).collect();
    let who = detail["who"].as_str().unwrap_or_default();
    if let Some(agent) = &actor.agent
        && !is_agent(actor, who)
    {
        let agent = format!("a:{agent}");
        let mut had = false;
        for (node, _) in trail.iter().skip(open) {
            had |= has_since(connection, *node, &agent, entry.sequence)?;
        }
        if !had {
            return Ok(None);
        }
    }
    let below = |from: usize| trail.iter().skip(from).map(|(_, name)| name.as_str());
    if actor.user == *owner {
        return Ok(actor.agent.is_some().then(|| join("/", below(1))));
    }
    let lost = is_user(connection, actor, who, entry.sequence)?;
    let mut found = None;
    for (index, (node, _)) in trail.iter().enumerate().skip(open) {
        let saw =
            lost && index + 1 == trail.len() || user_has_since(connection, actor, *node, entry.sequence)?;
        let Some((owner, name)) = mounted(connection, &actor.user, *node)?.filter(|_| saw) else { continue };
        let shown = [owner.as_str(), name.as_str()];
        let path = join(&join("/", [SHARED]), shown);
        let path = join(&path, below(index + 1));
        if is_within(&path, prefix) {
            return Ok(Some(path));
        }
        found = found.or(Some(path));
    }
    Ok(found)
}

/// Whether a right at a node is older than a change.
fn has_since(connection: &Connection, node: NodeId, who: &str, then: Sequence) -> Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM entitlement WHERE node = ?1 AND who = ?2 AND since < ?3")
        .and_then(|mut statement| statement.exists((node, who, signed(then))))
        .or_fault()
}

fn user_has_since(connection: &Connection, actor: &Actor, node: NodeId, then: Sequence) -> Result<bool> {
    if has_since(connection, node, &format!("u:{}", actor.user), then)? {
        return Ok(true);
    }
    connection
        .prepare_cached(
            "SELECT 1 FROM entitlement JOIN member ON member.who = entitlement.who
             WHERE node = ?1 AND user = ?2 AND entitlement.since < ?3 AND member.since < ?3",
        )
        .and_then(|mut statement| statement.exists((node, actor.user.as_str(), signed(then))))
        .or_fault()
}
