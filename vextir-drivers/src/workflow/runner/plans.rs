//! Plans from an application.

use super::key::{self, Verb, event_type, plan_of};
use super::payload::{Control, Decide, ForkPlan, RunInstruction};
use super::{PlanApproval, store};
use crate::workflow::run::Run;
use serde_json::{Map, Value, json};
use vextir::{Error, Event, EventId, Name, Result, Tenant};

/// The plans of one instruction, for one user: runs it, and says what becomes of its plans.
///
/// A plan's document is `/System/Plans/<plan>`: read it with the user's [`Context`](vextir::Context), and watch that path to
/// see it go on. Its end is the event `plan.finished` ([`PlanFinished`](super::PlanFinished)).
#[derive(Debug, Clone)]
pub struct Plans {
    tenant: Tenant,
    instruction: Name,
}

impl Plans {
    /// Those of the instruction with this id.
    pub fn new(tenant: Tenant, instruction: impl Into<Name>) -> Self {
        Self { tenant, instruction: instruction.into() }
    }

    /// The event that runs the instruction: emit it, schedule it, or [`request`](vextir::Tenant::request) the
    /// [`PlanFinished`](super::PlanFinished) that it ends with.
    #[must_use]
    pub fn event(&self, inputs: Map<String, Value>) -> Event {
        let ask = RunInstruction { inputs, parent: None };
        Event::new(event_type(&self.instruction, Verb::Run)).with_data(json!(ask))
    }

    /// Runs the instruction, and returns the plan's id as soon as that is stored.
    ///
    /// # Errors
    /// As [`Tenant::emit`].
    pub async fn run(&self, inputs: Map<String, Value>) -> Result<Name> {
        let event = self.event(inputs).with_user(self.tenant.user().clone());
        let id: EventId = self.tenant.emit(event.clone()).await?;
        Ok(plan_of(&self.instruction, &event.with_id(id)))
    }

    /// The plan as it stands, in the form of the specification: `{id, instruction_id, status, dag: {nodes}}`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn get(&self, plan: &str) -> Result<Option<Value>> {
        let document = self.tenant.context().read(&format!("{}/{plan}", store::FOLDER)).await?;
        Ok(document.and_then(|document| document.content.as_json().cloned()))
    }

    /// The plan as it stands, as a Mermaid flow chart.
    ///
    /// # Errors
    /// The store failed, or somebody wrote something else there.
    pub async fn mermaid(&self, plan: &str) -> Result<Option<String>> {
        let Some(value) = self.get(plan).await? else { return Ok(None) };
        let wrong = |error| Error::invalid(format!("{}/{plan} is no plan: {error}", store::FOLDER));
        let run: Run = serde_json::from_value(value).map_err(wrong)?;
        Ok(Some(run.to_mermaid()))
    }

    /// Nothing new begins in it until it is resumed.
    ///
    /// # Errors
    /// As [`Tenant::emit`].
    pub async fn pause(&self, plan: &str) -> Result<()> {
        self.control(Verb::Pause, plan, None).await
    }

    /// It goes on.
    ///
    /// # Errors
    /// As [`Tenant::emit`].
    pub async fn resume(&self, plan: &str) -> Result<()> {
        self.control(Verb::Resume, plan, None).await
    }

    /// It ends, and what it has begun with it: what waits goes, handlers at work are told to stop, and their answers mean
    /// nothing any more.
    ///
    /// # Errors
    /// As [`Tenant::emit`].
    pub async fn cancel(&self, plan: &str) -> Result<()> {
        self.control(Verb::Cancel, plan, None).await
    }

    /// A plan that failed, or was cancelled, goes on from a step. One that never began is not retried: run it anew.
    ///
    /// # Errors
    /// As [`Tenant::emit`].
    pub async fn retry(&self, plan: &str, step: impl Into<Name>) -> Result<()> {
        self.control(Verb::Retry, plan, Some(step.into())).await
    }

    /// A new plan that begins with a step of another one: what that step depends on is taken from there. Returns its id.
    ///
    /// # Errors
    /// As [`Tenant::emit`].
    pub async fn fork(&self, plan: &str, step: impl Into<Name>, inputs: Map<String, Value>) -> Result<Name> {
        let ask = json!(ForkPlan { plan: plan.into(), step: step.into(), inputs });
        let event = Event::new(event_type(&self.instruction, Verb::Fork)).with_data(ask);
        let event = event.with_user(self.tenant.user().clone());
        let id = self.tenant.emit(event.clone()).await?;
        Ok(plan_of(&self.instruction, &event.with_id(id)))
    }

    /// Answers a question. What nobody asks any more changes nothing.
    ///
    /// # Errors
    /// As [`Tenant::emit`].
    pub async fn decide(
        &self,
        question: &PlanApproval,
        approved: bool,
        reason: Option<String>,
    ) -> Result<()> {
        let (plan, at) = (question.plan.clone(), question.at.clone());
        let answer = json!(Decide { plan, at, approved, reason });
        self.tell(Verb::Decide, &question.plan, answer).await
    }

    async fn control(&self, verb: Verb, plan: &str, step: Option<Name>) -> Result<()> {
        self.tell(verb, plan, json!(Control { plan: plan.into(), step })).await
    }

    async fn tell(&self, verb: Verb, plan: &str, data: Value) -> Result<()> {
        let event = Event::new(event_type(&self.instruction, verb)).with_data(data);
        self.tenant.emit(event.with_ordering_key(key::order(plan))).await.map(drop)
    }
}
