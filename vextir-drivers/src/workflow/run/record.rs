//! Takes in what happened. What does not belong to an attempt that is at work changes nothing.

use super::answer::{self, Given};
use super::command::{Answer, At, Command, Due, Happened};
use super::fan::slot_of;
use super::names::measure;
use super::state::{KeptIn, NodeStatus, Phase, RunStatus};
use super::turn::{Turn, shortened};
use super::world::Stop;
use crate::workflow::expression::Condition;
use crate::workflow::instruction::{Act, Retry, Step};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use vextir::{EventId, Name};

/// The largest output in the document, and all of them, in bytes of JSON.
const INLINE: usize = 64 << 10;
const ALL_INLINE: usize = 1 << 20;
/// An output that stands in the document in any case.
const TINY: usize = 256;
/// The largest output of an element that stands in its part.
const ITEM: usize = 1 << 10;
/// How many answers are kept by reference.
const ANSWERS: usize = 100;
/// The longest wait before another try.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl<'a> Turn<'a> {
    pub(super) fn record(&mut self, happened: Happened) -> Result<(), Stop> {
        match happened {
            Happened::Ended { at, answers, more, failed } => self.ended(&at, answers, more, failed),
            Happened::Refused { at, reason } => self.refused(&at, reason),
            Happened::Held { at, reason } => self.held(&at, reason),
            Happened::GoesOn { at } => self.goes_on(&at),
            Happened::Came { at, event } => self.came(&at, event),
            Happened::Due { at, what: Due::Timeout } => self.timed_out(&at),
            Happened::Due { at, what: Due::Retry } => self.again(&at),
            Happened::Decided { at, approved, by, reason } => self.decided(&at, approved, &by, reason),
            Happened::RunEnded { at, status, output, error, event_id } => {
                self.run_ended(&at, status, output, error, event_id);
            }
            Happened::Turn => self.begin_in_turn(),
            Happened::Pause => self.run.paused = !self.run.status.is_over(),
            Happened::Resume => self.resume(),
            Happened::Cancel => self.cancel(),
            Happened::RetryFrom { step } => return self.retry_from(&step).map_err(Stop::Refused),
        }
        Ok(())
    }

    fn ended(&mut self, at: &At, answers: Vec<Answer>, more: u64, failed: Option<String>) {
        let Some(step) = self.live(at, |act| matches!(act, Act::Emit { .. })) else { return };
        let Act::Emit { event_type, .. } = &step.act else { return };
        let replies = self.world.replies(event_type);
        if answers.is_empty() && failed.is_none() && !self.world.handles(event_type) {
            // Somebody may listen all the same: a subscriber, a user interface.
            let note = format!("no driver handles `{event_type}`");
            if let Some(node) = self.node_mut(&step.id) {
                node.note = Some(note);
            }
        }
        match answer::read(answers, more, failed, &replies) {
            Ok(given) => self.complete(step, at, given),
            Err(error) => self.fail(step, at, error),
        }
    }

    fn refused(&mut self, at: &At, reason: String) {
        let Some(step) = self.live(at, |act| matches!(act, Act::Emit { .. })) else { return };
        self.stop_timeout(step, at);
        self.lose(step, at, reason);
        self.fill(step);
    }

    fn held(&mut self, at: &At, reason: String) {
        let Some(step) = self.live(at, |act| matches!(act, Act::Emit { .. } | Act::Run { .. })) else {
            return;
        };
        let reason = shortened(reason);
        let Some(node) = self.node_mut(&step.id) else { return };
        if at.item.is_none() {
            node.status = NodeStatus::Held;
            node.error = Some(reason.clone());
        }
        if let Some(slot) = node.at_work.get_mut(&slot_of(at)) {
            slot.error = Some(reason);
            slot.held = slot.held.saturating_add(1);
        }
    }

    fn goes_on(&mut self, at: &At) {
        let Some(step) = self.live(at, |act| matches!(act, Act::Emit { .. } | Act::Run { .. })) else {
            return;
        };
        let Some(node) = self.node_mut(&step.id) else { return };
        let Some(slot) = node.at_work.get_mut(&slot_of(at)) else { return };
        slot.held = slot.held.saturating_sub(1);
        if slot.held > 0 {
            return;
        }
        slot.error = None;
        if at.item.is_none() {
            (node.status, node.error) = (NodeStatus::Running, None);
        }
    }

    fn came(&mut self, at: &At, event: Answer) {
        let Some(step) = self.live(at, |act| matches!(act, Act::WaitFor { .. })) else { return };
        let Act::WaitFor { event: pattern, condition, .. } = &step.act else { return };
        let taken = pattern.matches(&event.event_type)
            && condition.as_ref().is_none_or(|condition| self.takes(step, at, condition, &event));
        if taken && self.wanted.is_empty() {
            self.complete(step, at, Given::One(event));
        }
    }

    /// Whether it holds for this event. Of an event for which it cannot be said, it does not.
    fn takes(&mut self, step: &Step, at: &At, condition: &Condition, event: &Answer) -> bool {
        let element = self.element(step, at.item);
        let Ok(mut names) = self.names(&condition.references(), element.as_ref()) else { return false };
        let event = json!({"id": event.event_id, "type": event.event_type, "data": event.data});
        names.insert("event".into(), event);
        self.world.holds(condition, &names).unwrap_or(false)
    }

    fn timed_out(&mut self, at: &At) {
        let Some(step) = self.live(at, |_| true) else { return };
        let Some(limit) = step.timeout else { return };
        self.commands.push(Command::CancelBranch { at: at.clone() });
        self.fail_attempt(step, at, format!("it took longer than {limit:?}"));
    }

    fn again(&mut self, at: &At) {
        let Some(step) = self.at_work(at, Phase::Waiting) else { return };
        if self.run.paused {
            if let Some(slot) = self.node_mut(&step.id).and_then(|node| node.at_work.get_mut(&slot_of(at))) {
                slot.phase = Phase::Ready;
            }
        } else {
            self.next_attempt(step, at);
        }
    }

    fn next_attempt(&mut self, step: &'a Step, at: &At) {
        self.attempt(step, At { attempt: at.attempt.saturating_add(1), ..at.clone() });
        self.fill(step);
    }

    fn decided(&mut self, at: &At, approved: bool, by: &Name, reason: Option<String>) {
        let Some(step) = self.live(at, |act| matches!(act, Act::Approve { .. })) else { return };
        let reason = reason.map(shortened);
        if approved {
            // In a sequence it is a gate: what comes to it goes through.
            let decision = json!({"approved": true, "by": by, "reason": reason});
            let given = if step.piped { Given::Nothing } else { Given::Own(decision) };
            return self.complete(step, at, given);
        }
        let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        // A person has decided; nobody asks again.
        self.stop_timeout(step, at);
        self.lose(step, at, format!("{by} rejected it{why}"));
        self.fill(step);
    }

    fn run_ended(
        &mut self,
        at: &At,
        status: RunStatus,
        output: Value,
        error: Option<String>,
        event_id: Option<EventId>,
    ) {
        let Some(step) = self.live(at, |act| matches!(act, Act::Run { .. })) else { return };
        let Act::Run { instruction, .. } = &step.act else { return };
        if matches!(status, RunStatus::Completed | RunStatus::Skipped) {
            let given = match event_id {
                Some(event_id) => {
                    Given::One(Answer { event_id, event_type: instruction.clone(), data: output })
                }
                None => Given::Own(output),
            };
            self.complete(step, at, given);
        } else if status.is_over() {
            let error = error.unwrap_or_else(|| "it was cancelled".into());
            self.fail(step, at, format!("instruction `{instruction}`: {error}"));
        }
    }

    fn resume(&mut self) {
        if !self.run.paused {
            return;
        }
        self.run.paused = false;
        self.moved = true;
        self.wake();
    }

    /// Goes on with what could have gone on while the run was paused.
    pub(super) fn wake(&mut self) {
        for step in &self.instruction.steps {
            let Some(node) = self.node(&step.id) else { continue };
            let ready = node.at_work.iter().filter(|(_, slot)| slot.phase == Phase::Ready);
            let ready: Vec<(u32, u32)> = ready.map(|(item, slot)| (*item, slot.attempt)).collect();
            for (item, attempt) in ready {
                let item = step.for_each.as_ref().map(|_| item);
                self.attempt(step, At { step: step.id.clone(), item, attempt: attempt.saturating_add(1) });
            }
            self.fill(step);
        }
    }

    fn cancel(&mut self) {
        if self.run.status.is_over() {
            return;
        }
        for step in &self.instruction.steps {
            let Some(node) = self.node_mut(&step.id) else { continue };
            if matches!(node.status, NodeStatus::Running | NodeStatus::Held) {
                node.status = NodeStatus::Cancelled;
            }
            let slots = std::mem::take(&mut node.at_work);
            if let Some(fan) = &mut node.items {
                fan.lost.extend(slots.keys().copied());
            }
            for (item, slot) in slots {
                let item = step.for_each.as_ref().map(|_| item);
                let at = At { step: step.id.clone(), item, attempt: slot.attempt };
                self.stop(step, &at, slot.phase);
            }
        }
        self.over(RunStatus::Cancelled);
    }

    /// The step of an attempt that is at work, if this is what it does.
    fn live(&self, at: &At, does: fn(&Act) -> bool) -> Option<&'a Step> {
        self.at_work(at, Phase::Working).filter(|step| does(&step.act))
    }

    fn at_work(&self, at: &At, phase: Phase) -> Option<&'a Step> {
        let step = self.find(&at.step).filter(|step| step.for_each.is_some() == at.item.is_some())?;
        let slot = self.node(&at.step)?.at_work.get(&slot_of(at))?;
        (slot.attempt == at.attempt && slot.phase == phase).then_some(step)
    }

    /// The attempt gave this. Where it gave nothing, a piped step passes on what it got.
    fn complete(&mut self, step: &'a Step, at: &At, given: Given) {
        let passes = step.piped && matches!(given, Given::Nothing);
        let kept = if passes { Ok(self.passed_on(step, at)) } else { self.kept(at, given) };
        let (output, kept_in) = match kept {
            Ok(kept) => kept,
            Err(error) => return self.fail(step, at, error),
        };
        self.stop_timeout(step, at);
        let Some(node) = self.node_mut(&step.id) else { return };
        node.at_work.remove(&slot_of(at));
        match at.item {
            Some(item) => {
                self.complete_item(step, item, output, kept_in);
                self.fill(step);
            }
            None => {
                node.error = None;
                self.set_output(step, output, kept_in);
                self.end(step, NodeStatus::Completed);
            }
        }
    }

    fn passed_on(&mut self, step: &Step, at: &At) -> (Option<Arc<Value>>, Option<KeptIn>) {
        match self.element(step, at.item) {
            Some(element) => (Some(element.value), None),
            None => (None, self.input_place(step)),
        }
    }

    /// The output, here or by reference.
    fn kept(&self, at: &At, given: Given) -> Result<(Option<Arc<Value>>, Option<KeptIn>), String> {
        let (value, place) = match given {
            Given::Nothing => return Ok((None, None)),
            Given::Own(value) => (value, None),
            Given::One(answer) => (answer.data, Some(KeptIn::Event(answer.event_id))),
            Given::Many(answers) => {
                let ids = answers.iter().map(|answer| answer.event_id.clone()).collect();
                (answers.into_iter().map(|answer| answer.data).collect(), Some(KeptIn::Events(ids)))
            }
        };
        let here = if at.item.is_some() { measure(&value) <= ITEM } else { self.fits(&value) };
        match place {
            _ if here => Ok((Some(Arc::new(value)).filter(|value| !value.is_null()), None)),
            Some(KeptIn::Events(ids)) if ids.len() > ANSWERS => Err(format!(
                "it has {} answers, {} bytes in all, and only {ANSWERS} of such a size are kept; let the driver declare \
                 one reply",
                ids.len(),
                measure(&value)
            )),
            Some(place) => Ok((None, Some(place))),
            None => Err(format!("its output of {} bytes is too large", measure(&value))),
        }
    }

    /// Whether one more output has its place in the document.
    pub(super) fn fits(&self, value: &Value) -> bool {
        let bytes = measure(value);
        bytes <= TINY || bytes <= INLINE && self.run.inline as usize + bytes <= ALL_INLINE
    }

    pub(super) fn set_output(&mut self, step: &Step, output: Option<Arc<Value>>, kept_in: Option<KeptIn>) {
        let bytes = output.as_deref().map_or(0, measure);
        self.run.inline = self.run.inline.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if let Some(node) = self.node_mut(&step.id) {
            node.output = output;
            node.kept_in = kept_in;
        }
    }

    /// The attempt failed, and its branch is over.
    fn fail(&mut self, step: &'a Step, at: &At, error: String) {
        self.stop_timeout(step, at);
        self.fail_attempt(step, at, error);
    }

    /// It is tried again, if that is said and there is a try left.
    fn fail_attempt(&mut self, step: &'a Step, at: &At, error: String) {
        let goes_on = self.may_go_on(step);
        let Some(node) = self.node_mut(&step.id) else { return };
        let tries = at.attempt.saturating_sub(node.base);
        let retry = step.retry.filter(|retry| goes_on && tries < retry.attempts);
        if let (Some(retry), Some(slot)) = (retry, node.at_work.get_mut(&slot_of(at))) {
            slot.phase = Phase::Waiting;
            slot.error = Some(shortened(error));
            if node.status == NodeStatus::Held {
                node.status = NodeStatus::Running;
                node.error = None;
            }
            let after = wait(&retry, tries);
            self.commands.push(Command::Timer { at: at.clone(), what: Due::Retry, after });
            return;
        }
        self.lose(step, at, error);
        self.fill(step);
    }

    /// The attempt failed and there is no other.
    pub(super) fn lose(&mut self, step: &'a Step, at: &At, error: String) {
        if let Some(node) = self.node_mut(&step.id) {
            node.at_work.remove(&slot_of(at));
        }
        match at.item {
            Some(item) => self.lose_item(step, item, error),
            None => self.fail_step(step, error),
        }
    }
}

/// The wait after so many tries.
fn wait(retry: &Retry, tries: u32) -> Duration {
    let grown = retry.factor.powi(i32::try_from(tries.saturating_sub(1)).unwrap_or(i32::MAX));
    let seconds = retry.delay.as_secs_f64() * grown;
    Duration::try_from_secs_f64(seconds).map_or(DAY, |wait| wait.min(DAY))
}
