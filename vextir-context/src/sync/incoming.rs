//! What a replica takes in: decided in the writer's transaction, all of a message or nothing of it.

mod content;
mod early;
mod gate;
mod merging;
mod rebase;

use super::fact::{self, Fact, Say};
use super::identity::{Replicas, advance, number};
use super::name::Uid;
use super::purged::{Fate, fate};
use super::scope::View;
use super::settle::settle;
use super::wire::{Operation, Record, Scope};
use crate::documents;
use crate::documents::desk::{Entry, ROW, Writing};
use crate::documents::node::{self, Kind, NodeId};
use crate::documents::rights;
use crate::fault::{OrFault, damaged};
use crate::queries::signed;
use content::Coming;
pub(super) use content::{Bases, Premerged};
use rusqlite::Connection;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use vextir_core::{Error, ErrorKind, Result, Timestamp};

/// How far this replica's clock lets itself be pushed ahead of its own time: an hour, in microseconds.
const AHEAD: i64 = 3_600_000_000;

/// What came in one message.
#[derive(Debug)]
pub(crate) struct Intake {
    /// On whose behalf the peer speaks.
    pub(super) user: String,
    /// Whether the peer is believed what it says of others.
    pub(super) trusted: bool,
    pub(super) client: u64,
    pub(super) scope: Scope,
    pub(super) operations: Arc<Vec<Operation>>,
    pub(super) nodes: Arc<Vec<Record>>,
    pub(super) premerged: Premerged,
}

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(super) applied: u64,
    /// Nodes that were made the same as the other side's.
    pub(super) repaired: u64,
    pub(super) refused: u64,
    /// Nodes that something builds on, and that are not here.
    pub(super) missing: BTreeSet<Uid>,
    /// Nodes that were purged here, as what the peer does not know: that they were removed.
    pub(super) gone: BTreeMap<Uid, Record>,
}

/// A message at work.
struct Taking<'a> {
    intake: &'a Intake,
    file: Writing<'a>,
    /// The peer's user, as this replica sees the rights before the message.
    view: View<'a>,
    replicas: Replicas,
    taken: Taken,
    touched: BTreeSet<NodeId>,
    /// Nodes that are here now and were not.
    arrived: BTreeSet<Uid>,
    /// How many operations of the user wait for what they build on, and their bytes; once they are counted.
    waiting: Option<early::Count>,
    /// New content, by node.
    bodies: BTreeMap<NodeId, Vec<Coming>>,
}

impl Intake {
    /// Stores it; in a transaction of the writer.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) where a document was changed meanwhile so that it must be merged again.
    pub(crate) fn apply(&self, file: Writing<'_>) -> Result<Taken> {
        let mut taking = Taking {
            intake: self,
            view: View::new(file.connection, &self.user),
            replicas: Replicas::read(file.connection)?,
            file,
            taken: Taken::default(),
            touched: BTreeSet::new(),
            arrived: BTreeSet::new(),
            waiting: None,
            bodies: BTreeMap::new(),
        };
        let facts = self.nodes.iter().flat_map(|record| &record.facts);
        let mut facts = facts.chain(self.operations.iter().flat_map(|operation| &operation.facts));
        if facts.any(|fact| fact.clock > taking.file.now.after(FUTURE).as_micros()) {
            return Err(invalid("a change from years ahead; set the clock of the replica that made it"));
        }
        if !taking.may_speak()? {
            // As for what is not there: whoever lost a right may not know it yet.
            taking.taken.refused = self.operations.len() as u64;
            return Ok(taking.taken);
        }
        taking.records()?;
        let mut horizon = BTreeMap::new();
        for operation in self.operations.iter() {
            let known = horizon.entry(operation.by).or_insert(0);
            *known = operation.n.max(*known);
            taking.operation(operation)?;
        }
        for (by, n) in horizon {
            advance(taking.file.connection, self.scope.top, by, n)?;
        }
        taking.store_bodies()?;
        taking.settle()?;
        taking.retry()?;
        Ok(taking.taken)
    }
}

/// How far ahead a change may say that it was made.
const FUTURE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// What happens to one operation.
enum Verdict {
    Apply(NodeId),
    /// It builds on this node, which is not here.
    Early(Uid),
    /// It is about a node that was purged.
    Gone,
    Refuse,
}

impl Taking<'_> {
    fn operation(&mut self, operation: &Operation) -> Result<()> {
        let Operation { by, n, .. } = operation;
        if *by == self.replicas.present()? && !self.replicas.has(self.file.connection, *by, *n)? {
            return Err(Error::new(
                ErrorKind::Conflict,
                "the peer has operations in the name of this replica that it never made (two processes on copies of \
                 one file?); open the file anew, so that it gets a fresh identity",
            ));
        }
        if self.replicas.has(self.file.connection, *by, *n)? {
            return self.unveil(operation);
        }
        match self.verdict(operation)? {
            Verdict::Apply(node) => self.take(node, operation),
            Verdict::Early(missing) => self.keep(operation, missing),
            Verdict::Gone => Ok(()),
            Verdict::Refuse => {
                self.taken.refused += 1;
                Ok(())
            }
        }
    }

    /// A known operation may tell now what was kept back before.
    fn unveil(&mut self, operation: &Operation) -> Result<()> {
        let Some(node) = fact::node_of(self.file.connection, operation.node)? else { return Ok(()) };
        for fact in operation.facts.iter().filter(|fact| matches!(fact.say, Say::Place { .. })) {
            if !self.intake.trusted && !self.is_own_tree() {
                continue;
            }
            let known = fact::of_node(self.file.connection, node)?;
            if known
                .iter()
                .any(|other| other.stamp() == fact.stamp() && other.say.topic() == fact.say.topic())
                && fact::add(self.file.connection, node, 0, fact)?
            {
                self.touched.insert(node);
            }
        }
        Ok(())
    }

    fn verdict(&mut self, operation: &Operation) -> Result<Verdict> {
        // Also before it is kept for later: nobody speaks for somebody else.
        if !self.intake.trusted && !self.is_own_tree() && operation.user != self.intake.user {
            return Ok(Verdict::Refuse);
        }
        let node = fact::node_of(self.file.connection, operation.node)?;
        if node.is_none() && self.is_gone(operation.node, &operation.facts)? {
            return Ok(Verdict::Gone);
        }
        if let Some(missing) = self.missing(node, operation.node, &operation.facts)? {
            let is_gone = missing != operation.node && self.is_gone(missing, &[])?;
            return Ok(if is_gone { Verdict::Gone } else { Verdict::Early(missing) });
        }
        if !self.may(node, &operation.user, &operation.facts, operation.body.is_some())? {
            return Ok(Verdict::Refuse);
        }
        if operation.body.is_some() && self.intake.premerged.lacks(operation.node) {
            return Ok(Verdict::Early(operation.node));
        }
        if node.is_none() && !operation.folder && operation.body.is_none() {
            self.check_places(&operation.facts)?;
            // Its content came to the sender with the whole document, and comes so from there.
            return Ok(Verdict::Early(operation.node));
        }
        self.node(node, operation.node, (operation.folder, operation.created), &operation.facts)
            .map(Verdict::Apply)
    }

    /// Whether a node that is not here was purged; the peer is told unless it knows.
    fn is_gone(&mut self, uid: Uid, facts: &[Fact]) -> Result<bool> {
        // Of what is above its scope a peer hears nothing.
        let is_all = self.intake.trusted || self.is_own_tree();
        match fate(self.file.connection, uid, &self.intake.scope.owner, facts)? {
            Fate::Open => return Ok(false),
            Fate::Tell(removal) if is_all || removal.node == uid => {
                self.taken.gone.insert(removal.node, removal);
            }
            Fate::Tell(_) | Fate::Gone => {}
        }
        Ok(true)
    }

    /// What must be here first.
    fn missing(&self, node: Option<NodeId>, uid: Uid, facts: &[Fact]) -> Result<Option<Uid>> {
        let mut makes = false;
        for fact in facts {
            if let Say::Place { parent, moved, .. } = &fact.say {
                makes |= !moved && parent.is_some();
                if let Some(parent) = parent
                    && *parent != Uid::of_root(&self.intake.scope.owner)
                    && fact::node_of(self.file.connection, *parent)?.is_none()
                {
                    return Ok(Some(*parent));
                }
            }
        }
        // The root can be made by everybody.
        Ok((node.is_none() && !makes && uid != Uid::of_root(&self.intake.scope.owner)).then_some(uid))
    }

    /// The node, made if it is new; checked for being what is said of it.
    fn node(
        &mut self,
        node: Option<NodeId>,
        uid: Uid,
        (folder, created): (bool, i64),
        facts: &[Fact],
    ) -> Result<NodeId> {
        self.check_places(facts)?;
        let is_root = uid == Uid::of_root(&self.intake.scope.owner);
        let node = if node.is_none() && is_root && folder { Some(self.folder(uid)?) } else { node };
        if let Some(node) = node {
            let chain = node::chain(self.file.connection, node)?;
            let (Some(root), Some(row)) = (chain.first(), chain.last()) else {
                return Err(damaged("a node"));
            };
            let is_place =
                facts.iter().any(|fact| matches!(fact.say, Say::Place { .. } | Say::Removed { .. }));
            if *root.name != *self.intake.scope.owner
                || row.is_document() == folder
                || row.kind == Kind::Root && is_place
            {
                return Err(invalid("something about a node that is another one here"));
            }
            return Ok(node);
        }
        let parent = self.known_folder(facts)?.ok_or_else(|| invalid("a new node without a place"))?;
        let parent = self.folder(parent)?;
        let kind = if folder { Kind::Folder } else { Kind::Document };
        self.file.execute(
            "INSERT INTO node (uid, kind, parent, name, created, updated, removed, clock) VALUES (?1,?2,?3,?4,?5,?5,?5,0)",
            (uid.0, kind.number(), parent, format!("\u{1}{uid}"), created),
        )?;
        let node = self.file.connection.last_insert_rowid();
        self.file.desk.bytes += ROW;
        self.arrived.insert(uid);
        Ok(node)
    }

    /// A folder that is here, or can be made, of those that a node was ever put into.
    fn known_folder(&self, facts: &[Fact]) -> Result<Option<Uid>> {
        let root = Uid::of_root(&self.intake.scope.owner);
        for fact in facts {
            if let Say::Place { parent: Some(parent), .. } = &fact.say
                && (*parent == root || fact::node_of(self.file.connection, *parent)?.is_some())
            {
                return Ok(Some(*parent));
            }
        }
        Ok(None)
    }

    /// The folder with this identity; a root is made if it is new.
    fn folder(&mut self, uid: Uid) -> Result<NodeId> {
        if let Some(folder) = fact::node_of(self.file.connection, uid)? {
            return Ok(folder);
        }
        let (owner, now) = (&self.intake.scope.owner, self.file.now.as_micros());
        if uid != Uid::of_root(owner) {
            return Err(invalid("a node in a folder that is not here"));
        }
        self.file.execute(
            "INSERT INTO node (uid, kind, parent, name, created, updated, clock) VALUES (?1,0,0,?2,?3,?3,0)",
            (uid.0, owner, now),
        )?;
        Ok(self.file.connection.last_insert_rowid())
    }

    /// Stores an operation; what it brings to the content comes later.
    fn take(&mut self, node: NodeId, operation: &Operation) -> Result<()> {
        let Operation { by, n, .. } = operation;
        let version = match Coming::of(operation) {
            Some(coming) => {
                let bodies = self.bodies.entry(node).or_default();
                bodies.push(coming);
                let coming = bodies.len() as u64;
                self.file.version(node)? + coming
            }
            None => 0,
        };
        let sequence = self.note(node, version, operation)?;
        let replica = number(self.file.connection, *by)?;
        self.file.execute(
            "INSERT INTO operation (replica, counter, seq) VALUES (?1, ?2, ?3)",
            (replica, signed(*n), sequence),
        )?;
        self.add_facts(node, sequence, &operation.facts)?;
        self.taken.applied += 1;
        Ok(())
    }

    /// Adds facts; true if there was something new.
    fn add_facts(&mut self, node: NodeId, sequence: i64, facts: &[Fact]) -> Result<bool> {
        let mut news = false;
        for fact in facts {
            self.file.desk.see(fact.clock, self.file.now.as_micros().saturating_add(AHEAD));
            news |= fact::add(self.file.connection, node, sequence, fact)?;
        }
        if news {
            self.touched.insert(node);
        }
        Ok(news)
    }

    /// Adds to the operation log.
    fn note(&mut self, node: NodeId, version: u64, operation: &Operation) -> Result<i64> {
        let Operation { what, at, user, agent, driver, cause, .. } = operation;
        let cause = cause.as_ref().map(|cause| cause.parse()).transpose()?;
        let entry = Entry {
            node,
            what: *what,
            version,
            at: Timestamp::from_micros(*at),
            user,
            owner: &self.intake.scope.owner,
            agent: agent.as_deref(),
            driver: driver.as_deref(),
            cause: cause.as_ref(),
            detail: self.detail(node, operation)?,
            body: operation.body.as_ref().map(|body| body.0.as_slice()),
        };
        self.file.log(&entry)?;
        Ok(signed(self.file.desk.head))
    }

    /// What the log says beside the deed; where something was moved from is for this replica to say.
    fn detail(&self, node: NodeId, operation: &Operation) -> Result<Option<String>> {
        let said = operation.facts.first().map(|fact| &fact.say);
        let detail = match (operation.what, said) {
            (2, _) => {
                let row = node::node(self.file.connection, node)?.ok_or_else(|| damaged("a node"))?;
                json!({"parent": row.parent, "name": row.name.as_str()})
            }
            (6, Some(Say::Level { who, level, .. })) => {
                json!({"who": who, "level": rights::level(*level).ok()})
            }
            (7, Some(Say::Restricted { on, .. })) => json!({"on": on}),
            (8, Some(Say::Keep { versions, removed, .. })) => {
                json!({"versions": versions, "removed": removed})
            }
            _ => return Ok(None),
        };
        Ok(Some(detail.to_string()))
    }

    /// Makes the rows what was said.
    fn settle(&mut self) -> Result<()> {
        for arrived in &self.arrived {
            self.touched.extend(orphans(self.file.connection, *arrived)?);
        }
        let touched = std::mem::take(&mut self.touched);
        if touched.is_empty() {
            return Ok(());
        }
        let touched = settle(self.file.connection, &touched, self.file.now)?;
        *self.file.writes += 1;
        self.view.forget();
        for node in touched {
            self.check_depth(node)?;
            self.settled(node)?;
        }
        Ok(())
    }

    /// What follows for others from where a node is, and from whom it is shared with.
    fn settled(&mut self, node: NodeId) -> Result<()> {
        let users: Vec<String> = self
            .file
            .connection
            .prepare_cached("SELECT substr(who, 3) FROM entitlement WHERE node = ?1 AND who LIKE 'u:%'")
            .and_then(|mut statement| statement.query_map([node], |row| row.get(0))?.collect())
            .or_fault()?;
        let chain = node::chain(self.file.connection, node)?;
        documents::settled(self.file.again(), &chain, &users)
    }
}

/// The nodes that waited for their folder.
fn orphans(connection: &Connection, folder: Uid) -> Result<Vec<NodeId>> {
    connection
        .prepare_cached("DELETE FROM orphan WHERE parent = ?1 RETURNING node")
        .and_then(|mut statement| statement.query_map([folder.0], |row| row.get(0))?.collect())
        .or_fault()
}

fn invalid(what: &str) -> Error {
    Error::invalid(format!("the peer sent {what}; nothing of the message was stored"))
}
