//! Carries out what the interpreter says: all of it takes effect when the delivery is settled.

use super::gate;
use super::key::{self, Verb, event_type};
use super::payload::{Control, Look, Parent, PlanApproval, PlanFinished, RunInstruction, Timer};
use super::store::{self, Kept};
use crate::workflow::run::{At, Command};
use serde_json::{Value, json};
use std::time::Duration;
use vextir::{Ctx, Event, EventId, Name, Result};

pub(super) async fn carry(instruction: &Name, kept: &Kept, commands: Vec<Command>, cx: &Ctx) -> Result<()> {
    if commands.is_empty() {
        return Ok(());
    }
    // In its own tree everything hangs off the plan's first event, so that depth does not grow with the number of steps.
    // Retention may have removed it.
    let mut home = None;
    // A plan that waited for its turn begins in a tree of its own.
    for begin in [key::begin(&kept.run.id)?, key::go(&kept.run.id)?] {
        if home.is_some() || kept.root.as_ref() != Some(cx.event().root()) {
            break;
        }
        if cx.event().id == begin {
            home = Some(begin);
        } else {
            home = cx.find(&begin).await?.filter(|begin| begin.root() == cx.event().root()).map(|_| begin);
        }
    }
    for command in commands {
        one(instruction, kept, home.as_ref(), command, cx).await?;
    }
    Ok(())
}

async fn one(
    instruction: &Name,
    kept: &Kept,
    home: Option<&EventId>,
    command: Command,
    cx: &Ctx,
) -> Result<()> {
    let plan = &kept.run.id;
    let id = command.key(plan).parse()?;
    let stamp = |event: Event| match home {
        Some(begin) => event.with_cause(begin.clone()),
        None => event,
    };
    let own = |verb, data: Value| {
        stamp(Event::new(event_type(instruction, verb)).with_data(data)).with_ordering_key(key::order(plan))
    };
    match command {
        Command::Emit { event_type, data, .. } => {
            let event = Event::new(event_type);
            let event = if data.is_null() { event } else { event.with_data(data) };
            cx.emit_branch(stamp(event.with_id(id)))
        }
        Command::Wait { at, event, since, .. } => {
            store::wait(cx, instruction, plan, &at, Some(&event)).await?;
            let Some(since) = since else { return Ok(()) };
            let look =
                Look { plan: plan.clone(), at: at.to_string(), event: event.as_str().to_owned(), since };
            // After the commit: what comes from then on is told, and what came before is found.
            cx.emit(own(Verb::Look, json!(look)))
        }
        Command::Ask { at, message } => {
            let (plan, instruction) = (plan.clone(), instruction.clone());
            let ask = PlanApproval { plan, instruction, at: at.to_string(), message };
            cx.emit(stamp(Event::of(&ask)?.with_id(id)))
        }
        Command::Start { at, instruction: other, inputs } => {
            let parent = Some(Parent::new(instruction, plan, at.to_string()));
            let inputs = inputs.as_object().cloned().unwrap_or_default();
            let ask = json!(RunInstruction { inputs, parent });
            let event = Event::new(event_type(&other, Verb::Run)).with_data(ask).with_id(id);
            cx.emit_branch(stamp(event))
        }
        Command::Timer { at, what, after } => {
            let timer = Timer { plan: plan.clone(), at: at.to_string(), what: what.into() };
            cx.emit(own(Verb::Timer, json!(timer)).with_id(id).with_deliver_at(cx.now().after(after)))
        }
        Command::StopTimer { at, what } => {
            let timer = Command::Timer { at, what, after: Duration::ZERO };
            cx.withdraw(timer.key(plan).parse()?);
            Ok(())
        }
        Command::CancelBranch { at } => {
            store::wait(cx, instruction, plan, &at, None).await?;
            cx.cancel_branch(format!("{plan}/{at}/emit").parse()?);
            cancel_asked(plan, &at, cx).await
        }
        Command::Finished { status, output, error, .. } => {
            let status = serde_json::to_value(status).ok().and_then(|word| word.as_str().map(str::to_owned));
            if kept.run.may_wait() {
                store::end_waits(cx, instruction, plan).await?;
            }
            gate::leave(instruction, plan, &kept.gates, cx)?;
            let (plan, instruction, parent) = (plan.clone(), instruction.clone(), kept.parent.clone());
            let status = status.unwrap_or_default();
            let finished = PlanFinished { plan, instruction, status, output, error, parent };
            cx.emit(stamp(Event::of(&finished)?.with_id(id)))
        }
    }
}

/// Another plan that this attempt asked for ends too: one that has not begun never does, and one that has is told, for it may
/// wait for something that is not in its branch.
async fn cancel_asked(plan: &Name, at: &At, cx: &Ctx) -> Result<()> {
    let id: EventId = format!("{plan}/{at}/run").parse()?;
    let asked = cx.find(&id).await?;
    cx.cancel_branch(id);
    let Some(asked) = asked else { return Ok(()) };
    let Some(other) = key::instruction(&asked.event_type) else { return Ok(()) };
    let child = key::plan_of(other, &asked);
    let control = json!(Control { plan: child.clone(), step: None });
    let cancel = Event::new(event_type(other, Verb::Cancel)).with_data(control);
    cx.emit(cancel.with_ordering_key(key::order(&child)))
}
