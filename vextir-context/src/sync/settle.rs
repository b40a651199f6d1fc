//! From what was said to the rows that everybody reads: places, names, removals, rights.

use super::fact::{self, Fact, KEEP, Say, said};
use super::name::{Stamp, Uid};
use super::rule::{Step, longest, lowest, names, replay, standing, unnumbered};
use crate::decode::get;
use crate::documents::node::{self, Kind, Node, NodeId};
use crate::fault::OrFault;
use rusqlite::{Connection, OptionalExtension, Params};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use vextir_core::context::Deed;
use vextir_core::{Result, Timestamp};

/// Those who want one name in one folder.
type Group = (NodeId, String);

fn execute(connection: &Connection, sql: &str, params: impl Params) -> Result<()> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params)).or_fault().map(drop)
}

fn exists(connection: &Connection, sql: &str, params: impl Params) -> Result<bool> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.exists(params)).or_fault()
}

/// After a change of this replica, which has stored its rows: numbers names anew, and does moves anew where others
/// said something for the future.
pub(super) fn after_own(connection: &Connection, row: &Node, deed: Deed, detail: &Value) -> Result<()> {
    if deed == Deed::Moved {
        execute(connection, "DELETE FROM alias WHERE node = ?1", [row.id])?;
        if row.kind == Kind::Folder && fact::is_before_another_move(connection, row.id)? {
            settle(connection, &[row.id].into(), row.updated)?;
        }
    }
    if matches!(deed, Deed::Granted | Deed::Restricted | Deed::Kept)
        || !exists(connection, "SELECT 1 FROM alias", [])?
    {
        return Ok(());
    }
    let mut groups = BTreeSet::new();
    concern(&mut groups, row.parent, &wanted(connection, row)?);
    if let (Some(parent), Some(name)) = (detail["parent"].as_i64(), detail["name"].as_str()) {
        concern(&mut groups, parent, name);
    }
    number_names(connection, groups).map(drop)
}

/// The name that a node was given, whatever it has.
pub(super) fn wanted(connection: &Connection, row: &Node) -> Result<String> {
    let alias: Option<String> = connection
        .prepare_cached("SELECT name FROM alias WHERE node = ?1")
        .and_then(|mut statement| statement.query_row([row.id], |row| row.get(0)).optional())
        .or_fault()?;
    Ok(alias.unwrap_or_else(|| row.name.to_string()))
}

/// Makes the rows of these nodes what was said about them, and of all folders that stand elsewhere for it: all nodes
/// whose places or names may have changed. `now` is when what cannot be shown counts as removed.
pub(super) fn settle(
    connection: &Connection,
    nodes: &BTreeSet<NodeId>,
    now: Timestamp,
) -> Result<BTreeSet<NodeId>> {
    // Documents hold nothing; a folder that came, or that is known better, may be where another one was moved to.
    let mut moved = BTreeMap::new();
    for node in nodes {
        if node::node(connection, *node)?.is_some_and(|row| row.kind == Kind::Folder) {
            moved = held(connection)?;
            break;
        }
    }
    let (mut groups, mut placed) = (BTreeSet::new(), nodes.clone());
    for node in nodes.iter().chain(moved.keys().filter(|node| !nodes.contains(node))) {
        let known = fact::of_node(connection, *node)?;
        if place(connection, *node, &known, moved.get(node), now, &mut groups)? {
            placed.insert(*node);
        }
        if nodes.contains(node) {
            rights(connection, *node, &known)?;
        }
    }
    let changed = number_names(connection, groups)?;
    placed.extend(changed);
    Ok(placed)
}

/// Which move holds, of each folder that was ever moved.
pub(super) fn held(connection: &Connection) -> Result<BTreeMap<NodeId, Stamp>> {
    let all = fact::of_moved_folders(connection)?;
    let mut steps = Vec::with_capacity(all.len());
    for (node, fact) in &all {
        let Say::Place { parent, .. } = &fact.say else { continue };
        let parent = parent.map(|parent| fact::node_of(connection, parent)).transpose()?.flatten();
        steps.push(Step { stamp: fact.stamp(), node: *node, parent });
    }
    let above = |id| {
        Ok::<_, vextir_core::Error>(
            node::node(connection, id)?.map(|row| row.parent).filter(|parent| *parent != 0),
        )
    };
    Ok(replay(steps, above)?.into_iter().collect())
}

/// Where a node belongs: its folder and the name that it was given; the folder is missing where it cannot be shown.
pub(super) fn belongs<'f>(facts: &'f [Fact], held: Option<&Stamp>) -> Option<(Option<Uid>, &'f str, bool)> {
    let places = facts.iter().filter_map(|fact| match &fact.say {
        Say::Place { parent, name, stub, .. } => Some((fact.stamp(), (*parent, name.as_str(), *stub))),
        _ => None,
    });
    places
        .filter(|(stamp, _)| held.is_none_or(|held| held == stamp))
        .max_by_key(|(stamp, _)| *stamp)
        .map(|(_, place)| place)
}

/// Whether and when it was removed.
fn removed(facts: &[Fact]) -> Option<i64> {
    let said = facts.iter().filter_map(|fact| match fact.say {
        Say::Removed { at } => Some((fact.stamp(), at)),
        _ => None,
    });
    said.max_by_key(|(stamp, _)| *stamp).and_then(|(_, at)| at)
}

fn place(
    connection: &Connection,
    node: NodeId,
    facts: &[Fact],
    held: Option<&Stamp>,
    now: Timestamp,
    groups: &mut BTreeSet<Group>,
) -> Result<bool> {
    // What is being purged stays so.
    let may_move = |row: &node::Node| row.kind != Kind::Root && !row.is_purged();
    let Some(row) = node::node(connection, node)?.filter(may_move) else { return Ok(false) };
    let Some((parent, name, _)) = belongs(facts, held) else { return Ok(false) };
    let folder = parent.map(|parent| fact::node_of(connection, parent)).transpose()?.flatten();
    let gone = match (removed(facts), folder) {
        (Some(at), _) => Some(at),
        (None, None) => Some(row.removed.unwrap_or(now).as_micros()),
        (None, Some(_)) => None,
    };
    if let (Some(parent), None) = (parent, folder) {
        execute(connection, "INSERT OR IGNORE INTO orphan (parent, node) VALUES (?1, ?2)", (parent.0, node))?;
    }
    let parent = folder.unwrap_or(row.parent);
    let name = if name.is_empty() { row.name.as_str() } else { name };
    let before = wanted(connection, &row)?;
    if (parent, name, gone) == (row.parent, before.as_str(), row.removed.map(Timestamp::as_micros)) {
        return Ok(false);
    }
    if row.removed.is_none() {
        concern(groups, row.parent, &before);
    }
    let sql = "UPDATE node SET parent = ?2, name = ?3, removed = ?4 WHERE id = ?1";
    if gone.is_some() {
        execute(connection, "DELETE FROM alias WHERE node = ?1", [node])?;
        execute(connection, sql, (node, parent, name, gone))?;
        return Ok(true);
    }
    // Under a name of its own until all who want the same one are known.
    execute(connection, sql, (node, parent, aside(node), gone))?;
    let alias = "INSERT OR REPLACE INTO alias (node, parent, name) VALUES (?1, ?2, ?3)";
    execute(connection, alias, (node, parent, name))?;
    concern(groups, parent, name);
    Ok(true)
}

/// Who wants a name, and who would be numbered past it.
fn concern(groups: &mut BTreeSet<Group>, parent: NodeId, name: &str) {
    groups.insert((parent, name.to_owned()));
    groups.extend(unnumbered(name).map(|name| (parent, name.to_owned())));
}

/// A name that nobody can give.
fn aside(node: NodeId) -> String {
    format!("\u{1}{node}")
}

fn rights(connection: &Connection, node: NodeId, facts: &[Fact]) -> Result<()> {
    let topics: BTreeSet<String> = facts.iter().map(|fact| fact.say.topic()).collect();
    for topic in topics {
        let said = said(facts, &topic);
        if topic == "x" {
            let on = i64::from(lowest(&said) == 0);
            execute(
                connection,
                "UPDATE node SET restricted = ?2 WHERE id = ?1 AND restricted <> ?2",
                (node, on),
            )?;
        } else if topic == KEEP {
            let Some(Kept { versions, removed }) = kept(facts) else { continue };
            let sql =
                "INSERT OR REPLACE INTO keeping (node, versions, removed, above) VALUES (?1, ?2, ?3, ?4)";
            let above = i64::from(versions.1) | i64::from(removed.1) << 1;
            execute(connection, sql, (node, versions.0, removed.0, above))?;
        } else if let Some(who) = topic.strip_prefix('g') {
            let level = lowest(&said);
            let clock = said.iter().map(|(stamp, _, _)| stamp.0).max().unwrap_or(0);
            if level == 0 {
                execute(connection, "DELETE FROM entitlement WHERE node = ?1 AND who = ?2", (node, who))?;
            } else {
                let sql = "INSERT INTO entitlement (node, who, level, clock, since)
                           VALUES (?1, ?2, ?3, ?4, (SELECT coalesce(max(seq), 0) FROM change))
                           ON CONFLICT (node, who) DO UPDATE SET level = excluded.level, clock = excluded.clock";
                execute(connection, sql, (node, who, level, clock))?;
            }
        }
    }
    Ok(())
}

/// How long a folder keeps the past: each the longest that was said, and whether at least as long as the folder above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) versions: (Option<i64>, bool),
    pub(super) removed: (Option<i64>, bool),
}

/// What stands of what was said about how long a folder keeps the past.
pub(super) fn kept(facts: &[Fact]) -> Option<Kept> {
    let all = said(facts, KEEP);
    let stand: BTreeSet<Stamp> = standing(&all).map(|(stamp, _)| stamp).collect();
    let terms = facts.iter().filter(|fact| stand.contains(&fact.stamp())).filter_map(|fact| match fact.say {
        Say::Keep { versions, removed, .. } => Some((versions, removed)),
        _ => None,
    });
    let (versions, removed): (Vec<_>, Vec<_>) = terms.unzip();
    (!versions.is_empty()).then(|| Kept { versions: longest(&versions), removed: longest(&removed) })
}

/// Gives everybody in these groups a name.
fn number_names(connection: &Connection, groups: BTreeSet<Group>) -> Result<BTreeSet<NodeId>> {
    let mut given: Vec<(NodeId, NodeId, String, String)> = Vec::new();
    for (parent, name) in groups {
        let who = members(connection, parent, &name)?;
        let is_wanted = |name: &str| is_wanted(connection, parent, name);
        for (node, free) in names(&name, who, is_wanted)? {
            given.push((node, parent, name.clone(), free));
        }
    }
    let mut changed = Vec::new();
    for (node, parent, wanted, free) in given {
        if node::node(connection, node)?.is_some_and(|row| row.name != *free) {
            execute(connection, "UPDATE node SET name = ?2 WHERE id = ?1", (node, aside(node)))?;
            changed.push((node, free.clone()));
        }
        if wanted == free {
            execute(connection, "DELETE FROM alias WHERE node = ?1", [node])?;
        } else {
            let alias = "INSERT OR REPLACE INTO alias (node, parent, name) VALUES (?1, ?2, ?3)";
            execute(connection, alias, (node, parent, wanted))?;
        }
    }
    for (node, name) in &changed {
        execute(connection, "UPDATE node SET name = ?2 WHERE id = ?1", (node, name))?;
    }
    Ok(changed.into_iter().map(|(node, _)| node).collect())
}

/// Who wants a name in a folder.
fn members(connection: &Connection, parent: NodeId, name: &str) -> Result<Vec<(Uid, NodeId)>> {
    let sql = "SELECT uid, id FROM node WHERE parent = ?1 AND name = ?2 AND removed IS NULL
                 AND NOT EXISTS (SELECT 1 FROM alias WHERE alias.node = node.id)
               UNION ALL
               SELECT uid, id FROM alias CROSS JOIN node ON node.id = alias.node
               WHERE alias.parent = ?1 AND alias.name = ?2 AND removed IS NULL";
    let mut statement = connection.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query((parent, name)).or_fault()?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().or_fault()? {
        found.push((Uid::of(&get::<Vec<u8>>(row, 0)?)?, get(row, 1)?));
    }
    Ok(found)
}

fn is_wanted(connection: &Connection, parent: NodeId, name: &str) -> Result<bool> {
    Ok(!members(connection, parent, name)?.is_empty())
}
