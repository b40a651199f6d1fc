//! A schedule and where it stands, and what happens to it: (state, what came) to (state, what to do). Pure, so that every
//! rule can be tested without waiting.

use super::{Overlap, Schedule, Times};
use crate::{Category, Error, EventId, Name, Payload, Result, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::time::Duration;

/// How many slots may wait, or be at work beside each other, or be filled in at once.
const MANY: usize = 1_000;
/// How many slots one step goes through: the rest comes with the next one.
const STEP: usize = 1_000;

/// A schedule and where it stands: the document `/System/Schedules/<id>` of its user, and the event `schedule.state`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ScheduleState {
    /// Its name, unique for its user.
    #[schemars(with = "String")]
    pub id: Name,
    /// What was asked for.
    #[serde(flatten)]
    pub schedule: Schedule,
    /// The next slot; `None` when it is paused or over.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub next: Option<Timestamp>,
    /// Why it is paused, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// Slots whose trees are at work. Not kept where nothing depends on it: with [`Overlap::Allow`] and without
    /// `pause_after`.
    #[serde(default)]
    pub running: Vec<Firing>,
    /// Slots that wait for the running one.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub waiting: VecDeque<Timestamp>,
    /// The last slot that fired.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub last: Option<Timestamp>,
    /// How many firings there were.
    #[serde(default)]
    pub fired: u64,
    /// How many slots were left out because an earlier one was at work, or because it was paused.
    #[serde(default)]
    pub skipped: u64,
    /// How many slots were missed for good.
    #[serde(default)]
    pub missed: u64,
    /// Firings in a row of which something failed for good.
    #[serde(default)]
    pub failures: u32,
    /// Which of its timers counts.
    #[serde(default)]
    pub(super) turn: u64,
}

impl Payload for ScheduleState {
    const TYPE: &'static str = "schedule.state";
    const CATEGORY: Category = Category::Output;
    const DESCRIPTION: &'static str = "A schedule and where it stands.";
}

/// A firing that is at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Firing {
    /// Its slot.
    #[schemars(with = "String")]
    pub slot: Timestamp,
    /// The root of what it causes.
    #[schemars(with = "String")]
    pub root: EventId,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// Emit the event for this slot.
    Fire(Timestamp),
    /// Cancel what an earlier slot caused.
    Cancel(EventId),
}

impl ScheduleState {
    /// A new schedule.
    pub(super) fn begin(id: Name, schedule: Schedule, now: Timestamp) -> Result<Self> {
        let schedule = schedule.begun(now);
        schedule.check(now)?;
        let next = match schedule.times {
            Times::Once { at } => Some(at),
            _ => schedule.slot_after(now)?,
        };
        Ok(Self {
            id,
            schedule,
            next,
            paused: None,
            running: Vec::new(),
            waiting: VecDeque::new(),
            last: None,
            fired: 0,
            skipped: 0,
            missed: 0,
            failures: 0,
            turn: 0,
        })
    }

    /// The same schedule asks for something else from now on; its slots begin anew.
    pub(super) fn replace(&mut self, schedule: Schedule, now: Timestamp) -> Result<()> {
        let fresh = Self::begin(self.id.clone(), schedule, now)?;
        self.schedule = fresh.schedule;
        self.next = fresh.next.filter(|_| self.paused.is_none());
        Ok(())
    }

    /// A timer has rung.
    pub(super) fn due(&mut self, turn: u64, now: Timestamp) -> Result<Vec<Act>> {
        let mut acts = Vec::new();
        if turn != self.turn || self.paused.is_some() {
            return Ok(acts);
        }
        // That timer is spent. Another one is set for what is to come, also where a clock that was set back says that it
        // is too early.
        self.turn += 1;
        let oldest = now.before(self.schedule.catch_up());
        for _ in 0..STEP {
            let Some(slot) = self.next.filter(|slot| self.due_at(*slot) <= now) else { return Ok(acts) };
            if slot < oldest {
                self.missed += 1;
            } else {
                self.arrive(slot, &mut acts);
            }
            self.next = self.schedule.slot_after(slot)?;
        }
        if self.next.is_some_and(|slot| slot < oldest) {
            // Nothing ran for very long: what was missed so long ago is not counted one by one.
            self.next = self.schedule.slot_after(oldest)?;
        }
        Ok(acts)
    }

    /// Its timer should have rung by now, and did not: it was lost with a dead letter or a cancelled tree.
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        self.next.is_some_and(|slot| self.due_at(slot).after(Duration::from_mins(1)) < now)
    }

    /// Lets another timer be set.
    pub(super) fn wind_up(&mut self) {
        self.turn += 1;
    }

    /// When the timer of a slot rings: later by the slot's part of the jitter.
    pub(super) fn due_at(&self, slot: Timestamp) -> Timestamp {
        if self.schedule.jitter_ms == 0 {
            return slot;
        }
        let seed = foldhash::quality::FixedState::with_seed(0x5eed);
        let drawn = seed.hash_one((self.id.as_str(), slot.as_micros()));
        slot.after(Duration::from_millis(drawn % self.schedule.jitter_ms))
    }

    /// What a firing caused has ended.
    pub(super) fn ended(&mut self, root: &EventId, failed: bool) -> Vec<Act> {
        let mut acts = Vec::new();
        let Some(index) = self.running.iter().position(|firing| firing.root == *root) else { return acts };
        self.running.remove(index);
        self.failures = if failed { self.failures + 1 } else { 0 };
        if self.schedule.pause_after > 0 && self.failures >= self.schedule.pause_after {
            self.pause(&format!("{} firings in a row failed", self.failures));
        } else if self.running.is_empty()
            && let Some(slot) = self.waiting.pop_front()
        {
            self.fire(slot, &mut acts);
        }
        acts
    }

    /// Stops it until somebody resumes it. What is at work goes on; what waits is left out.
    pub(super) fn pause(&mut self, reason: &str) {
        if self.paused.is_none() {
            self.paused = Some(reason.to_owned());
            self.next = None;
            self.skipped += self.waiting.len() as u64;
            self.waiting.clear();
        }
    }

    /// Goes on, from now: what would have been meanwhile is neither fired nor missed, but for a single time that has
    /// passed, which fires if it is caught up with.
    pub(super) fn resume(&mut self, now: Timestamp) -> Result<()> {
        if self.paused.is_some() {
            self.next = match self.schedule.times {
                Times::Once { at } => Some(at).filter(|_| self.fired == 0),
                _ => self.schedule.slot_after(now)?,
            };
            (self.paused, self.failures) = (None, 0);
        }
        Ok(())
    }

    /// Fires now, out of turn, as far as its overlap allows.
    pub(super) fn trigger(&mut self, now: Timestamp) -> Vec<Act> {
        let mut acts = Vec::new();
        self.arrive(now, &mut acts);
        acts
    }

    /// The slots after `from`, up to `until`.
    pub(super) fn slots_between(&self, from: Timestamp, until: Timestamp) -> Result<Vec<Timestamp>> {
        let (mut slots, mut after) = (Vec::new(), from);
        while let Some(slot) = self.schedule.slot_after(after)?.filter(|slot| *slot <= until) {
            if slots.len() == MANY {
                let message =
                    format!("more than {MANY} slots between {from} and {until}; take a shorter time");
                return Err(Error::invalid(message));
            }
            slots.push(slot);
            after = slot;
        }
        Ok(slots)
    }

    /// Fires slots of the past.
    pub(super) fn backfill(&mut self, slots: Vec<Timestamp>) -> Vec<Act> {
        let mut acts = Vec::new();
        slots.into_iter().for_each(|slot| self.arrive(slot, &mut acts));
        acts
    }

    /// Whether it will never fire again, and nothing of it is at work.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.paused.is_none() && self.next.is_none() && self.is_quiet()
    }

    /// Whether nothing of it is at work or waits for that.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    /// The identity of a firing: one for each slot, whatever happens.
    pub(super) fn firing(&self, slot: Timestamp) -> EventId {
        // A foreign id is its user's own.
        format!("schedule/{}/{}", self.id, slot.as_micros()).parse().unwrap_or_default()
    }

    fn arrive(&mut self, slot: Timestamp, acts: &mut Vec<Act>) {
        let room = match self.schedule.overlap {
            Overlap::Skip => 0,
            Overlap::BufferOne => 1,
            Overlap::BufferAll => MANY,
            Overlap::Allow if self.running.len() < MANY => return self.fire(slot, acts),
            Overlap::Allow => 0,
            Overlap::CancelRunning => {
                for firing in std::mem::take(&mut self.running) {
                    match acts.iter().position(|act| *act == Act::Fire(firing.slot)) {
                        // It has not begun: of several that were missed the last one fires.
                        Some(index) => {
                            acts.remove(index);
                            (self.fired, self.skipped) = (self.fired.saturating_sub(1), self.skipped + 1);
                        }
                        None => acts.push(Act::Cancel(firing.root)),
                    }
                }
                return self.fire(slot, acts);
            }
        };
        if self.running.is_empty() && self.waiting.is_empty() {
            self.fire(slot, acts);
        } else if self.waiting.len() < room {
            self.waiting.push_back(slot);
        } else {
            self.skipped += 1;
        }
    }

    fn fire(&mut self, slot: Timestamp, acts: &mut Vec<Act>) {
        if self.schedule.is_watched() {
            self.running.push(Firing { slot, root: self.firing(slot) });
        }
        self.fired += 1;
        self.last = Some(self.last.map_or(slot, |last| last.max(slot)));
        acts.push(Act::Fire(slot));
    }
}
