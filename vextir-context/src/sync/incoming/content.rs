//! Content and whole nodes that come in.

use super::Taking;
use super::merging::{Come, Merged, merge};
use crate::documents::bases;
use crate::documents::desk::Stored;
use crate::documents::node::NodeId;
use crate::fault::OrFault;
use crate::sync::fact;
use crate::sync::identity::Replicas;
use crate::sync::name::Uid;
use crate::sync::wire::{Operation, Record};
use rusqlite::Connection;
use std::collections::{HashMap, HashSet};
use vextir_core::{Error, ErrorKind, Result};

type Names = Vec<(Uid, u64)>;

/// New content that an operation brings.
pub(super) struct Coming {
    by: Uid,
    n: u64,
    founding: bool,
    body: Vec<u8>,
}

impl Coming {
    pub(super) fn of(operation: &Operation) -> Option<Self> {
        let body = operation.body.as_ref()?.0.clone();
        Some(Self { by: operation.by, n: operation.n, founding: operation.may_found(), body })
    }
}

/// Merged beside the writer; the writer takes it where it still fits.
#[derive(Debug, Default)]
pub(crate) struct Premerged {
    merged: HashMap<Uid, (Names, Merged)>,
    /// Nodes whose content lacks what the updates build on.
    lacking: HashSet<Uid>,
}

/// What is to be merged: documents as they are, and updates.
#[derive(Debug, Default)]
pub(crate) struct Bases(Vec<Base>);

#[derive(Debug)]
struct Base {
    node: Uid,
    stored: Option<(u64, Vec<u8>)>,
    names: Names,
    updates: Vec<Vec<u8>>,
    come: Come,
}

impl Bases {
    /// Reads the documents that operations and records are about.
    pub(crate) fn read(connection: &Connection, operations: &[Operation], nodes: &[Record]) -> Result<Self> {
        let snapshot = connection.unchecked_transaction().or_fault()?;
        let replicas = Replicas::read(&snapshot)?;
        let mut updates: HashMap<Uid, (Names, Vec<Vec<u8>>, Come)> = HashMap::new();
        for operation in operations {
            if let Some(body) = &operation.body
                && !replicas.has(&snapshot, operation.by, operation.n)?
            {
                let edits = (Names::new(), Vec::new(), Come::Edits { founding: operation.may_found() });
                let (names, bodies, _) = updates.entry(operation.node).or_insert(edits);
                names.push((operation.by, operation.n));
                bodies.push(body.0.clone());
            }
        }
        for record in nodes {
            if let Some(state) = &record.state {
                updates.insert(record.node, (Names::new(), vec![state.0.clone()], Come::Whole));
            }
        }
        let mut bases = Vec::with_capacity(updates.len());
        for (node, (names, updates, come)) in updates {
            let id = fact::node_of(&snapshot, node)?;
            let stored = id.map(|id| stored(&snapshot, id)).transpose()?.flatten();
            bases.push(Base { node, stored, names, updates, come });
        }
        Ok(Self(bases))
    }

    /// How many bytes there are to be merged.
    pub(crate) fn weight(&self) -> usize {
        let of_one = |base: &Base| {
            base.stored.as_ref().map_or(0, |(_, state)| state.len())
                + base.updates.iter().map(Vec::len).sum::<usize>()
        };
        self.0.iter().map(of_one).sum()
    }

    /// Merges them.
    ///
    /// # Errors
    /// As [`merge`], but for what is missing.
    pub(crate) fn merge(self, client: u64) -> Result<Premerged> {
        let mut premerged = Premerged::default();
        for Base { node, stored, names, updates, come } in self.0 {
            let updates: Vec<&[u8]> = updates.iter().map(Vec::as_slice).collect();
            match merge(
                client,
                stored.as_ref().map(|(version, state)| (*version, state.as_slice())),
                &updates,
                come,
            ) {
                Ok(merged) => drop(premerged.merged.insert(node, (names, merged))),
                Err(error) if error.kind() == ErrorKind::Gap => drop(premerged.lacking.insert(node)),
                Err(error) => return Err(error),
            }
        }
        Ok(premerged)
    }
}

impl Premerged {
    /// Whether something comes back that was purged here.
    pub(in crate::sync) fn brings_back(&self) -> bool {
        self.merged.values().any(|(_, merged)| merged.is_back)
    }

    pub(super) fn lacks(&self, node: Uid) -> bool {
        self.lacking.contains(&node)
    }
}

fn stored(connection: &Connection, node: NodeId) -> Result<Option<(u64, Vec<u8>)>> {
    Ok(bases::stored(connection, node)?.map(|stored| (stored.version, stored.state)))
}

impl Taking<'_> {
    /// Stores the content that the operations bring.
    pub(super) fn store_bodies(&mut self) -> Result<()> {
        for (node, bodies) in std::mem::take(&mut self.bodies) {
            let names: Names = bodies.iter().map(|coming| (coming.by, coming.n)).collect();
            let updates: Vec<&[u8]> = bodies.iter().map(|coming| coming.body.as_slice()).collect();
            let come = Come::Edits { founding: bodies.first().is_some_and(|coming| coming.founding) };
            let coming = bodies.len() as u64;
            let intake = self.intake;
            let version = self.file.version(node)?;
            let uid = fact::uid(self.file.connection, node)?;
            let fits = |(of, merged): &&(Names, Merged)| *of == names && merged.from == version;
            match intake.premerged.merged.get(&uid).filter(fits) {
                Some((_, merged)) => self.store(node, version + coming, merged)?,
                None => {
                    let merged = self.merge_here(node, &updates, come)?;
                    self.store(node, version + coming, &merged)?;
                }
            }
        }
        Ok(())
    }

    /// Merges in the writer, where what was merged beside it does not fit any more.
    fn merge_here(&self, node: NodeId, updates: &[&[u8]], come: Come) -> Result<Merged> {
        let stored = stored(self.file.connection, node)?;
        let stored = stored.as_ref().map(|(version, state)| (*version, state.as_slice()));
        merge(self.intake.client, stored, updates, come).map_err(|error| match error.kind() {
            ErrorKind::Gap => {
                Error::new(ErrorKind::Conflict, "a document was changed meanwhile; merge it again")
            }
            _ => error,
        })
    }

    fn store(&mut self, node: NodeId, version: u64, merged: &Merged) -> Result<()> {
        let document = Stored {
            is_json: merged.is_json,
            content: &merged.content,
            metadata: merged.metadata.as_deref(),
            state: &merged.state,
        };
        self.file.store(node, version, &document)
    }

    /// Whole nodes: those whose folders come with them after these.
    pub(super) fn records(&mut self) -> Result<()> {
        let intake = self.intake;
        let mut waiting: Vec<&Record> = intake.nodes.iter().collect();
        loop {
            let before = waiting.len();
            let mut still = Vec::new();
            for record in waiting {
                let is_here = record.node == Uid::of_root(&self.intake.scope.owner)
                    || fact::node_of(self.file.connection, record.node)?.is_some();
                if is_here || self.known_folder(&record.facts)?.is_some() {
                    self.record(record)?;
                } else {
                    still.push(record);
                }
            }
            // What is left lies out of sight, or comes with the next round.
            if still.is_empty() || still.len() == before {
                return Ok(());
            }
            waiting = still;
        }
    }

    /// A node as the other side has it: what it has more than this one comes in, as a change of this replica.
    pub(super) fn record(&mut self, record: &Record) -> Result<()> {
        let found = fact::node_of(self.file.connection, record.node)?;
        if found.is_none()
            && (!record.folder && record.state.is_none() || self.is_gone(record.node, &record.facts)?)
        {
            return Ok(());
        }
        let known =
            found.map(|node| fact::of_node(self.file.connection, node)).transpose()?.unwrap_or_default();
        let mut news = record.facts.clone();
        news.retain(|fact| fact::is_news(&known, fact));
        let user = self.intake.user.clone();
        let differs = self.differs(found, record)?;
        if news.is_empty() && !differs {
            return Ok(());
        }
        if !self.may(found, &user, &news, differs)? {
            return Ok(());
        }
        let node = self.node(found, record.node, (record.folder, record.created), &record.facts)?;
        let version = self.file.version(node)?;
        let what = match (found, differs, news.first()) {
            (None, ..) => 0,
            (_, true, _) => 1,
            (.., Some(fact)) => deed(&fact.say),
            _ => 1,
        };
        let mut operation = self.of_record(record, what, news);
        let merged = if differs {
            let state = record.state.as_ref().map(|state| state.0.as_slice()).unwrap_or_default();
            let premerged = self.intake.premerged.merged.get(&record.node);
            let merged = match premerged.filter(|(_, merged)| merged.from == version) {
                Some((_, merged)) => merged,
                None => &self.merge_here(node, &[state], Come::Whole)?,
            };
            operation.body = Some(crate::sync::name::Bytes(merged.news.clone()));
            self.store(node, version + 1, merged)?;
            version + 1
        } else {
            0
        };
        let sequence = self.note(node, merged, &operation)?;
        let news = self.add_facts(node, sequence, &operation.facts)?;
        self.arrived.insert(record.node);
        if news || differs {
            self.taken.repaired += 1;
        }
        Ok(())
    }

    /// Whether a record brings content that is not here.
    fn differs(&self, node: Option<NodeId>, record: &Record) -> Result<bool> {
        if record.state.is_none() {
            return Ok(false);
        }
        let version = node.map(|node| self.file.version(node)).transpose()?.unwrap_or(0);
        let premerged = self.intake.premerged.merged.get(&record.node);
        Ok(premerged.is_none_or(|(_, merged)| merged.from != version || merged.differs))
    }

    fn of_record(&self, record: &Record, what: i64, facts: Vec<fact::Fact>) -> Operation {
        Operation {
            by: Uid([0; 16]),
            n: 0,
            node: record.node,
            folder: record.folder,
            created: record.created,
            what,
            at: self.file.now.as_micros(),
            user: if self.intake.trusted {
                self.intake.scope.owner.clone()
            } else {
                self.intake.user.clone()
            },
            agent: None,
            driver: Some("sync".into()),
            cause: None,
            facts,
            body: None,
        }
    }
}

fn deed(say: &fact::Say) -> i64 {
    match say {
        fact::Say::Place { moved: false, .. } => 0,
        fact::Say::Place { .. } => 2,
        fact::Say::Removed { at: Some(_) } => 3,
        fact::Say::Removed { at: None } => 4,
        fact::Say::Level { .. } => 6,
        fact::Say::Restricted { .. } => 7,
        fact::Say::Keep { .. } => 8,
    }
}
