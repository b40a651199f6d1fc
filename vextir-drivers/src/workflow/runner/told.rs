//! What others tell of a plan: its branches ended, what it waited for came, a plan that it asked for is over.

use super::key::{self, Verb, event_type, plan_of};
use super::payload::{Came, Look, PlanFinished, Returned};
use super::{Workflow, driver_id, store};
use crate::workflow::run::{Answer, At, Happened, Node, NodeStatus, RunStatus};
use serde_json::{Value, json};
use vextir::{
    BranchEnded, BranchHeld, Ctx, DeliveryFailed, Event, EventFilter, EventId, Name, Payload, Result,
};

/// How many events of the past are looked at for one that a plan waits for.
const LOOKED_AT: usize = 10_000;

impl Workflow {
    /// Everything that a step's event caused is over.
    pub(super) async fn ended(&self, ended: BranchEnded, cx: &Ctx) -> Result<()> {
        let Some((plan, at, kind)) = key::parse(&ended.branch) else { return Ok(()) };
        if ended.cancelled {
            // Not by this plan, which would wait for it no more: with the branch or the tree that the plan belongs to.
            let wanted = self.waits(&plan, &at, cx).await?;
            return if wanted { self.happened(&plan, Happened::Cancel, cx).await } else { Ok(()) };
        }
        if kind == "run" {
            let Some(error) = self.why_asked_failed(&ended, cx).await? else { return Ok(()) };
            let (status, output, error, event_id) = (RunStatus::Failed, Value::Null, Some(error), None);
            let ended = Happened::RunEnded { at, status, output, error, event_id };
            return self.happened(&plan, ended, cx).await;
        }
        if let Some(reason) = ended.refused {
            return self.happened(&plan, Happened::Refused { at, reason }, cx).await;
        }
        let mut answers = Vec::with_capacity(ended.answers.len());
        for id in &ended.answers {
            if let Some(event) = cx.find(id).await? {
                answers.push(answer(&event));
            }
        }
        let told = answers.iter().any(|answer| answer.event_type == "error");
        let failed = (ended.failed > 0 && !told)
            .then(|| format!("{} of its events were refused or failed", ended.failed));
        self.happened(&plan, Happened::Ended { at, answers, more: ended.more, failed }, cx).await
    }

    /// Something that a step emitted, or that came of it, is held, or goes on.
    pub(super) async fn held(&self, held: BranchHeld, cx: &Ctx) -> Result<()> {
        let Some((plan, at, _)) = key::parse(&held.branch) else { return Ok(()) };
        let happened = match held.reason {
            Some(reason) => Happened::Held { at, reason },
            None => Happened::GoesOn { at },
        };
        self.happened(&plan, happened, cx).await
    }

    /// This driver will not hear again of something: it could not take it in, or it was cancelled with what is around it. A plan
    /// that waits for that would wait for ever: it ends here. What people asked for can be asked for again.
    pub(super) async fn failed(&self, failed: DeliveryFailed, cx: &Ctx) -> Result<()> {
        let lost = cx.find(&failed.event_id).await?;
        if let Some(lost) = lost.as_ref().filter(|lost| !failed.cancelled && self.is_from_outside(lost)) {
            // Plans may wait for it. They are told once more, for nothing of the first time counted.
            if lost.event_type == PlanFinished::TYPE {
                self.child_finished(lost, cx)?;
            }
            return self.awaited(lost, cx).await;
        }
        let Some(plan) = self.concerned(&failed.event_id, lost.as_ref())? else { return Ok(()) };
        let Some(kept) = self.load(cx, &plan).await? else { return Ok(()) };
        if kept.run.instruction_id != *self.id() {
            return Ok(());
        }
        if failed.cancelled {
            return self.happened(&plan, Happened::Cancel, cx).await;
        }
        let what = lost.map_or_else(Name::default, |lost| lost.event_type.clone());
        self.abandon(kept, &format!("it could not take in `{what}`: {}", failed.error), cx).await
    }

    fn is_from_outside(&self, event: &Event) -> bool {
        !matches!(event.event_type.as_str(), BranchEnded::TYPE | BranchHeld::TYPE)
            && key::verb(self.id(), &event.event_type).is_none()
    }

    /// The plan that an event of this driver, or the end of one of its branches, was meant for.
    fn concerned(&self, id: &EventId, event: Option<&Event>) -> Result<Option<Name>> {
        let Some(event) = event else {
            // A timer, which never came into the log.
            return Ok(key::parse(id).map(|(plan, ..)| plan));
        };
        if event.event_type == BranchEnded::TYPE {
            let ended: BranchEnded = event.decode()?;
            return Ok(key::parse(&ended.branch).map(|(plan, ..)| plan));
        }
        if event.event_type == BranchHeld::TYPE {
            // Only how it looks depends on that.
            return Ok(None);
        }
        let told = matches!(
            key::verb(self.id(), &event.event_type),
            Some(Verb::Timer | Verb::Came | Verb::Look | Verb::Returned)
        );
        let own = told && *event.source == *driver_id(self.id());
        Ok(event.data.value()["plan"].as_str().filter(|_| own).map(Name::from))
    }

    /// Another plan that was asked for tells its end itself, unless it could not begin or was lost.
    async fn why_asked_failed(&self, ended: &BranchEnded, cx: &Ctx) -> Result<Option<String>> {
        if let Some(reason) = &ended.refused {
            return Ok(Some(reason.clone()));
        }
        let Some(asked) = cx.find(&ended.branch).await? else { return Ok(None) };
        let id = key::instruction(&asked.event_type).unwrap_or_default();
        Ok(match self.load(cx, &plan_of(id, &asked)).await? {
            None => Some(self.why_not_begun(id, &asked, ended, cx).await?),
            Some(child) if child.run.status.is_over() => None,
            Some(child) if ended.failed > 0 && !child.run.dag.nodes.values().any(is_at_work) => {
                Some(format!("{} of its events were refused or failed", ended.failed))
            }
            Some(_) => None,
        })
    }

    /// Where somebody took the ask up and nothing failed, it was left out.
    async fn why_not_begun(&self, id: &str, asked: &Event, ended: &BranchEnded, cx: &Ctx) -> Result<String> {
        if cx.find(&key::begin(&plan_of(id, asked))?).await?.is_none() {
            return Ok("no driver runs this instruction, or it could not begin".to_owned());
        }
        if ended.failed == 0 {
            return Ok("not begun: flow control".to_owned());
        }
        for answer in &ended.answers {
            if let Some(error) = cx.find(answer).await?.filter(|event| event.event_type == "error") {
                return Ok(error.data.value()["error"].as_str().unwrap_or("it could not begin").to_owned());
            }
        }
        Ok("it could not begin".to_owned())
    }

    /// An event that plans of this user may wait for.
    pub(super) async fn awaited(&self, event: &Event, cx: &Ctx) -> Result<()> {
        for (plan, at) in store::waiting(cx, self.id(), &event.event_type).await? {
            let came = Came { plan: plan.clone(), at, event: event.id.clone() };
            let told = Event::new(event_type(self.id(), Verb::Came)).with_data(json!(came));
            // Not in the tree of that event, which the plan would keep open.
            cx.emit_root(told.with_ordering_key(key::order(&plan)))?;
        }
        Ok(())
    }

    pub(super) async fn came(&self, came: Came, cx: &Ctx) -> Result<()> {
        let (Some(at), Some(event)) = (key::at(&came.at), cx.find(&came.event).await?) else { return Ok(()) };
        let happened = Happened::Came { at: at.clone(), event: answer(&event) };
        self.happened(&came.plan, happened, cx).await?;
        self.end_wait(&came.plan, &at, cx).await
    }

    /// Looks for an event that came before the wait began.
    pub(super) async fn look(&self, look: Look, cx: &Ctx) -> Result<()> {
        let Some(at) = key::at(&look.at) else { return Ok(()) };
        let Some(root) = self.load(cx, &look.plan).await?.and_then(|kept| kept.root) else { return Ok(()) };
        let filter = EventFilter::try_from(look.event.as_str())?;
        for event in cx.since_root(&root, &filter, LOOKED_AT).await? {
            if !self.waits(&look.plan, &at, cx).await? {
                break;
            }
            if event.timestamp >= look.since {
                let came = Happened::Came { at: at.clone(), event: answer(&event) };
                self.happened(&look.plan, came, cx).await?;
            }
        }
        self.end_wait(&look.plan, &at, cx).await
    }

    async fn waits(&self, plan: &Name, at: &At, cx: &Ctx) -> Result<bool> {
        Ok(self.load(cx, plan).await?.is_some_and(|kept| kept.waits_at(at)))
    }

    /// What a plan waits for no more is forgotten.
    async fn end_wait(&self, plan: &Name, at: &At, cx: &Ctx) -> Result<()> {
        if self.waits(plan, at, cx).await? {
            Ok(())
        } else {
            store::wait(cx, self.id(), plan, at, None).await
        }
    }

    /// A plan is over that one of ours may have asked for: it is told in turn.
    pub(super) fn child_finished(&self, event: &Event, cx: &Ctx) -> Result<()> {
        let finished: PlanFinished = event.data.decode()?;
        let Some(parent) = finished.parent.filter(|parent| parent.instruction == *self.id()) else {
            return Ok(());
        };
        let returned = Returned { plan: parent.plan.clone(), at: parent.at, event: event.id.clone() };
        let told = Event::new(event_type(self.id(), Verb::Returned)).with_data(json!(returned));
        cx.emit(told.with_ordering_key(key::order(&parent.plan)))
    }

    pub(super) async fn returned(&self, returned: Returned, cx: &Ctx) -> Result<()> {
        let found = cx.find(&returned.event).await?;
        let (Some(at), Some(event)) = (key::at(&returned.at), found) else { return Ok(()) };
        let finished: PlanFinished = event.decode()?;
        // Only the instruction itself says how it ended, and to whom.
        let is_own = *event.source == *driver_id(&finished.instruction);
        let asked = |parent: &super::Parent| parent.plan == returned.plan && parent.at == returned.at;
        if !is_own || !finished.parent.as_ref().is_some_and(asked) {
            return Ok(());
        }
        let Ok(status) = serde_json::from_value(json!(finished.status)) else { return Ok(()) };
        let (output, error, event_id) = (finished.output, finished.error, Some(event.id.clone()));
        let ended = Happened::RunEnded { at, status, output, error, event_id };
        self.happened(&returned.plan, ended, cx).await
    }
}

/// Also where it waits for a person or an event.
fn is_at_work(node: &Node) -> bool {
    matches!(node.status, NodeStatus::Running | NodeStatus::Held)
}

fn answer(event: &Event) -> Answer {
    let data = if event.data.is_empty() { Value::Null } else { event.data.value() };
    Answer { event_id: event.id.clone(), event_type: event.event_type.clone(), data }
}
