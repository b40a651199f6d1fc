//! Changes of structure and rights, in the writer's transaction: few rows each, however much lies below.

use super::apply::Apply;
use super::node::{self, Kind, Node, NodeId, is_live};
use super::place::{Place, Spot, demand, demand_node, find};
use super::rights::{level_at, number, who};
use crate::fault::OrFault;
use serde_json::json;
use vextir_core::context::{Change, Deed, Intent, MAX_DEPTH, clean_path, is_within, nothing_at};
use vextir_core::{Error, ErrorKind, Level, Principal, Result};

impl Apply<'_> {
    pub(super) fn restructure(&mut self, change: &Change) -> Result<()> {
        let path = change.path.as_str();
        match &change.what {
            Intent::Move(to) => self.relocate(path, to),
            Intent::Remove => self.remove(path),
            Intent::Restore => self.restore(path),
            Intent::Grant(principal, level) => self.grant(path, principal, *level),
            Intent::Restrict(on) => self.restrict(path, *on),
            _ => {
                Err(Error::new(ErrorKind::Unsupported, format!("{path}: this hub does not know this change")))
            }
        }
    }

    fn relocate(&mut self, from: &str, to: &str) -> Result<()> {
        if is_within(to, from) {
            return Err(Error::invalid(format!("{from} cannot be moved into itself, to {to}")));
        }
        let (source, node) = demand_node(self.connection, &self.actor, from, Level::Write)?;
        self.demand_folder(&source, from)?;
        let target = demand(self.connection, &self.actor, to, Level::Write)?;
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
        let target_depth = target.chain.len().saturating_sub(1) + target.missing.len();
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
        let depth = target_depth + if node.is_document() { 0 } else { self.height(node.id)? };
        if depth > MAX_DEPTH {
            return Err(Error::invalid(format!(
                "{to}: something in it would lie {depth} folders deep, at most {MAX_DEPTH}"
            )));
        }
        let parent = parent.ok_or_else(|| {
            Error::invalid(format!("{to}: a document stands where a folder is needed; choose another path"))
        })?;
        let (clock, now) = (self.tick(), self.now.as_micros());
        self.execute(
            "UPDATE node SET parent = ?2, name = ?3, clock = ?4, updated = ?5 WHERE id = ?1",
            (node.id, parent, name, clock, now),
        )?;
        let detail = json!({"parent": node.parent, "name": node.name.as_str()});
        self.note(&source.owner, node.id, (Deed::Moved, 0), Some(&detail), None)
    }

    /// How deep it goes below a folder, which holds something. At most 2,000 folders are looked at.
    fn height(&self, id: NodeId) -> Result<usize> {
        let height = crate::queries::number(
            self.connection,
            "WITH RECURSIVE below (id, depth) AS (
               SELECT ?1, 0 UNION ALL
               SELECT node.id, depth + 1 FROM below CROSS JOIN node ON node.parent = below.id
               WHERE removed IS NULL AND kind = 1 LIMIT 2000
             ) SELECT max(depth) + 1 FROM below",
            [id],
        )?;
        Ok(usize::try_from(height).unwrap_or(usize::MAX))
    }

    /// What is shared with somebody can be changed by them; where it hangs is up to those above it.
    fn demand_folder(&self, place: &Place, path: &str) -> Result<()> {
        let above = place.chain.split_last().map_or(&[][..], |(_, above)| above);
        if above.is_empty() {
            return Err(Error::invalid(format!("{path} is a root; it stays where it is")));
        }
        if level_at(self.connection, &self.actor, above)? < Level::Write {
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
        let (place, node) = demand_node(self.connection, &self.actor, path, Level::Write)?;
        self.demand_folder(&place, path)?;
        let (clock, now) = (self.tick(), self.now.as_micros());
        self.execute("UPDATE node SET removed = ?2, clock = ?3 WHERE id = ?1", (node.id, now, clock))?;
        self.note(&place.owner, node.id, (Deed::Removed, 0), None, None)
    }

    fn restore(&mut self, path: &str) -> Result<()> {
        let place = match find(self.connection, &self.actor, path)? {
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
        let (Some(removed), 1) = (
            place
                .missing
                .first()
                .map(|name| node::last_removed(self.connection, folder, name))
                .transpose()?
                .flatten(),
            place.missing.len(),
        ) else {
            return Err(nothing_at(path));
        };
        // A restricted folder is restricted also while it is removed.
        let chain: Vec<Node> = place.chain.iter().cloned().chain([removed.clone()]).collect();
        let level = level_at(self.connection, &self.actor, &chain)?;
        if level < Level::Read {
            return Err(nothing_at(path));
        }
        if level < Level::Write || place.level < Level::Write {
            return Err(Error::new(ErrorKind::Denied, format!("{path}: to restore takes the level Write")));
        }
        let clock = self.tick();
        self.execute("UPDATE node SET removed = NULL, clock = ?2 WHERE id = ?1", (removed.id, clock))?;
        self.note(&place.owner, removed.id, (Deed::Restored, 0), None, None)
    }

    fn grant(&mut self, path: &str, principal: &Principal, level: Level) -> Result<()> {
        let (place, node) = demand_node(self.connection, &self.actor, path, Level::Admin)?;
        check_principal(principal)?;
        if matches!(principal, Principal::User(user) if *user == place.owner) {
            return Err(Error::invalid(format!(
                "{path} belongs to {principal}: an owner's level is always Admin"
            )));
        }
        let (clock, who) = (self.tick(), who(principal));
        if level == Level::None {
            self.execute("DELETE FROM entitlement WHERE node = ?1 AND who = ?2", (node.id, &who))?;
        } else {
            self.execute(
                "INSERT OR REPLACE INTO entitlement (node, who, level, clock) VALUES (?1,?2,?3,?4)",
                (node.id, &who, number(level), clock),
            )?;
            for user in self.users(principal)? {
                self.mount(&user, &place.owner, &node)?;
            }
        }
        let detail = json!({"who": who, "level": level});
        self.note(&place.owner, node.id, (Deed::Granted, 0), Some(&detail), None)
    }

    fn users(&self, principal: &Principal) -> Result<Vec<String>> {
        match principal {
            Principal::User(user) => Ok(vec![user.to_string()]),
            Principal::Agent(_) => Ok(Vec::new()),
            Principal::Group(_) => self
                .connection
                .prepare_cached("SELECT user FROM member WHERE who = ?1")
                .and_then(|mut statement| statement.query_map([who(principal)], |row| row.get(0))?.collect())
                .or_fault(),
        }
    }

    /// Gives a user the place where the shared node is found. It stays the same for good.
    pub(super) fn mount(&mut self, user: &str, owner: &str, node: &Node) -> Result<()> {
        if user == owner {
            return Ok(());
        }
        let has = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
            self.connection.prepare_cached(sql).and_then(|mut statement| statement.exists(params)).or_fault()
        };
        if has("SELECT 1 FROM mount WHERE user = ?1 AND node = ?2", &[&user, &node.id])? {
            return Ok(());
        }
        let owner = as_segment(owner);
        let name = if node.kind == Kind::Root { "Home" } else { node.name.as_str() };
        let mut free = name.to_owned();
        for number in 2.. {
            let taken = "SELECT 1 FROM mount WHERE user = ?1 AND owner = ?2 AND name = ?3";
            if !has(taken, &[&user, &owner, &free])? {
                break;
            }
            free = format!("{name} ({number})");
        }
        let row = (user, owner, free, node.id);
        self.execute("INSERT INTO mount (user, owner, name, node) VALUES (?1,?2,?3,?4)", row).map(drop)
    }

    fn restrict(&mut self, path: &str, on: bool) -> Result<()> {
        let (place, node) = demand_node(self.connection, &self.actor, path, Level::Admin)?;
        if node.kind != Kind::Folder {
            return Err(Error::invalid(format!(
                "{path} is no folder below a root; only those are restricted"
            )));
        }
        let clock = self.tick();
        let row = (node.id, i64::from(on), clock);
        self.execute("UPDATE node SET restricted = ?2, clock = ?3 WHERE id = ?1", row)?;
        if on && self.actor.user != place.owner {
            // Who restricts a folder does not lock itself out.
            let who = who(&Principal::User(self.actor.user.clone()));
            self.execute(
                "INSERT OR REPLACE INTO entitlement (node, who, level, clock) VALUES (?1,?2,?3,?4)",
                (node.id, who, number(Level::Admin), clock),
            )?;
        }
        self.note(&place.owner, node.id, (Deed::Restricted, 0), Some(&json!({"on": on})), None)
    }

    /// Puts a user into a group, or takes it out.
    pub(super) fn enroll(&mut self, group: &Principal, user: &str, on: bool) -> Result<()> {
        check_principal(group)?;
        let group = who(group);
        if !on {
            return self.execute("DELETE FROM member WHERE user = ?1 AND who = ?2", (user, group)).map(drop);
        }
        self.execute("INSERT OR IGNORE INTO member (user, who) VALUES (?1,?2)", (user, &group))?;
        let shared: Vec<NodeId> = self
            .connection
            .prepare_cached("SELECT node FROM entitlement WHERE who = ?1 ORDER BY node")
            .and_then(|mut statement| statement.query_map([&group], |row| row.get(0))?.collect())
            .or_fault()?;
        for id in shared {
            let chain = node::chain(self.connection, id)?;
            if let (Some(root), Some(node), true) = (chain.first(), chain.last(), is_live(&chain)) {
                self.mount(user, &root.name, node)?;
            }
        }
        Ok(())
    }
}

fn check_principal(principal: &Principal) -> Result<()> {
    let (Principal::User(name) | Principal::Group(name) | Principal::Agent(name)) = principal;
    if name.is_empty() || name.len() > vextir_core::MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "a user, group or agent has an empty or overlong name, or a control character in it",
        ));
    }
    Ok(())
}

/// A user's name as one segment of a path. Names that come out alike share a folder, and nothing in it.
fn as_segment(user: &str) -> String {
    use std::fmt::Write;
    const LONGEST: usize = 200;
    let dots = matches!(user, "." | "..");
    let mut segment = String::with_capacity(user.len());
    for sign in user.chars() {
        if sign == '/' || sign == '%' || sign.is_control() || sign.is_whitespace() || dots {
            // Writing into a string does not fail.
            let _ = write!(segment, "%{:02X}", u32::from(sign));
        } else {
            segment.push(sign);
        }
        if segment.len() > LONGEST {
            break;
        }
    }
    match clean_path(&format!("/{segment}")) {
        Ok(path) => path.trim_start_matches('/').to_owned(),
        Err(_) => segment,
    }
}

#[cfg(test)]
mod tests {
    use super::as_segment;
    use vextir_core::context::clean_path;

    #[test]
    fn every_user_has_a_segment() {
        for user in
            ["ann", "a/b", "..", ".", "a b", " ", "%41", "A\u{30a}", &"x".repeat(512), &"\u{1}".repeat(512)]
        {
            let path = format!("/Shared/{}/x", as_segment(user));
            assert_eq!(clean_path(&path).unwrap(), path, "{user:?}");
        }
        assert_eq!(as_segment("a/b"), "a%2Fb");
    }
}
