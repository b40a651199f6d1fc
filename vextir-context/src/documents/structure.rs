//! Changes of structure and rights, in the writer's transaction: few rows each, however much lies below.

use super::apply::Apply;
use super::node::{self, Extent, Kind, Node, NodeId};
use super::place::{Place, Spot, demand, demand_node, find};
use super::rights::{level_at, number, who};
use super::sight::trail;
use crate::queries::signed;
use rusqlite::Connection;
use serde_json::json;
use vextir_core::context::{Change, Deed, Intent, is_within, nothing_at};
use vextir_core::{Actor, Error, ErrorKind, Level, Principal, Result};

impl Apply<'_> {
    pub(super) fn restructure(&mut self, change: &Change) -> Result<()> {
        let path = change.path.as_str();
        match &change.what {
            Intent::Move(to) => self.relocate(path, to),
            Intent::Remove => self.remove(path),
            Intent::Restore => self.restore(path),
            Intent::Grant(principal, level) => self.grant(path, principal, *level),
            Intent::Restrict(on) => self.restrict(path, *on),
            Intent::Keep(keep) => self.keep(path, *keep),
            _ => {
                Err(Error::new(ErrorKind::Unsupported, format!("{path}: this hub does not know this change")))
            }
        }
    }

    fn relocate(&mut self, from: &str, to: &str) -> Result<()> {
        if is_within(to, from) {
            return Err(Error::invalid(format!("{from} cannot be moved into itself, to {to}")));
        }
        let (source, node) = demand_node(self.file.connection, &self.actor, from, Level::Write)?;
        self.demand_folder(&source, from)?;
        let target = demand(self.file.connection, &self.actor, to, Level::Write)?;
        if target.node().is_some() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("{to} is there already; choose another path"),
            ));
        }
        if target.owner != source.owner {
            return Err(Error::invalid(format!(
                "{to} is in the tree of another owner; write a copy there, and remove {from}"
            )));
        }
        if target.chain.iter().any(|above| above.id == node.id) {
            return Err(Error::invalid(format!("{from} cannot be moved into itself, to {to}")));
        }
        let Some((name, folders)) = target.missing.split_last() else { return Err(nothing_at(to)) };
        self.check_move(&source, &node, &target, to)?;
        let parent = if folders.is_empty() && !target.chain.is_empty() {
            target.chain.last().filter(|last| !last.is_document()).map(|last| last.id)
        } else {
            let above = Place { missing: folders.to_vec(), ..target };
            let made = self.make(&above, Kind::Folder, to)?.0;
            if !folders.is_empty() {
                self.note(&source.owner, made, (Deed::Created, 0), None, None)?;
            }
            Some(made)
        };
        let parent = parent.ok_or_else(|| {
            Error::invalid(format!("{to}: a document stands where a folder is needed; choose another path"))
        })?;
        let chain = node::chain(self.file.connection, parent)?;
        self.grow(&chain, Extent::of([name.as_str()]).and(node.extent))?;
        self.leaves(&node)?;
        let version = self.arrives(&node, parent, name)?;
        let (clock, now) = (self.file.tick(), self.file.now.as_micros());
        self.file.execute(
            "UPDATE node SET parent = ?2, name = ?3, clock = ?4, updated = ?5 WHERE id = ?1",
            (node.id, parent, name, clock, now),
        )?;
        let detail = json!({"parent": node.parent, "name": node.name.as_str()});
        self.note_arrival(&source.owner, node.id, (Deed::Moved, version), Some(&detail))
    }

    /// What is shared with somebody can be changed by them; where it hangs is up to those above it.
    fn demand_folder(&self, place: &Place, path: &str) -> Result<()> {
        let above = place.chain.split_last().map_or(&[][..], |(_, above)| above);
        if above.is_empty() {
            return Err(Error::invalid(format!("{path} is a root; it stays where it is")));
        }
        if level_at(self.file.connection, &self.actor, above)? < Level::Write {
            return Err(Error::new(
                ErrorKind::Denied,
                format!(
                    "{path}: to move, remove or restore it takes the level Write on the folder that it is in"
                ),
            ));
        }
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<()> {
        let (place, node) = demand_node(self.file.connection, &self.actor, path, Level::Write)?;
        self.demand_folder(&place, path)?;
        self.leaves(&node)?;
        // The clock never repeats: it says what was removed last.
        let clock = self.file.tick();
        self.file.execute("UPDATE node SET removed = ?2, clock = ?2 WHERE id = ?1", (node.id, clock))?;
        self.note(&place.owner, node.id, (Deed::Removed, 0), None, None)
    }

    fn restore(&mut self, path: &str) -> Result<()> {
        let place = match find(self.file.connection, &self.actor, path)? {
            Spot::Place(place) if place.level >= Level::Read => place,
            _ => return Err(nothing_at(path)),
        };
        if place.node().is_some() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("{path} is there; move it away to restore what was removed"),
            ));
        }
        let folder = place.chain.last().map_or(0, |last| last.id);
        let [name] = place.missing.as_slice() else { return Err(nothing_at(path)) };
        let Some((removed, level)) =
            restorable(self.file.connection, &self.actor, &place.chain, folder, name, 0)?
        else {
            return Err(nothing_at(path));
        };
        if level < Level::Write || place.level < Level::Write {
            return Err(Error::new(ErrorKind::Denied, format!("{path}: to restore takes the level Write")));
        }
        let version = self.arrives(&removed, removed.parent, &removed.name)?;
        let clock = self.file.tick();
        self.file.execute("UPDATE node SET removed = NULL, clock = ?2 WHERE id = ?1", (removed.id, clock))?;
        self.note_arrival(&place.owner, removed.id, (Deed::Restored, version), None)
    }

    fn grant(&mut self, path: &str, principal: &Principal, level: Level) -> Result<()> {
        let (place, node) = demand_node(self.file.connection, &self.actor, path, Level::Admin)?;
        check_principal(principal)?;
        if matches!(principal, Principal::User(user) if *user == place.owner) {
            return Err(Error::invalid(format!(
                "{path} belongs to {principal}: an owner's level is always Admin"
            )));
        }
        let who = who(principal);
        let mut detail = json!({"who": who, "level": level});
        if let Principal::User(user) = principal {
            self.forget_kept(node.id, user)?;
        }
        if level == Level::None {
            let gone =
                self.file.execute("DELETE FROM entitlement WHERE node = ?1 AND who = ?2", (node.id, &who))?;
            if gone > 0 {
                detail["trail"] = trail(&place.chain);
            }
        } else {
            self.entitle(node.id, &who, level)?;
            self.mount_for(principal, &place.owner, &node)?;
        }
        self.note(&place.owner, node.id, (Deed::Granted, 0), Some(&detail), None)
    }

    fn restrict(&mut self, path: &str, on: bool) -> Result<()> {
        let (place, node) = demand_node(self.file.connection, &self.actor, path, Level::Admin)?;
        if node.kind != Kind::Folder {
            return Err(Error::invalid(format!(
                "{path} is no folder below a root; only those are restricted"
            )));
        }
        let clock = self.file.tick();
        let row = (node.id, i64::from(on), clock);
        self.file.execute("UPDATE node SET restricted = ?2, clock = ?3 WHERE id = ?1", row)?;
        let mut detail = json!({"on": on});
        if on {
            self.keep_admin(&place)?;
            detail["trail"] = trail(&place.chain);
        }
        self.note(&place.owner, node.id, (Deed::Restricted, 0), Some(&detail), None)
    }

    pub(super) fn entitle(&mut self, node: NodeId, who: &str, level: Level) -> Result<()> {
        let row = (node, who, number(level), self.file.tick(), signed(self.file.desk.head));
        self.file
            .execute(
                "INSERT INTO entitlement (node, who, level, clock, since) VALUES (?1,?2,?3,?4,?5)
             ON CONFLICT (node, who) DO UPDATE SET level = excluded.level, clock = excluded.clock",
                row,
            )
            .map(drop)
    }
}

/// What a restoration brings back: what was removed last, and is not hidden from the actor; or what was removed so many
/// times before that. With the actor's level on it.
pub(super) fn restorable(
    connection: &Connection,
    actor: &Actor,
    above: &[Node],
    folder: NodeId,
    name: &str,
    before: usize,
) -> Result<Option<(Node, Level)>> {
    let mut skip = before;
    for removed in node::removed(connection, folder, name)? {
        // A restricted folder is restricted also while it is removed.
        let chain: Vec<Node> = above.iter().cloned().chain([removed.clone()]).collect();
        let level = level_at(connection, actor, &chain)?;
        if level < Level::Read {
            continue;
        }
        if skip == 0 {
            return Ok(Some((removed, level)));
        }
        skip -= 1;
    }
    Ok(None)
}

pub(crate) fn check_principal(principal: &Principal) -> Result<()> {
    let (Principal::User(name) | Principal::Group(name) | Principal::Agent(name)) = principal;
    if name.is_empty() || name.len() > vextir_core::MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "a user, group or agent has an empty or overlong name, or a control character in it",
        ));
    }
    Ok(())
}
