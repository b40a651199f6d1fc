//! Branches: what goes on in them is counted, and their drivers are told when nothing does any more.

use super::Write;
use crate::bus::{NewDelivery, Rows};
use crate::{Branch, Event, EventId, Lease, Name, Result};

impl<R: Rows> Write<'_, R> {
    /// Begins a branch; it counts in the one that it was begun in.
    pub(super) fn begin_branch(&mut self, branch: &Branch) -> Result<()> {
        if let Some(parent) = &branch.parent
            && let Some(parent) = self.branch(&branch.user, parent)?
        {
            parent.open += 1;
        }
        self.branches.push(branch.clone());
        Ok(())
    }

    /// The event of a branch is stored already. One that is at work is told of when it ends; one that is over, with this
    /// command: who began it again waits for that.
    pub(super) fn begin_again(&mut self, branch: &Branch) -> Result<()> {
        match self.branch(&branch.user, &branch.id)? {
            Some(_) => Ok(()),
            None => self.begin_branch(branch),
        }
    }

    /// Something of the event's branch, `count` deliveries or a wait, is not over.
    pub(super) fn enter_branch(&mut self, event: &Event, count: u64) -> Result<()> {
        if let Some(id) = &event.branch_id
            && let Some(branch) = self.branch(&event.user_id, id)?
        {
            branch.open += count;
        }
        Ok(())
    }

    /// A delivery or a wait of the event's branch is over.
    pub(super) fn leave_branch(&mut self, event: &Event, failed: bool) -> Result<()> {
        if let Some(id) = &event.branch_id
            && let Some(branch) = self.branch(&event.user_id, id)?
        {
            branch.open = branch.open.saturating_sub(1);
            branch.failed += u64::from(failed);
        }
        Ok(())
    }

    /// An event of a branch came into the log.
    pub(super) fn note_in_branch(&mut self, event: &Event) -> Result<()> {
        if let Some(id) = &event.branch_id
            && let Some(branch) = self.branch(&event.user_id, id)?
        {
            branch.note(event);
        }
        Ok(())
    }

    /// The last thing of each command: tells of the branches that are over, and keeps the others.
    pub(super) fn end_branches(&mut self) -> Result<()> {
        while let Some(index) = self.branches.iter().position(|branch| branch.open == 0) {
            let ended = self.branches.swap_remove(index);
            self.rows.drop_branch(&ended)?;
            self.tell_of(&ended, false)?;
            if let Some(parent) = &ended.parent
                && let Some(parent) = self.branch(&ended.user, parent)?
            {
                parent.open = parent.open.saturating_sub(1);
            }
        }
        let rows = &mut *self.rows;
        self.branches.iter().try_for_each(|branch| rows.set_branch(branch))
    }

    /// Forgets the branches of a tree that is cancelled. Who began the tree as a branch is told.
    pub(super) fn cancel_branches(&mut self, user: &Name, root: &EventId) -> Result<()> {
        match self.rows.drop_branches(user, root)? {
            Some(tree) => self.tell_of(&tree, true),
            None => Ok(()),
        }
    }

    /// Tells of an event in a branch that is held, or goes on, if the branch's driver wants to know.
    pub(super) fn tell_hold(&mut self, event: &Event, reason: Option<&str>) -> Result<()> {
        let Some(id) = &event.branch_id else { return Ok(()) };
        let branch = self.branch(&event.user_id, id)?.filter(|branch| branch.holds).cloned();
        let Some(branch) = branch else { return Ok(()) };
        let news = branch.held(event.id.clone(), reason.map(str::to_owned))?;
        self.send(news, &branch.driver)
    }

    pub(super) fn tell_of(&mut self, ended: &Branch, cancelled: bool) -> Result<()> {
        let event = ended.ended(cancelled)?;
        self.send(event, &ended.driver)
    }

    /// The kernel's own news to one driver.
    pub(super) fn send(&mut self, mut event: Event, driver: &Name) -> Result<()> {
        let (id, now) = (self.rows.new_id(), self.rows.now());
        let envelope = event.edit();
        (envelope.id, envelope.timestamp) = (id, now);
        let sequence = self.rows.add_event(&event, None)?;
        if event.root_id.is_none() {
            let limits = self.limits(None);
            self.rows.add_lease(Lease::new(event.id.clone(), event.user_id.clone(), limits))?;
        }
        if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
            if lease.first == 0 {
                lease.first = sequence;
            }
            lease.last = sequence;
        }
        self.deliver(&event, sequence, &[NewDelivery::to(driver.clone())])
    }

    /// A branch that is not over, to be changed.
    pub(super) fn branch(&mut self, user: &Name, id: &EventId) -> Result<Option<&mut Branch>> {
        let known = self.branches.iter().position(|branch| branch.id == *id && branch.user == *user);
        let index = match known {
            Some(index) => index,
            None => match self.rows.branch(user, id)? {
                Some(branch) => {
                    self.branches.push(branch);
                    self.branches.len() - 1
                }
                None => return Ok(None),
            },
        };
        Ok(self.branches.get_mut(index))
    }
}
