//! Branches of causal trees that are not over.

use super::SqlRows;
use crate::decode;
use crate::encode::json;
use crate::fault::{OrFault, damaged};
use crate::key::Key;
use crate::queries::{signed, sql};
use rusqlite::OptionalExtension;
use vextir_core::bus::{Delivery, Parked};
use vextir_core::{Branch, EventId, Name, Result};

impl SqlRows<'_> {
    pub(super) fn select_branch(&mut self, user: &Name, id: &EventId) -> Result<Option<Branch>> {
        self.cached(sql::BRANCH)?
            .query_row([Key::new(user, id)], |row| Ok(branch(row)))
            .optional()
            .or_fault()?
            .transpose()
    }

    pub(super) fn write_branch(&mut self, branch: &Branch) -> Result<()> {
        self.writes += 1;
        let driver = self.driver_number(&branch.driver)?;
        let answers = (!branch.answers.is_empty()).then(|| json(&branch.answers)).transpose()?;
        let labels = (!branch.labels.is_empty()).then(|| json(&branch.labels)).transpose()?;
        let key = |id: &EventId| Key::new(&branch.user, id);
        let row = (
            key(&branch.id),
            branch.user.as_str(),
            key(&branch.root),
            branch.depth,
            driver,
            branch.ordering_key.as_deref(),
            branch.parent.as_ref().map(key),
            signed(branch.open),
            signed(branch.failed),
            answers,
            signed(branch.more),
            labels,
            branch.holds,
        );
        let sql = "INSERT OR REPLACE INTO branch (id, user, root, depth, driver, ordering_key, parent, open,
                   failed, answers, more, labels, holds) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)";
        self.cached(sql)?.execute(row).or_fault()?;
        Ok(())
    }

    pub(super) fn delete_branch(&mut self, branch: &Branch) -> Result<()> {
        self.writes += 1;
        let key = Key::new(&branch.user, &branch.id);
        self.cached("DELETE FROM branch WHERE id = ?1")?.execute([key]).or_fault()?;
        Ok(())
    }

    pub(super) fn delete_branches(&mut self, user: &Name, root: &EventId) -> Result<Option<Branch>> {
        let tree = self.select_branch(user, root)?;
        let gone = self.cached("DELETE FROM branch WHERE root = ?1")?.execute([Key::new(user, root)]);
        self.writes += u64::from(gone.or_fault()? > 0);
        Ok(tree)
    }

    pub(super) fn select_branches(&mut self, user: &Name, root: &EventId) -> Result<Vec<Branch>> {
        let mut statement = self.cached(sql::BRANCHES_OF)?;
        let rows = statement.query_map([Key::new(user, root)], |row| Ok(branch(row))).or_fault()?;
        rows.map(|row| row.or_fault()?).collect()
    }

    pub(super) fn select_work(&mut self, branch: &Branch) -> Result<Vec<Delivery>> {
        let mut work = self.work_in(&sql::WORK_OF, branch)?;
        if self.counts.unclaimed > 0 {
            work.extend(self.work_in(&sql::ASIDE_OF, branch)?);
        }
        Ok(work)
    }

    fn work_in(&self, sql: &str, branch: &Branch) -> Result<Vec<Delivery>> {
        let mut statement = self.cached(sql)?;
        let params = (Key::new(&branch.user, &branch.id), signed(branch.open));
        let rows = statement.query_map(params, |row| Ok(decode::delivery(row))).or_fault()?;
        rows.map(|row| row.or_fault()?).collect()
    }

    pub(super) fn select_waits(&mut self, branch: &Branch) -> Result<Vec<Parked>> {
        if self.counts.parked == 0 {
            return Ok(Vec::new());
        }
        let key = |id: &EventId| Key::new(&branch.user, id);
        let mut statement = self.cached(&sql::WAITS_OF)?;
        let params = (key(&branch.root), key(&branch.id));
        let rows = statement.query_map(params, |row| Ok(decode::parked(row))).or_fault()?;
        rows.map(|row| row.or_fault()?).collect()
    }
}

fn branch(row: &rusqlite::Row<'_>) -> Result<Branch> {
    let some = |at| decode::id(row, at)?.ok_or_else(|| damaged("an id"));
    Ok(Branch {
        id: some(0)?,
        user: decode::name(row, 1)?,
        root: some(2)?,
        depth: decode::small(row, 3)?,
        driver: decode::name(row, 4)?,
        ordering_key: decode::get::<Option<String>>(row, 5)?.map(Name::from),
        parent: decode::id(row, 6)?,
        open: decode::count(row, 7)?,
        failed: decode::count(row, 8)?,
        answers: decode::json(row, 9)?,
        more: decode::count(row, 10)?,
        labels: decode::json(row, 11)?,
        holds: decode::get(row, 12)?,
    })
}
