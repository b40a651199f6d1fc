//! Where users find what others share: `/Shared/<owner>/<name>`, a place that stays the same for good.
//!
//! Whoever is granted something alone gets the place in the same transaction. A group may have many members, and a new
//! member much to find: what goes past a slice of them waits as an errand, which the writer runs between two batches.

use super::apply::Apply;
use super::node::{self, Kind, Node, NodeId};
use super::rights::who;
use crate::decode::get;
use crate::fault::OrFault;
use rusqlite::{Connection, OptionalExtension, Row};
use vextir_core::context::{Deed, clean_path};
use vextir_core::{Level, Principal, Result};

/// How many places one transaction makes.
const SLICE: u32 = 64;

/// What is to be gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// The members of a group, who find a node.
    Members,
    /// What is granted to a group that a user came into.
    Joined,
    /// What was granted to a group that a user left.
    Left,
}

/// A round that is under way.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) round: Round,
    /// The group.
    pub(super) who: String,
    /// The last member that is done, or the one who came or left.
    pub(super) user: String,
    /// The node, or the last one that is done.
    pub(super) node: NodeId,
}

impl Errand {
    fn read(row: &Row<'_>) -> Result<(i64, Self)> {
        let round = match get::<i64>(row, 1)? {
            0 => Round::Members,
            1 => Round::Joined,
            _ => Round::Left,
        };
        Ok((get(row, 0)?, Self { round, who: get(row, 2)?, user: get(row, 3)?, node: get(row, 4)? }))
    }
}

/// Whether something waits to be done between two batches.
pub(crate) fn has_errands(connection: &Connection) -> Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM errand LIMIT 1")
        .and_then(|mut statement| statement.exists([]))
        .or_fault()
}

impl Apply<'_> {
    /// Gives all whom something is granted to the place where they find it.
    pub(super) fn mount_for(&mut self, principal: &Principal, owner: &str, node: &Node) -> Result<()> {
        match principal {
            Principal::User(user) => self.mount(user, owner, node),
            Principal::Agent(_) => Ok(()),
            Principal::Group(_) => {
                let (who, user) = (who(principal), String::new());
                self.begin_errand(Errand { round: Round::Members, who, user, node: node.id })
            }
        }
    }

    /// Does the first slice of a round; the rest is done later.
    pub(super) fn begin_errand(&mut self, mut errand: Errand) -> Result<()> {
        if self.go_on(&mut errand)? {
            return Ok(());
        }
        let Errand { round, who, user, node } = errand;
        let row = (round as i64, who, user, node);
        self.file.desk.errands = true;
        self.file.execute("INSERT INTO errand (round, who, user, node) VALUES (?1,?2,?3,?4)", row).map(drop)
    }

    /// Does the next slice of what waits.
    pub(super) fn run_errand(&mut self) -> Result<()> {
        let next = self
            .file
            .connection
            .prepare_cached("SELECT number, round, who, user, node FROM errand ORDER BY number LIMIT 1")
            .and_then(|mut statement| statement.query_row([], |row| Ok(Errand::read(row))).optional())
            .or_fault()?
            .transpose()?;
        let Some((number, mut errand)) = next else { return Ok(()) };
        if self.go_on(&mut errand)? {
            self.file.execute("DELETE FROM errand WHERE number = ?1", [number])?;
            self.file.desk.errands = has_errands(self.file.connection)?;
            return Ok(());
        }
        let row = (number, errand.user, errand.node);
        self.file.execute("UPDATE errand SET user = ?2, node = ?3 WHERE number = ?1", row).map(drop)
    }

    /// True when the round is over.
    fn go_on(&mut self, errand: &mut Errand) -> Result<bool> {
        match errand.round {
            Round::Members => self.go_on_with_members(errand),
            Round::Joined | Round::Left => self.go_on_with_nodes(errand),
        }
    }

    fn go_on_with_members(&mut self, errand: &mut Errand) -> Result<bool> {
        let chain = node::chain(self.file.connection, errand.node)?;
        let (Some(root), Some(node)) = (chain.first(), chain.last()) else { return Ok(true) };
        // None when the right was taken back meanwhile.
        let members: Vec<String> = self
            .file
            .connection
            .prepare_cached(
                "SELECT user FROM member WHERE who = ?1 AND user > ?2
                 AND EXISTS (SELECT 1 FROM entitlement WHERE node = ?3 AND who = ?1) ORDER BY user LIMIT ?4",
            )
            .and_then(|mut statement| {
                let params = (&errand.who, &errand.user, errand.node, SLICE);
                statement.query_map(params, |row| row.get(0))?.collect()
            })
            .or_fault()?;
        for user in &members {
            self.mount(user, &root.name, node)?;
        }
        let over = members.len() < SLICE as usize;
        errand.user = members.into_iter().next_back().unwrap_or_default();
        Ok(over)
    }

    fn go_on_with_nodes(&mut self, errand: &mut Errand) -> Result<bool> {
        let joined = errand.round == Round::Joined;
        let shared: Vec<NodeId> = self
            .file
            .connection
            .prepare_cached(
                "SELECT node FROM entitlement WHERE who = ?1 AND node > ?2 ORDER BY node LIMIT ?3",
            )
            .and_then(|mut statement| {
                statement.query_map((&errand.who, errand.node, SLICE), |row| row.get(0))?.collect()
            })
            .or_fault()?;
        for id in &shared {
            let chain = node::chain(self.file.connection, *id)?;
            let (Some(root), Some(node)) = (chain.first(), chain.last()) else { continue };
            // Also what is removed: it may be restored.
            if joined {
                self.mount(&errand.user, &root.name, node)?;
            }
            let mut detail = serde_json::json!({"who": format!("u:{}", errand.user), "through": errand.who});
            if !joined {
                detail["level"] = serde_json::json!(Level::None);
                detail["trail"] = super::sight::trail(&chain);
            }
            self.note(&root.name, *id, (Deed::Granted, 0), Some(&detail), None)?;
        }
        errand.node = shared.last().copied().unwrap_or_default();
        Ok(shared.len() < SLICE as usize)
    }

    /// Gives a user the place where the shared node is found. It stays the same for good.
    pub(super) fn mount(&mut self, user: &str, owner: &str, node: &Node) -> Result<()> {
        if user == owner {
            return Ok(());
        }
        let has = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
            self.file
                .connection
                .prepare_cached(sql)
                .and_then(|mut statement| statement.exists(params))
                .or_fault()
        };
        if has("SELECT 1 FROM mount WHERE user = ?1 AND node = ?2", &[&user, &node.id])? {
            return Ok(());
        }
        let owner = as_segment(owner);
        let name = if node.kind == Kind::Root { "Home" } else { node.name.as_str() };
        let named = |number: u64| if number < 2 { name.to_owned() } else { format!("{name} ({number})") };
        let taken = "SELECT 1 FROM mount WHERE user = ?1 AND owner = ?2 AND name = ?3";
        let number = first_free(|number| has(taken, &[&user, &owner, &named(number)]))?;
        let row = (user, owner, named(number), node.id);
        self.file.execute("INSERT INTO mount (user, owner, name, node) VALUES (?1,?2,?3,?4)", row).map(drop)
    }
}

/// A free number from 1, whose predecessor is taken, in few questions: numbers are given in turn.
fn first_free(taken: impl Fn(u64) -> Result<bool>) -> Result<u64> {
    let (mut low, mut high) = (0, 1);
    while taken(high)? {
        (low, high) = (high, high * 2);
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        if taken(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(high)
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
    use super::{as_segment, first_free};
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

    #[test]
    fn a_free_number_is_found_in_few_questions() {
        for count in [0, 1, 2, 7, 8, 1_000_000] {
            let asked = std::cell::Cell::new(0);
            let taken = |number| {
                asked.set(asked.get() + 1);
                Ok(number <= count)
            };
            assert_eq!(first_free(taken).unwrap(), count + 1);
            assert!(asked.get() <= 42, "{}", asked.get());
        }
    }
}
