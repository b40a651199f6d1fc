//! What was purged here, and may still be with others: it does not come back by them, unless somebody restored it.

use super::fact::{self, Fact, Say};
use super::name::{Stamp, Uid};
use super::wire::Record;
use crate::decode::get;
use crate::documents::desk::{ROW, Writing};
use crate::documents::node::{self, NodeId};
use crate::fault::OrFault;
use crate::queries;
use rusqlite::Connection;
use vextir_core::Result;

/// Set in the file once another replica was met.
const MET: &str = "replicas_met";

/// Notes that another replica has something of this one.
pub(super) fn meet(file: &mut Writing<'_>) -> Result<()> {
    file.execute("INSERT OR IGNORE INTO meta (name, value) VALUES (?1, 1)", [MET]).map(drop)
}

/// Whether another replica may have something of this one.
pub(crate) fn has_met(connection: &Connection) -> Result<bool> {
    Ok(queries::stored_number(connection, MET)? != 0)
}

/// Notes that a node goes for good, before its facts do. Where no other replica was ever met there is nothing to note.
pub(crate) fn bury(file: &mut Writing<'_>, id: NodeId) -> Result<()> {
    if !has_met(file.connection)? {
        return Ok(());
    }
    let chain = node::chain(file.connection, id)?;
    let Some((row, top)) = chain.last().zip(chain.iter().rfind(|row| row.removed.is_some())) else {
        return Ok(());
    };
    let facts = fact::of_node(file.connection, top.id)?;
    let removals = facts.iter().filter(|fact| matches!(fact.say, Say::Removed { at: Some(_) }));
    let Some(Fact { clock, by, say: Say::Removed { at: Some(removed) } }) =
        removals.max_by_key(|fact| fact.stamp())
    else {
        return Ok(());
    };
    let owner = chain.first().map_or("", |root| root.name.as_str());
    let (uid, top) = (fact::uid(file.connection, id)?, fact::uid(file.connection, top.id)?);
    if purged(file.connection, uid, owner)?.is_none() {
        file.desk.bytes += ROW;
    }
    let (now, created) = (file.now.as_micros(), row.created.as_micros());
    // It may have been purged before, and come back.
    file.execute(
        "INSERT OR REPLACE INTO purged (uid, owner, top, folder, created, clock, replica, removed, at)
         VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
        (uid.0, owner, top.0, !row.is_document(), created, clock, by.0, removed, now),
    )
    .map(drop)
}

/// What is known of a node that was purged.
struct Purged {
    /// What was removed: the node, or a folder above it.
    top: Uid,
    removal: Record,
    stamp: Stamp,
}

fn purged(connection: &Connection, uid: Uid, owner: &str) -> Result<Option<Purged>> {
    let sql =
        "SELECT top, folder, created, clock, replica, removed FROM purged WHERE uid = ?1 AND owner = ?2";
    let mut statement = connection.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query((uid.0, owner)).or_fault()?;
    let Some(row) = rows.next().or_fault()? else { return Ok(None) };
    let (top, by) = (Uid::of(&get::<Vec<u8>>(row, 0)?)?, Uid::of(&get::<Vec<u8>>(row, 4)?)?);
    let (clock, removed) = (get(row, 3)?, get(row, 5)?);
    let facts = vec![Fact { clock, by, say: Say::Removed { at: Some(removed) } }];
    let removal = Record { node: uid, folder: get(row, 1)?, created: get(row, 2)?, facts, state: None };
    Ok(Some(Purged { top, removal, stamp: Stamp(clock, by) }))
}

/// What is to be said of a node that is not here.
pub(super) enum Fate {
    /// It never was, or one of the facts brings it back.
    Open,
    /// It was purged, and the other side knows that it is removed.
    Gone,
    /// It was purged; the other side is told of the removal.
    Tell(Record),
}

/// Whether a node of a user's tree that is not here was purged, and none of `facts` brings it back.
pub(super) fn fate(connection: &Connection, uid: Uid, owner: &str, facts: &[Fact]) -> Result<Fate> {
    let Some(Purged { top, removal, stamp }) = purged(connection, uid, owner)? else {
        return Ok(Fate::Open);
    };
    let (mut is_known, mut last) = (false, None);
    for fact in facts {
        match &fact.say {
            Say::Place { .. } | Say::Removed { at: None } if fact.stamp() > stamp => return Ok(Fate::Open),
            Say::Removed { at: Some(_) } => is_known |= fact.stamp() >= stamp,
            Say::Place { parent, .. } => last = last.max(Some((fact.stamp(), *parent))),
            _ => {}
        }
    }
    if top == uid {
        return Ok(if is_known { Fate::Gone } else { Fate::Tell(removal) });
    }
    // What was in a folder comes back with it, and with one below that was moved out of it. What is told is of the
    // folder, which the other side may have restored.
    let folder = last.and_then(|(_, parent)| parent);
    for above in [Some(top), folder].into_iter().flatten() {
        if fact::node_of(connection, above)?.is_some() {
            return Ok(Fate::Open);
        }
    }
    Ok(purged(connection, top, owner)?.map_or(Fate::Gone, |purged| Fate::Tell(purged.removal)))
}
