//! What a replica tells: operations from its log, and whole nodes.

use super::fact::{self, Say};
use super::farewell::{Moved, farewell, out_of_sight};
use super::identity::{Has, Replicas, Vector, taken};
use super::name::{Bytes, Uid};
use super::scope::{View, nodes, scopes};
use super::wire::{Operation, Record, Scope};
use crate::crdt::Body;
use crate::decode::{self, count, get};
use crate::documents::bases;
use crate::documents::keeping::GONE;
use crate::documents::node::{self, Kind, NodeId};
use crate::fault::{OrFault, damaged};
use crate::queries::{self, signed};
use rusqlite::{Connection, Row};
use vextir_core::{Level, Result, Sequence};

/// Operations in one message.
const BATCH: usize = 512;
/// Bytes of content in one message, beyond the first operation or node.
const BYTES: usize = 512 << 10;
/// Rows that are looked at for one message.
const LOOKED: usize = 8_192;

/// The deeds of moving, removal, granting and restricting.
pub(super) const MOVED: i64 = 2;
const REMOVED: i64 = 3;
const GRANTED: i64 = 6;

/// Where the sending of one scope stands.
#[derive(Debug, Clone)]
pub(super) struct Sending {
    pub(super) scope: Scope,
    /// What the other side has.
    pub(super) has: Has,
    /// Changes up to here are sent.
    pub(super) after: Sequence,
    /// Where it ends, for now.
    pub(super) head: Sequence,
    /// The nodes that are still to be sent whole, because the changes that made them are not kept.
    pub(super) whole: Vec<Uid>,
    /// And what went out of sight with them.
    pub(super) gone: Vec<Record>,
}

/// The scopes of a user, and what this replica has of each beside its own.
pub(super) fn offer(
    connection: &Connection,
    replicas: &Replicas,
    user: &str,
) -> Result<Vec<(Scope, Vector)>> {
    let scopes = scopes(&mut View::new(connection, user))?.into_iter();
    scopes.map(|scope| Ok((scope.clone(), taken(connection, replicas, scope.top)?))).collect()
}

/// Begins to send a scope to who has that much of it; `hint` is what it had at its last acknowledgement.
pub(super) fn begin(
    connection: &Connection,
    user: &str,
    (scope, has): (Scope, Has),
    hint: Option<(Sequence, Vector)>,
    moved: &mut Moved,
) -> Result<Sending> {
    let head = super::identity::head(connection)?;
    // Who has less than it acknowledged was restored from a backup: everything is looked at again.
    let kept = |(_, had): &(Sequence, Vector)| had.iter().all(|(by, n)| has.of(*by) >= *n);
    let after = hint.filter(kept).map_or(0, |(sequence, _)| sequence.min(head));
    let trimmed = queries::stored_number(connection, "changes_trimmed")?;
    let (mut whole, mut gone) = (Vec::new(), Vec::new());
    if after < trimmed {
        whole = in_order(connection, user, scope.top)?;
        gone = out_of_sight(connection, user, (&scope, &has), moved)?;
    }
    Ok(Sending { scope, has, after: after.max(trimmed), head, whole, gone })
}

/// All nodes of a scope, in the order in which [`records`] takes them: from the last one on, folders before what is in
/// them.
pub(super) fn in_order(connection: &Connection, user: &str, scope: Uid) -> Result<Vec<Uid>> {
    let all = nodes(&mut View::new(connection, user), scope)?.into_iter().rev();
    all.map(|node| fact::uid(connection, node)).collect()
}

/// The next operations of a scope; none when all are sent.
pub(super) fn next(connection: &Connection, user: &str, sending: &mut Sending) -> Result<Vec<Operation>> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let mut view = View::new(&snapshot, user);
    let Some(top) = fact::node_of(&snapshot, sending.scope.top)? else {
        sending.after = sending.head;
        return Ok(Vec::new());
    };
    let replicas = Replicas::read(&snapshot)?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while sending.after < sending.head && found.is_empty() {
        let sql = "SELECT change.seq, change.node, what, at, user, agent, driver, cause, detail, body,
                     operation.replica, operation.counter, node.uid, node.kind, node.created
                   FROM change CROSS JOIN node ON node.id = change.node LEFT JOIN operation ON operation.seq = change.seq
                   WHERE change.seq > ?1 AND change.seq <= ?2 AND coalesce(node.removed, 0) <> ?4
                   ORDER BY change.seq LIMIT ?3";
        let mut statement = snapshot.prepare_cached(sql).or_fault()?;
        let limit = i64::try_from(LOOKED).unwrap_or(i64::MAX);
        let range = (signed(sending.after), signed(sending.head), limit, GONE);
        let mut rows = statement.query(range).or_fault()?;
        let mut looked = 0;
        while let Some(row) = rows.next().or_fault()?
            && found.len() < BATCH
            && bytes < BYTES
        {
            looked += 1;
            sending.after = count(row, 0)?;
            if let Some(operation) = told(&mut view, &replicas, sending, top, row)? {
                bytes += operation.body.as_ref().map_or(0, |body| body.0.len());
                found.push(operation);
            }
        }
        if looked < LOOKED && found.len() < BATCH && bytes < BYTES {
            sending.after = sending.head;
        }
    }
    Ok(found)
}

/// A row of the log, as the user may know it; `None` where the user may not, or the other side has it.
fn told(
    view: &mut View<'_>,
    replicas: &Replicas,
    sending: &Sending,
    top: NodeId,
    row: &Row<'_>,
) -> Result<Option<Operation>> {
    let sequence = get::<i64>(row, 0)?;
    let (by, n) = match get::<Option<i64>>(row, 10)? {
        Some(replica) => (replicas.id(replica)?, count(row, 11)?),
        None => replicas.name(sequence.cast_unsigned())?,
    };
    if n <= sending.has.of(by) {
        return Ok(None);
    }
    let (node, mut what) = (get::<i64>(row, 1)?, get::<i64>(row, 2)?);
    let said = fact::of_change(view.connection, sequence)?;
    let mut body = None;
    let facts = if view.is_within(node, top)? {
        let had = !said.is_empty();
        let facts = view.veil(node, said)?;
        // A move to a name that another document had makes a new version without any edit: here only.
        body = get::<Option<Vec<u8>>>(row, 9)?.filter(|body| !body.is_empty() || what < MOVED).map(Bytes);
        if facts.is_empty() && body.is_none() && (had || what >= GRANTED) {
            return Ok(None);
        }
        facts
    } else {
        let from = get::<Option<String>>(row, 8)?;
        let facts = farewell(view, replicas, sending, top, (node, what, from), said)?;
        if facts.is_empty() {
            return Ok(None);
        }
        what = if what == MOVED { REMOVED } else { what };
        facts
    };
    let chain = view.chain(node)?;
    let owner = chain.first().map(|(root, _)| root.name.to_string()).unwrap_or_default();
    Ok(Some(Operation {
        by,
        n,
        node: Uid::of(&get::<Vec<u8>>(row, 12)?)?,
        folder: get::<i64>(row, 13)? != Kind::Document.number(),
        created: get(row, 14)?,
        what,
        at: get(row, 3)?,
        user: get::<Option<String>>(row, 4)?.unwrap_or(owner),
        agent: get(row, 5)?,
        driver: get(row, 6)?,
        cause: decode::id(row, 7)?.map(|id| id.to_string()),
        facts,
        body,
    }))
}

/// Whole nodes for who lacks them: what is above them in the scope, they themselves, and what is below. At most one
/// message full; what is left of `wanted` comes next.
pub(super) fn records(
    connection: &Connection,
    user: &str,
    scope: Uid,
    wanted: &mut Vec<Uid>,
) -> Result<Vec<Record>> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let mut view = View::new(&snapshot, user);
    let Some(top) = fact::node_of(&snapshot, scope)? else {
        wanted.clear();
        return Ok(Vec::new());
    };
    let (mut found, mut bytes) = (Vec::new(), 0);
    while found.len() < BATCH
        && bytes < BYTES
        && let Some(uid) = wanted.pop()
    {
        let Some(node) = fact::node_of(&snapshot, uid)? else { continue };
        if !view.is_within(node, top)? {
            continue;
        }
        let record = record(&mut view, node)?;
        bytes += record.state.as_ref().map_or(0, |state| state.0.len());
        found.push(record);
    }
    Ok(found)
}

/// The nodes that go with these: those above them, and all below. In the order in which [`records`] takes them.
pub(super) fn family(connection: &Connection, user: &str, scope: Uid, wanted: &[Uid]) -> Result<Vec<Uid>> {
    let mut view = View::new(connection, user);
    let Some(top) = fact::node_of(connection, scope)? else { return Ok(Vec::new()) };
    let (mut all, mut seen) = (Vec::new(), std::collections::HashSet::new());
    for uid in wanted {
        // What lies below something that was wanted is there already.
        if seen.contains(uid) {
            continue;
        }
        let Some(node) = fact::node_of(connection, *uid)? else { continue };
        if !view.is_within(node, top)? {
            continue;
        }
        let chain = view.chain(node)?;
        let above =
            chain.iter().skip_while(|(row, _)| row.id != top).filter(|(row, _)| row.kind != Kind::Root);
        for (row, _) in above {
            all.push(fact::uid(connection, row.id)?);
        }
        for below in nodes(&mut view, *uid)? {
            let below = fact::uid(connection, below)?;
            seen.insert(below);
            all.push(below);
        }
    }
    seen.clear();
    all.retain(|uid| seen.insert(*uid));
    all.reverse();
    Ok(all)
}

fn record(view: &mut View<'_>, node: NodeId) -> Result<Record> {
    let row = node::node(view.connection, node)?.ok_or_else(|| damaged("a node"))?;
    let facts = fact::of_node(view.connection, node)?;
    let state = bases::stored(view.connection, node)?.map(|stored| stored.state);
    Ok(Record {
        node: fact::uid(view.connection, node)?,
        folder: !row.is_document(),
        created: row.created.as_micros(),
        facts: view.veil(node, facts)?,
        state: state.map(|state| Body::load(0, &state)?.since(&[0])).transpose()?.map(Bytes),
    })
}

/// What is left to say about scopes that the other side has and the user may not read any more: the user's own rights.
pub(super) fn lost(connection: &Connection, user: &str, scope: &Scope) -> Result<Vec<Record>> {
    let mut view = View::new(connection, user);
    let Some(node) = fact::node_of(connection, scope.top)? else { return Ok(Vec::new()) };
    let owner = view.chain(node)?.first().map(|(root, _)| root.name.to_string());
    if owner.as_ref() != Some(&scope.owner) || scope.owner == user || view.level(node)? >= Level::Read {
        return Ok(Vec::new());
    }
    let own = format!("u:{user}");
    let mut facts = fact::of_node(connection, node)?;
    facts.retain(|fact| matches!(&fact.say, Say::Level { who, .. } if *who == own));
    if facts.is_empty() {
        return Ok(Vec::new());
    }
    let Some(row) = node::node(connection, node)? else { return Ok(Vec::new()) };
    Ok(vec![Record {
        node: scope.top,
        folder: !row.is_document(),
        created: row.created.as_micros(),
        facts,
        state: None,
    }])
}
