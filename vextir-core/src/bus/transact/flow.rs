//! What rules of flow control decide in the transaction that makes a delivery: whether it is made, when it is due, and
//! whose place it takes. And the end of deliveries that are handled together.

use super::Write;
use crate::bus::{
    Admission, Began, Checkpoint, DeadLetter, Delivery, NewDelivery, Outcome, Position, Rows, Tree,
};
use crate::notice::KERNEL;
use crate::{
    AuditRecord, Data, Decision, Event, EventId, FlowKey, FlowRule, Name, Result, Timestamp, Twin, Window,
};
use serde::{Deserialize, Serialize};

/// How the keys of all counts begin.
pub(crate) const FLOW: &str = "flow/";

/// What is kept of one count.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct State {
    /// What began or was admitted lately.
    #[serde(default)]
    window: Window,
    /// The delivery that stands for all, if one was made.
    #[serde(default)]
    position: Position,
    /// When the first of those came for which it stands.
    #[serde(default)]
    since: Timestamp,
    /// When it is due.
    #[serde(default)]
    due: Timestamp,
    /// From when on none of this matters, once the delivery is over.
    until: Timestamp,
}

/// What was decided about a delivery that is made.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    pub(super) due: Option<Timestamp>,
    pub(super) replaces: Vec<Position>,
    states: Vec<State>,
}

/// Where the state of a count is kept: among the kernel's own checkpoints.
pub(crate) fn key_of(driver: &Name, key: &FlowKey) -> Result<String> {
    Ok(format!("{}{}", prefix_of(driver), Data::new(key)?.as_json()))
}

/// How the keys of a driver's counts begin.
pub(crate) fn prefix_of(driver: &Name) -> String {
    format!("{FLOW}{driver}/")
}

/// The window of a count, read from its checkpoint.
pub(crate) fn window_of(driver: &Name, checkpoint: &Checkpoint) -> Option<(FlowKey, Window)> {
    let key = serde_json::from_str(checkpoint.key.strip_prefix(&prefix_of(driver))?).ok()?;
    let state: State = checkpoint.value.as_ref()?.decode().ok()?;
    Some((key, state.window))
}

impl<R: Rows> Write<'_, R> {
    /// Asks the rules; nothing if the delivery is not to be made, which the audit is told then.
    pub(super) fn ask_flow(&mut self, event: &Event, new: &NewDelivery) -> Result<Option<Admitted>> {
        let (now, mut admitted) = (self.rows.now(), Admitted::default());
        for admission in &new.admission {
            let state = self.state(&new.driver, &admission.key)?;
            let refused = match admission.flow.rule() {
                FlowRule::RateLimit(most, per) => state.window.next(now, *most, *per) > now,
                FlowRule::Singleton(Twin::Skip) => self.is_open(state.position)?,
                _ => false,
            };
            if refused {
                self.skip(event, new, admission)?;
                return Ok(None);
            }
            admitted.states.push(state);
        }
        for (admission, mut state) in new.admission.iter().zip(std::mem::take(&mut admitted.states)) {
            let is_open = self.is_open(state.position)?;
            match admission.flow.rule() {
                FlowRule::RateLimit(most, per) => {
                    state.window.add(now, *most, *per);
                    state.until = state.window.until(*per);
                }
                FlowRule::Debounce { quiet, at_most } => {
                    let stands_for = is_open && now < state.due;
                    if stands_for {
                        admitted.replaces.push(state.position);
                    } else {
                        state.since = now;
                    }
                    let latest = at_most.map_or(Timestamp::MAX, |most| state.since.after(most));
                    state.due = now.after(*quiet).min(latest);
                    (admitted.due, state.until) = (Some(state.due), state.due);
                }
                _ if is_open => admitted.replaces.push(state.position),
                _ => {}
            }
            admitted.states.push(state);
        }
        admitted.replaces.dedup();
        for position in &admitted.replaces {
            self.replace(*position)?;
        }
        Ok(Some(admitted))
    }

    /// Keeps what was decided, with the delivery that was made.
    pub(super) fn keep_flow(&mut self, new: &NewDelivery, admitted: Admitted, made: &Delivery) -> Result<()> {
        for (admission, mut state) in new.admission.iter().zip(admitted.states) {
            if !matches!(admission.flow.rule(), FlowRule::RateLimit(..)) {
                state.position = made.position;
            }
            self.set_state(&new.driver, &admission.key, &state)?;
        }
        Ok(())
    }

    /// Notes when a handler began.
    pub(super) fn note_began(&mut self, driver: &Name, began: &[Began]) -> Result<()> {
        for Began { key, at, most, per } in began {
            let mut state = self.state(driver, key)?;
            state.window.add(*at, *most, *per);
            state.until = state.window.until(*per);
            self.set_state(driver, key, &state)?;
        }
        Ok(())
    }

    /// Whether a checkpoint that is to be forgotten is the state of a count that still matters.
    pub(super) fn must_stay(&mut self, checkpoint: &Checkpoint) -> Result<bool> {
        let is_state = checkpoint.driver == KERNEL && checkpoint.key.starts_with(FLOW);
        if !is_state || checkpoint.value.is_some() {
            return Ok(false);
        }
        let state = self.rows.checkpoint(&checkpoint.driver, &checkpoint.key)?;
        let Some(state) = state.and_then(|data| data.decode::<State>().ok()) else { return Ok(false) };
        Ok(state.until > self.rows.now() || self.is_open(state.position)?)
    }

    /// The others of a settled batch end as its first one did.
    pub(super) fn settle_batch(&mut self, batch: &[Delivery], outcome: &Outcome) -> Result<()> {
        for member in batch {
            let position = member.position;
            match outcome {
                Outcome::Retry { at, error } => {
                    self.rows.retry_delivery(position, member.attempt + 1, *at, error)?;
                }
                // One whose tree was cancelled meanwhile is gone.
                _ if !self.rows.take_delivery(position)? => {}
                Outcome::Done { .. } => self.end_delivery(member, false)?,
                Outcome::Dead { reason, .. } => {
                    let letter = DeadLetter::of(member, reason.clone(), self.rows.now());
                    self.rows.add_dead(&letter)?;
                    self.end_delivery(member, true)?;
                }
            }
        }
        Ok(())
    }

    /// A delivery takes the place of another one, whose event is over with it.
    fn replace(&mut self, position: Position) -> Result<()> {
        let open = self.rows.unclaim_delivery(position)?.is_some();
        let Some(replaced) = self.rows.take_unclaimed(position)? else { return Ok(()) };
        if open {
            return self.end_delivery(&replaced, false);
        }
        if let Some(lease) = self.rows.lease(&replaced.event.user_id, replaced.event.root())? {
            // It waited for its driver.
            lease.parked = lease.parked.saturating_sub(1);
            lease.open += 1;
        }
        self.tell_hold(&replaced.event, None)?;
        self.end_delivery(&replaced, false)
    }

    /// In the books of its tree and its branch.
    fn end_delivery(&mut self, delivery: &Delivery, failed: bool) -> Result<()> {
        let (user, root): (&Name, &EventId) = (&delivery.event.user_id, delivery.event.root());
        self.leave_branch(&delivery.event, failed)?;
        if let Some(lease) = self.rows.lease(user, root)? {
            lease.open = lease.open.saturating_sub(1);
            lease.give_back(&delivery.reserve);
            self.applied.receipt.resumed |= lease.resume();
            self.others.push((user.clone(), root.clone()));
        }
        Ok(())
    }

    /// The last thing of a command: tells of the trees in which deliveries ended beside what it was about.
    pub(super) fn report_others(&mut self) -> Result<()> {
        let mut others = std::mem::take(&mut self.others);
        others.sort();
        others.dedup();
        for (user, root) in others {
            if let Some(lease) = self.rows.lease(&user, &root)? {
                let tree = Tree::from(&*lease);
                self.applied.receipt.others.push((user, root, tree));
            }
        }
        Ok(())
    }

    fn skip(&mut self, event: &Event, new: &NewDelivery, admission: &Admission) -> Result<()> {
        let reason = format!("{} did not get it: {}", new.driver, admission.flow);
        let decision = Decision::new(admission.key.rule.clone(), reason);
        self.rows.add_audit(&AuditRecord::about(event, "skip", decision))
    }

    fn is_open(&mut self, position: Position) -> Result<bool> {
        if position == 0 { Ok(false) } else { self.rows.has_delivery(position) }
    }

    fn state(&mut self, driver: &Name, key: &FlowKey) -> Result<State> {
        let kept = self.rows.checkpoint(&Name::literal(KERNEL), &key_of(driver, key)?)?;
        Ok(kept.and_then(|data| data.decode().ok()).unwrap_or_default())
    }

    fn set_state(&mut self, driver: &Name, key: &FlowKey, state: &State) -> Result<()> {
        let (key, value) = (key_of(driver, key)?, Some(Data::new(state)?));
        self.rows.set_checkpoint(&Checkpoint { driver: Name::literal(KERNEL), key, value })
    }
}
