//! Documents inside the writer's transaction: names and rights are looked up again, versions compared, rows stored.

use super::merge::{From, Merged, Part, Prepared};
use super::mounts::has_errands;
use super::node::{Extent, Kind, Node, NodeId};
use super::place::{Place, demand};
use super::rights::acting;
use super::versions::former;
use crate::cursors::Opening;
use crate::fault::OrFault;
use crate::graph::{self, Batch, Pen};
use crate::key::bare;
use crate::queries::{self, signed};
use rusqlite::Connection;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use vextir_core::context::graph::{GraphChange, Told};
use vextir_core::context::{Change, Deed, Intent, Version};
use vextir_core::{Actor, Error, ErrorKind, Level, Name, Principal, Result, Sequence, Timestamp};

/// Where the file keeps [`Desk::bytes`].
pub(crate) const BYTES: &str = "context_bytes";

/// About how many bytes a node, or a row of the operation log, takes beside what it holds; indexes included.
pub(super) const ROW: u64 = 150;

/// What the writer remembers about documents between transactions.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// The last change.
    pub(crate) head: Sequence,
    /// The last clock: microseconds that never repeat or go back.
    clock: i64,
    /// Bytes that documents and their history take, roughly: retention, which removes events, leaves them out.
    pub(crate) bytes: u64,
    /// The bytes that the file knows of.
    stored_bytes: u64,
    /// This opening of the hub, and whether the file knows it.
    pub(crate) opening: Option<Opening>,
    is_noted: bool,
    /// Whether something waits to be done between two batches.
    pub(crate) errands: bool,
    /// What the next command's changes were merged to.
    pub(crate) merged: Option<Arc<Merged>>,
}

impl Desk {
    /// What the file says.
    pub(crate) fn open(connection: &Connection) -> Result<Self> {
        let head = queries::number(connection, "SELECT coalesce(max(seq), 0) FROM change", [])?;
        let clock = queries::number(
            connection,
            "SELECT coalesce(max(clock), 0) FROM change WHERE seq = ?1",
            [signed(head)],
        )?;
        let bytes = queries::stored_number(connection, BYTES)?;
        let errands = has_errands(connection)?;
        let clock = signed(clock);
        Ok(Self {
            head,
            clock,
            bytes,
            stored_bytes: bytes,
            opening: None,
            is_noted: false,
            errands,
            merged: None,
        })
    }

    /// Notes the opening with its first change.
    pub(crate) fn note_opening(&mut self, connection: &Connection) -> Result<()> {
        if let Some(opening) = self.opening.filter(|_| !self.is_noted) {
            opening.note(connection)?;
            self.is_noted = true;
        }
        Ok(())
    }

    /// The clock of the next change.
    pub(crate) fn tick(&mut self, now: Timestamp) -> i64 {
        self.clock = (self.clock + 1).max(now.as_micros());
        self.clock
    }

    /// Changes come after what was seen, as far as it is not too far in the future.
    pub(crate) fn see(&mut self, clock: i64, most: i64) {
        self.clock = self.clock.max(clock.min(most));
    }

    /// The bytes, if the file is to be told.
    pub(crate) fn new_bytes(&mut self) -> Option<u64> {
        let changed = self.bytes != self.stored_bytes;
        self.stored_bytes = self.bytes;
        changed.then_some(self.bytes)
    }

    /// Forgets what a rolled-back transaction did. The clock stays: it may skip, and never goes back.
    pub(crate) fn roll_back(&mut self, connection: &Connection) {
        self.is_noted = false;
        match Self::open(connection) {
            Ok(found) => (self.head, self.bytes, self.stored_bytes) = (found.head, found.bytes, found.bytes),
            Err(error) => tracing::error!(%error, "the head of the changes could not be read"),
        }
    }
}

/// The changes of one command at work.
pub(super) struct Apply<'a> {
    pub(super) connection: &'a Connection,
    pub(super) actor: Actor,
    pub(super) now: Timestamp,
    desk: &'a mut Desk,
    writes: &'a mut u64,
    /// Documents that a move or restoration of this command gave a new version, with the one before.
    pub(super) renumbered: HashMap<NodeId, Version>,
}

/// Applies changes in order; the new version for each, 0 for one that is not about content.
pub(crate) fn apply(
    connection: &Connection,
    desk: &mut Desk,
    writes: &mut u64,
    now: Timestamp,
    (actor, changes): (&Actor, &[Change]),
) -> Result<Vec<Version>> {
    let merged = desk.merged.take().filter(|merged| merged.parts.len() == changes.len());
    let merged = merged.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "documents change by Hub::commit and in a command of their own")
    })?;
    let mut apply = Apply::new(connection, actor.clone(), now, desk, writes);
    merged.told().clear();
    let mut versions = Vec::with_capacity(changes.len());
    for (change, part) in changes.iter().zip(&merged.parts) {
        apply.actor = acting(actor, change)?;
        versions.push(match part {
            Part::Folded(_) | Part::Hidden => {
                // Its content comes with a later part, or not at all; its author must have the right all the same.
                demand(apply.connection, &apply.actor, &change.path, Level::Write)?;
                if matches!(part, Part::Hidden) {
                    return Err(raced(&merged, &change.path));
                }
                0
            }
            Part::Structure => {
                match &change.what {
                    Intent::Graph(what) => merged.told().push(apply.change_graph(what)?),
                    _ => apply.restructure(change)?,
                }
                0
            }
            Part::Content(prepared) => {
                apply.store(change, prepared)?.ok_or_else(|| raced(&merged, &change.path))?
            }
        });
    }
    for (index, part) in merged.parts.iter().enumerate() {
        if let Part::Folded(later) = part {
            versions[index] = versions[*later];
        }
    }
    Ok(versions)
}

fn raced(merged: &Merged, path: &str) -> Error {
    merged.note_race();
    Error::new(ErrorKind::Conflict, format!("{path} was changed by somebody else"))
}

impl<'a> Apply<'a> {
    fn new(
        connection: &'a Connection,
        actor: Actor,
        now: Timestamp,
        desk: &'a mut Desk,
        writes: &'a mut u64,
    ) -> Self {
        // Later changes are not earlier, also where the clock went back over a restart.
        let now = now.max(Timestamp::from_micros(desk.clock));
        Self { connection, actor, now, desk, writes, renumbered: HashMap::new() }
    }

    /// Stores new content; `None` if it was made from something else than what is there.
    fn store(&mut self, change: &Change, prepared: &Prepared) -> Result<Option<Version>> {
        let is_guide = matches!(change.what, Intent::Guide(_));
        let place = demand(self.connection, &self.actor, &change.path, Level::Write)?;
        let Some(node) = place.node() else {
            if prepared.from != From::Nothing {
                return Ok(None);
            }
            // A root is a folder, also before anything is in it.
            if !is_guide && place.missing.is_empty() {
                return Err(is_a_folder(&change.path));
            }
            let kind = if is_guide { Kind::Folder } else { Kind::Document };
            let (id, version) = self.make(&place, kind, &change.path)?;
            let deed = if is_guide { Deed::Guided } else { Deed::Created };
            return self.write(&place.owner, id, version, deed, prepared).map(Some);
        };
        if node.is_document() == is_guide {
            return Err(if is_guide { not_a_folder(&change.path) } else { is_a_folder(&change.path) });
        }
        let (id, current) = (node.id, self.version(node.id)?);
        let fits = match prepared.from {
            From::Nothing => current == 0 && is_guide,
            From::Stored(base, version) => {
                base == id && version == *self.renumbered.get(&id).unwrap_or(&current)
            }
            From::Own => true,
        };
        if !fits {
            return Ok(None);
        }
        if prepared.same {
            return Ok(Some(current));
        }
        let deed = if is_guide { Deed::Guided } else { Deed::Written };
        self.write(&place.owner, id, current + 1, deed, prepared).map(Some)
    }

    pub(super) fn version(&self, node: NodeId) -> Result<Version> {
        queries::number(
            self.connection,
            "SELECT coalesce((SELECT version FROM document WHERE node = ?1), 0)",
            [node],
        )
    }

    pub(super) fn write(
        &mut self,
        owner: &str,
        node: NodeId,
        version: Version,
        deed: Deed,
        prepared: &Prepared,
    ) -> Result<Version> {
        let Prepared { content, metadata, state, .. } = prepared;
        let size = content.len() + metadata.as_ref().map_or(0, String::len) + state.len();
        let before = queries::number(
            self.connection,
            "SELECT coalesce((SELECT size FROM document WHERE node = ?1), 0)",
            [node],
        )?;
        let row = (
            node,
            signed(version),
            i64::from(prepared.is_json),
            i64::try_from(size).unwrap_or(i64::MAX),
            metadata,
            content,
            state,
        );
        self.execute(
            "INSERT INTO document (node, version, kind, size, metadata, content, state)
             VALUES (?1,?2,?3,?4,?5,?6,?7)
             ON CONFLICT (node) DO UPDATE SET version = excluded.version, kind = excluded.kind,
             size = excluded.size, metadata = excluded.metadata, content = excluded.content, state = excluded.state",
            row,
        )?;
        self.desk.bytes = (self.desk.bytes + size as u64).saturating_sub(before);
        self.execute("UPDATE node SET updated = ?2 WHERE id = ?1", (node, self.now.as_micros()))?;
        let body = Some(prepared.update.as_slice());
        self.note(owner, node, (deed, version), None, body)?;
        Ok(version)
    }

    /// Makes what is missing of a path, folder by folder. The node and the version that its content gets.
    pub(super) fn make(&mut self, place: &Place, kind: Kind, path: &str) -> Result<(NodeId, Version)> {
        self.check_extent(place, path)?;
        // What lies below each of them, when all is made.
        let of = |from: usize| Extent::of(place.missing[from..].iter().map(String::as_str));
        let mut parent = match place.chain.last() {
            Some(last) if last.is_document() => return Err(not_a_folder(path)),
            Some(last) => last.id,
            None => self.insert(0, &place.owner, Kind::Root, of(0))?,
        };
        self.grow(&place.chain, of(0))?;
        let Some((last, folders)) = place.missing.split_last() else { return Ok((parent, 1)) };
        for (index, folder) in folders.iter().enumerate() {
            parent = self.insert(parent, folder, Kind::Folder, of(index + 1))?;
            self.note(&place.owner, parent, (Deed::Created, 0), None, None)?;
        }
        let before = if kind == Kind::Document { former(self.connection, parent, last)? } else { None };
        let node = self.insert(parent, last, kind, Extent::default())?;
        let Some((before, _)) = before else { return Ok((node, 1)) };
        self.execute("UPDATE node SET arrived = ?2 WHERE id = ?1", (node, signed(before + 1)))?;
        Ok((node, before + 1))
    }

    fn insert(&mut self, parent: NodeId, name: &str, kind: Kind, below: Extent) -> Result<NodeId> {
        self.insert_as(crate::sync::fresh_uid(kind, name), parent, name, (kind, below))
    }

    pub(super) fn insert_as(
        &mut self,
        uid: [u8; 16],
        parent: NodeId,
        name: &str,
        (kind, below): (Kind, Extent),
    ) -> Result<NodeId> {
        let (now, clock) = (self.now.as_micros(), self.tick());
        let as_number = |length| i64::try_from(length).unwrap_or(i64::MAX);
        self.execute(
            "INSERT INTO node (uid, kind, parent, name, created, updated, clock, tall, long)
             VALUES (?1,?2,?3,?4,?5,?5,?6,?7,?8)",
            (
                uid.as_slice(),
                kind.number(),
                parent,
                name,
                now,
                clock,
                as_number(below.depth),
                as_number(below.bytes),
            ),
        )?;
        self.desk.bytes += ROW + name.len() as u64;
        Ok(self.connection.last_insert_rowid())
    }

    fn change_graph(&mut self, what: &GraphChange) -> Result<Told> {
        let (now, clock) = (self.now.as_micros(), self.tick());
        let (writes, bytes) = (&mut *self.writes, &mut self.desk.bytes);
        let mut pen = Pen { connection: self.connection, actor: &self.actor, now, clock, writes, bytes };
        graph::apply(&mut pen, what)
    }

    /// The last change.
    pub(super) fn head(&self) -> Sequence {
        self.desk.head
    }

    /// There is something to be done between two batches, or nothing more.
    pub(super) fn note_errands(&mut self, waiting: bool) {
        self.desk.errands = waiting;
    }

    /// The clock of the next change.
    pub(super) fn tick(&mut self) -> i64 {
        self.desk.tick(self.now)
    }

    /// Adds to the operation log.
    pub(super) fn note(
        &mut self,
        owner: &str,
        node: NodeId,
        (deed, version): (Deed, Version),
        detail: Option<&Value>,
        body: Option<&[u8]>,
    ) -> Result<()> {
        self.desk.note_opening(self.connection)?;
        let clock = self.tick();
        let actor = self.actor.clone();
        let row = (
            node,
            super::history::number(deed)?,
            signed(version),
            self.now.as_micros(),
            clock,
            Some(actor.user.as_str()).filter(|user| *user != owner),
            actor.agent.as_deref(),
            actor.driver.as_deref(),
            actor.cause.as_ref().map(bare),
            detail.map(Value::to_string),
            body,
        );
        self.execute(
            "INSERT INTO change (node, what, version, at, clock, user, agent, driver, cause, detail, body)
             VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
            row,
        )?;
        self.desk.bytes += ROW + body.map_or(0, <[u8]>::len) as u64;
        self.desk.head = self.connection.last_insert_rowid().cast_unsigned();
        crate::sync::note(self.connection, (node, deed, clock), owner, &self.actor, detail)
    }

    pub(super) fn execute(&mut self, sql: &str, params: impl rusqlite::Params) -> Result<usize> {
        *self.writes += 1;
        self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params)).or_fault()
    }
}

fn is_a_folder(path: &str) -> Error {
    Error::invalid(format!("{path} is a folder; write to a path below it, or set its guide"))
}

fn not_a_folder(path: &str) -> Error {
    Error::invalid(format!("{path}: a document stands where a folder is needed; choose another path"))
}

impl<'a> Apply<'a> {
    /// Works for an actor outside of any command.
    pub(super) fn of(
        actor: Actor,
        (connection, desk, writes, now): (&'a Connection, &'a mut Desk, &'a mut u64, Timestamp),
    ) -> Self {
        Self { connection, actor, now, desk, writes, renumbered: HashMap::new() }
    }
}

/// Takes into the graph what documents say.
pub(crate) fn take_links(
    connection: &Connection,
    desk: &mut Desk,
    writes: &mut u64,
    now: Timestamp,
    batch: &Batch,
) -> Result<bool> {
    let clock = desk.tick(now);
    graph::take_links(connection, batch, clock, writes, &mut desk.bytes)
}

/// Puts a user into a group, or takes it out.
pub(crate) fn enroll(
    connection: &Connection,
    desk: &mut Desk,
    writes: &mut u64,
    now: Timestamp,
    enrollment: &Enrollment,
) -> Result<()> {
    let actor = Actor::user(vextir_core::LOCAL_USER);
    let Enrollment { group, user, on } = enrollment;
    Apply::new(connection, actor, now, desk, writes).enroll(&Principal::Group(group.clone()), user, *on)
}

/// Does the next slice of what was put off.
pub(crate) fn run_errand(
    connection: &Connection,
    desk: &mut Desk,
    writes: &mut u64,
    now: Timestamp,
) -> Result<()> {
    let actor = Actor::user(vextir_core::LOCAL_USER);
    Apply::new(connection, actor, now, desk, writes).run_errand()
}

/// After another replica said where a node is, or whom it is shared with: the folders above it know how far down it
/// reaches, and those users find it.
pub(crate) fn settled(
    (connection, desk, writes, now): (&Connection, &mut Desk, &mut u64, Timestamp),
    chain: &[Node],
    users: &[String],
) -> Result<()> {
    let (Some(root), Some((node, above))) = (chain.first(), chain.split_last()) else { return Ok(()) };
    let actor = Actor::user(root.name.clone());
    let mut apply = Apply::new(connection, actor, now, desk, writes);
    apply.grow(above, Extent::of([node.name.as_str()]).and(node.extent))?;
    users.iter().try_for_each(|user| apply.mount(user, &root.name, node))
}

/// A user goes into a group, or out of it.
#[derive(Debug, Clone)]
pub(crate) struct Enrollment {
    pub(crate) group: Name,
    pub(crate) user: Name,
    pub(crate) on: bool,
}
