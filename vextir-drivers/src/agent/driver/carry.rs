//! Carries out what the turn decides: all of it takes effect when the delivery is settled.

use super::key::{self, Begun};
use super::{AgentAnswer, AgentFinished};
use crate::agent::ModelComplete;
use crate::agent::run::{AgentRun, RunStatus};
use crate::agent::spec::AgentSpec;
use crate::agent::turn::Next;
use serde_json::{Value, json};
use vextir::{Category, Ctx, Error, ErrorKind, Event, EventId, Result};

pub(super) async fn carry(spec: &AgentSpec, run: &mut AgentRun, next: Next, cx: &Ctx) -> Result<()> {
    match next {
        Next::Wait => Ok(()),
        Next::Ask(request) => {
            run.held.clear();
            run.stand();
            let ask = ModelComplete::new(spec.model.clone(), *request);
            let ask = ask.for_agent(run.agent.clone(), run.run.clone(), run.turn);
            let id = key::begun(&run.run, Begun::Model(run.turn))?;
            let event = Event::of(&ask)?.with_id(id);
            cx.emit_branch(stamped(event, run, home(run, cx).await?))
        }
        Next::Call(indexes) => {
            let home = home(run, cx).await?;
            for index in indexes {
                let Some(called) = run.calls.get(index) else { continue };
                let Some(event_type) = called.event_type.clone() else { continue };
                let id = key::begun(&run.run, Begun::Tool(run.turn, index))?;
                let event = Event::new(event_type).with_data(called.call.arguments.clone()).with_id(id);
                cx.emit_branch(stamped(event, run, home.clone()))?;
            }
            Ok(())
        }
        Next::Answer(answer) => answer_with(spec, run, answer, cx).await,
        // The kernel tells who waits; the run's document is written when it says so.
        Next::Fail(reason) => Err(Error::new(ErrorKind::Failed, reason)),
    }
}

/// The event of this causal tree with which the run began, or was begun again: all hangs off it, so that depth does not grow with
/// the number of steps.
async fn home(run: &AgentRun, cx: &Ctx) -> Result<Option<EventId>> {
    let Some(home) = run.home.clone() else { return Ok(None) };
    if cx.event().id == home {
        return Ok(Some(home));
    }
    // Retention may have removed it.
    Ok(cx.find(&home).await?.filter(|home| home.root() == cx.event().root()).map(|_| home))
}

/// An event of a run: who acts, and what it knows from where.
fn stamped(event: Event, run: &AgentRun, home: Option<EventId>) -> Event {
    let mut event = event.with_metadata("agent", run.agent.as_str()).with_metadata("run", run.run.as_str());
    let envelope = event.edit();
    envelope.labels.extend(run.labels.iter().cloned());
    if home.is_some() {
        envelope.correlation_id = home;
    }
    event
}

async fn answer_with(spec: &AgentSpec, run: &mut AgentRun, answer: Value, cx: &Ctx) -> Result<()> {
    let capability = spec.capability(&run.capability);
    let is_typed = capability.is_some_and(|capability| capability.output.is_some());
    let result = capability.map_or_else(|| format!("{}.result", run.capability).into(), |one| one.result());
    let data = if is_typed {
        answer.clone()
    } else {
        let text = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
        json!(AgentAnswer { text, sources: run.sources.iter().cloned().collect() })
    };
    run.status = RunStatus::Completed;
    run.answer = Some(answer);
    // The answer is one to the event that asked, for plans and for other agents that wait for it.
    let asked = cx
        .find(&run.cause)
        .await?
        .filter(|asked| asked.root() == cx.event().root())
        .map(|asked| asked.id.clone());
    let cause = match asked {
        Some(asked) => Some(asked),
        None => home(run, cx).await?,
    };
    let id = format!("{}/answer", run.run).parse()?;
    let event = Event::new(result).with_category(Category::Output).with_data(data).with_id(id);
    cx.emit(stamped(event, run, cause))?;
    finished(run, None, cx).await
}

/// Tells that a run is over.
pub(super) async fn finished(run: &AgentRun, error: Option<String>, cx: &Ctx) -> Result<()> {
    let status = json!(run.status).as_str().unwrap_or_default().to_owned();
    let finished = AgentFinished {
        agent: run.agent.clone(),
        run: run.run.clone(),
        capability: run.capability.clone(),
        status,
        answer: run.answer.clone().unwrap_or_default(),
        error,
        turns: run.turn,
        used: run.used,
    };
    cx.emit(stamped(Event::of(&finished)?, run, home(run, cx).await?))
}

/// Ends all that a run waits for.
pub(super) fn cancel_open(run: &AgentRun, cx: &Ctx) -> Result<()> {
    if run.calls.is_empty() {
        cx.cancel_branch(key::begun(&run.run, Begun::Model(run.turn))?);
    }
    for (index, _) in run.calls.iter().enumerate().filter(|(_, called)| called.answer.is_none()) {
        cx.cancel_branch(key::begun(&run.run, Begun::Tool(run.turn, index))?);
    }
    Ok(())
}
