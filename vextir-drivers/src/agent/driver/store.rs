//! Runs as documents, below `/System/Agents`.

use super::key::{self, Verb};
use super::{Control, event_type, order};
use crate::agent::run::{AgentRun, RunStatus};
use serde_json::json;
use vextir::{Content, Context, Ctx, Error, Event, LeaseState, Name, Result, Tenant};

const FOLDER: &str = "/System/Agents";

fn path(run: &str) -> String {
    format!("{FOLDER}/{run}")
}

async fn read(context: &Context, run: &str) -> Result<Option<AgentRun>> {
    let path = path(run);
    let Some(document) = context.read(&path).await? else { return Ok(None) };
    let Content::Json(value) = document.content else {
        return Err(Error::invalid(format!("{path} is a text, and no run of an agent")));
    };
    serde_json::from_value(value)
        .map(Some)
        .map_err(|error| Error::invalid(format!("{path} is no run: {error}")))
}

pub(super) async fn load(cx: &Ctx, run: &str) -> Result<Option<AgentRun>> {
    read(&cx.context(), run).await
}

pub(super) async fn save(cx: &Ctx, run: &AgentRun) -> Result<()> {
    let writing = cx.context().write(&path(&run.run), json!(run));
    if run.labels.is_empty() {
        return writing.await.map(drop);
    }
    writing.metadata(crate::labels::added(json!({}), &run.labels)).await.map(drop)
}

/// The runs of one agent, for one user.
///
/// A run's document is `/System/Agents/<run>`; its end is the event `agent.finished`
/// ([`AgentFinished`](crate::agent::AgentFinished)).
#[derive(Debug, Clone)]
pub struct AgentRuns {
    tenant: Tenant,
    agent: Name,
}

impl AgentRuns {
    /// Those of the agent with this id.
    pub fn new(tenant: Tenant, agent: impl Into<Name>) -> Self {
        Self { tenant, agent: agent.into() }
    }

    /// The run that an event of this user began, or will begin.
    #[must_use]
    pub fn run_of(&self, event: &Event) -> Name {
        key::run_of(&self.agent, &event.clone().with_user(self.tenant.user().clone()))
    }

    /// The run as it stands.
    ///
    /// # Errors
    /// The store failed, or somebody wrote something else there.
    pub async fn get(&self, run: &str) -> Result<Option<AgentRun>> {
        let Some(mut run) = read(&self.tenant.context(), run).await? else { return Ok(None) };
        // Nobody is told of the end of a whole causal tree.
        if let Some(root) = run.root.as_ref().filter(|_| !run.status.is_over())
            && self.tenant.lease(root).await?.is_some_and(|lease| lease.state == LeaseState::Cancelled)
        {
            run.status = RunStatus::Cancelled;
        }
        Ok(Some(run))
    }

    /// The names of its runs after this one, in alphabetical order, at most `limit`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list(&self, after: &str, limit: usize) -> Result<Vec<Name>> {
        let (begin, mut last, mut runs) = (format!("{}-", self.agent), after.to_owned(), Vec::new());
        if last < begin {
            last.clone_from(&begin);
        }
        loop {
            let page = self.tenant.context().list_page(FOLDER, &last, 1_000).await?;
            let names = page.iter().filter_map(|item| item.path.rsplit('/').next());
            let own = names.filter(|name| name.strip_prefix(&*begin).is_some_and(|rest| !rest.contains('-')));
            runs.extend(own.map(Name::from));
            match page.last().and_then(|item| item.path.rsplit('/').next()) {
                Some(name) if runs.len() < limit && page.len() == 1_000 => name.clone_into(&mut last),
                _ => break,
            }
        }
        runs.truncate(limit);
        Ok(runs)
    }

    /// Ends a run: what it asked for goes, handlers at work are told to stop, and their answers mean nothing any more.
    ///
    /// # Errors
    /// As [`Tenant::emit`].
    pub async fn cancel(&self, run: &str) -> Result<()> {
        self.tell(Verb::Cancel, run).await
    }

    /// Lets a run that failed ask its model again. What it knew, it still knows.
    ///
    /// # Errors
    /// As [`Tenant::emit`].
    pub async fn retry(&self, run: &str) -> Result<()> {
        self.tell(Verb::Retry, run).await
    }

    async fn tell(&self, verb: Verb, run: &str) -> Result<()> {
        let data = json!(Control { run: run.into() });
        let event = Event::new(event_type(&self.agent, verb)).with_data(data).with_ordering_key(order(run));
        self.tenant.emit(event).await.map(drop)
    }
}
