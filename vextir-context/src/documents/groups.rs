//! Groups: who is in them, and what a member keeps only for as long as it is one.

use super::apply::Apply;
use super::mounts::{Errand, Round};
use super::node::NodeId;
use super::place::Place;
use super::rights::{granted, level_at, number, who};
use super::structure::check_principal;
use crate::fault::OrFault;
use crate::queries::signed;
use vextir_core::{Actor, Level, Principal, Result};

/// Stands between a member and its group; a group's name holds no control character.
const SEPARATOR: char = '\u{1f}';

/// How a right is stored that a user has for as long as it is in a group. The user is its only member.
fn kept(user: &str, group: &str) -> String {
    if group.starts_with("k:") { group.to_owned() } else { format!("k:{user}{SEPARATOR}{group}") }
}

/// The user who has such a right.
pub(super) fn keeper(kept: &str) -> &str {
    kept.rsplit_once(SEPARATOR).map_or(kept, |(user, _)| user)
}

impl Apply<'_> {
    /// Puts a user into a group, or takes it out, with all that it had by the group.
    pub(super) fn enroll(&mut self, group: &Principal, user: &str, on: bool) -> Result<()> {
        check_principal(group)?;
        let who = who(group);
        let (round, user) = (if on { Round::Joined } else { Round::Left }, user.to_owned());
        let changed = if on {
            let row = (&user, &who, signed(self.file.desk.head));
            self.file.execute("INSERT OR IGNORE INTO member (user, who, since) VALUES (?1,?2,?3)", row)?
        } else {
            let kept = kept(&user, &who);
            self.file.execute("DELETE FROM entitlement WHERE who = ?1", [&kept])?;
            self.file.execute("DELETE FROM member WHERE user = ?1 AND who = ?2", (&user, &kept))?;
            self.file.execute("DELETE FROM member WHERE user = ?1 AND who = ?2", (&user, &who))?
        };
        if changed == 0 {
            return Ok(());
        }
        self.begin_errand(Errand { round, who, user, node: 0 })
    }

    /// Who restricts a folder does not lock itself out: it stays its administrator, by the right that it was one by.
    pub(super) fn keep_admin(&mut self, place: &Place) -> Result<()> {
        let user = Actor::user(self.actor.user.clone());
        let Some((node, above)) = place.chain.split_last() else { return Ok(()) };
        let mut restricted = node.clone();
        restricted.restricted = true;
        let chain: Vec<_> = above.iter().cloned().chain([restricted]).collect();
        if level_at(self.file.connection, &user, &chain)? == Level::Admin {
            return Ok(());
        }
        let own = who(&Principal::User(self.actor.user.clone()));
        let since = above.iter().rposition(|above| above.restricted).unwrap_or(0);
        let mut groups = Vec::new();
        for above in &above[since..] {
            if granted(self.file.connection, above.id, &own)? == Level::Admin {
                return self.entitle(node.id, &own, Level::Admin);
            }
            groups.extend(self.groups_that_give(above.id, Level::Admin)?);
        }
        for group in groups {
            let kept = kept(&self.actor.user, &group);
            let row = (self.actor.user.to_string(), &kept, signed(self.file.desk.head));
            self.file.execute("INSERT OR IGNORE INTO member (user, who, since) VALUES (?1,?2,?3)", row)?;
            self.entitle(node.id, &kept, Level::Admin)?;
        }
        Ok(())
    }

    /// The groups of the actor that have a level at a node itself.
    fn groups_that_give(&self, node: NodeId, level: Level) -> Result<Vec<String>> {
        self.file
            .connection
            .prepare_cached(
                "SELECT entitlement.who FROM entitlement JOIN member ON member.who = entitlement.who
                 WHERE node = ?1 AND member.user = ?2 AND level >= ?3",
            )
            .and_then(|mut statement| {
                let params = (node, self.actor.user.as_str(), number(level));
                statement.query_map(params, |row| row.get(0))?.collect()
            })
            .or_fault()
    }

    /// A grant to a user replaces also what it kept by a group.
    pub(super) fn forget_kept(&mut self, node: NodeId, user: &str) -> Result<()> {
        self.file
            .execute(
                "DELETE FROM entitlement WHERE node = ?1 AND who >= 'k:' AND who < 'k;'
             AND who IN (SELECT who FROM member WHERE user = ?2)",
                (node, user),
            )
            .map(drop)
    }
}
