//! Documents inside the writer's transaction: names and rights are looked up again, versions compared, rows stored.

use super::desk::{Entry, ROW, Stored, Writing};
use super::merge::{From, Merged, Part, Prepared};
use super::node::{Extent, Kind, Node, NodeId};
use super::place::{Place, demand};
use super::rights::acting;
use super::versions::former;
use crate::graph::{self, Pen};
use crate::queries::signed;
use serde_json::Value;
use std::collections::HashMap;
use vextir_core::context::graph::{GraphChange, Told};
use vextir_core::context::{Change, Deed, Intent, Version};
use vextir_core::{Actor, Error, ErrorKind, Level, Name, Principal, Result, Timestamp};

/// The changes of one command at work.
pub(super) struct Apply<'a> {
    pub(super) file: Writing<'a>,
    pub(super) actor: Actor,
    /// Documents that a move or restoration of this command gave a new version, with the one before.
    pub(super) renumbered: HashMap<NodeId, Version>,
}

/// Applies changes in order; the new version for each, 0 for one that is not about content.
pub(crate) fn apply(file: Writing<'_>, actor: &Actor, changes: &[Change]) -> Result<Vec<Version>> {
    let merged = file.desk.merged.take().filter(|merged| merged.parts.len() == changes.len());
    let merged = merged.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "documents change by Hub::commit and in a command of their own")
    })?;
    let mut apply = Apply::new(file, actor.clone());
    merged.told().clear();
    let mut versions = Vec::with_capacity(changes.len());
    for (change, part) in changes.iter().zip(&merged.parts) {
        apply.actor = acting(actor, change)?;
        versions.push(match part {
            Part::Folded(_) | Part::Hidden => {
                // Its content comes with a later part, or not at all; its author must have the right all the same.
                demand(apply.file.connection, &apply.actor, &change.path, Level::Write)?;
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
    /// What this actor does from here on.
    pub(super) fn new(mut file: Writing<'a>, actor: Actor) -> Self {
        // Later changes are not earlier, also where the clock went back over a restart.
        file.now = file.now.max(Timestamp::from_micros(file.desk.last_clock()));
        Self { file, actor, renumbered: HashMap::new() }
    }

    /// Stores new content; `None` if it was made from something else than what is there.
    fn store(&mut self, change: &Change, prepared: &Prepared) -> Result<Option<Version>> {
        let is_guide = matches!(change.what, Intent::Guide(_));
        let place = demand(self.file.connection, &self.actor, &change.path, Level::Write)?;
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
        let (id, current) = (node.id, self.file.version(node.id)?);
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

    pub(super) fn write(
        &mut self,
        owner: &str,
        node: NodeId,
        version: Version,
        deed: Deed,
        prepared: &Prepared,
    ) -> Result<Version> {
        let document = Stored {
            is_json: prepared.shown.is_json,
            content: &prepared.shown.content,
            metadata: prepared.shown.metadata.as_deref(),
            state: &prepared.state,
        };
        self.file.store(node, version, &document)?;
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
        let before = if kind == Kind::Document { former(self.file.connection, parent, last)? } else { None };
        let node = self.insert(parent, last, kind, Extent::default())?;
        let Some((before, _)) = before else { return Ok((node, 1)) };
        self.file.execute("UPDATE node SET arrived = ?2 WHERE id = ?1", (node, signed(before + 1)))?;
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
        let (now, clock) = (self.file.now.as_micros(), self.file.tick());
        let as_number = |length| i64::try_from(length).unwrap_or(i64::MAX);
        self.file.execute(
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
        self.file.desk.bytes += ROW + name.len() as u64;
        Ok(self.file.connection.last_insert_rowid())
    }

    fn change_graph(&mut self, what: &GraphChange) -> Result<Told> {
        let mut pen = Pen { file: self.file.again(), actor: &self.actor };
        graph::apply(&mut pen, what)
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
        let entry = Entry {
            node,
            what: super::history::number(deed)?,
            version,
            at: self.file.now,
            user: &self.actor.user,
            owner,
            agent: self.actor.agent.as_deref(),
            driver: self.actor.driver.as_deref(),
            cause: self.actor.cause.as_ref(),
            detail: detail.map(Value::to_string),
            body,
        };
        let clock = self.file.log(&entry)?;
        crate::sync::note(self.file.connection, (node, deed, clock), owner, &self.actor, detail)
    }
}

fn is_a_folder(path: &str) -> Error {
    Error::invalid(format!("{path} is a folder; write to a path below it, or set its guide"))
}

fn not_a_folder(path: &str) -> Error {
    Error::invalid(format!("{path}: a document stands where a folder is needed; choose another path"))
}

/// Puts a user into a group, or takes it out.
pub(crate) fn enroll(file: Writing<'_>, enrollment: &Enrollment) -> Result<()> {
    let Enrollment { group, user, on } = enrollment;
    let actor = Actor::user(vextir_core::LOCAL_USER);
    Apply::new(file, actor).enroll(&Principal::Group(group.clone()), user, *on)
}

/// Does the next slice of what was put off.
pub(crate) fn run_errand(file: Writing<'_>) -> Result<()> {
    Apply::new(file, Actor::user(vextir_core::LOCAL_USER)).run_errand()
}

/// After another replica said where a node is, or whom it is shared with: the folders above it know how far down it
/// reaches, and those users find it.
pub(crate) fn settled(file: Writing<'_>, chain: &[Node], users: &[String]) -> Result<()> {
    let (Some(root), Some((node, above))) = (chain.first(), chain.split_last()) else { return Ok(()) };
    let mut apply = Apply::new(file, Actor::user(root.name.clone()));
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
