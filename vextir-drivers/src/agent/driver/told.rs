//! What others tell of a run: the model answered, a tool did, something is held, or was lost.

use super::key::{self, Begun, Verb};
use super::turns::{Answer, Answers, Noted};
use super::{Agent, Begin, carry, store};
use crate::agent::run::{AgentRun, Called, RunStatus};
use crate::agent::toolbox::is_inner;
use crate::agent::turn::{self, Given, Next, Outcome, Replied};
use crate::agent::{ModelCompleted, ModelFailed};
use serde_json::{Value, json};
use vextir::{BranchEnded, BranchHeld, Category, Ctx, DeliveryFailed, Event, Name, Payload, Result};

impl Agent {
    /// Everything that a run's event caused is over.
    pub(super) async fn ended(&self, ended: BranchEnded, cx: &Ctx) -> Result<()> {
        let Some((run, begun)) = key::parse(&ended.branch) else { return Ok(()) };
        let answer = Answer { ended, labels: cx.event().labels.clone() };
        let noted = match begun {
            Begun::Tool(turn, index) if !answer.ended.cancelled => {
                self.turns.note(cx.user(), &run, turn, index, answer.clone())
            }
            _ => Noted::Unknown,
        };
        if matches!(noted, Noted::Waits) {
            return Ok(());
        }
        let Some(mut run) = store::load(cx, &run).await? else { return Ok(()) };
        // One that failed is here again because somebody redrives the event that it failed at.
        let is_stale = matches!(run.status, RunStatus::Completed | RunStatus::Cancelled);
        if is_stale || run.agent != self.spec().id {
            return Ok(());
        }
        if answer.ended.cancelled {
            run.status = RunStatus::Cancelled;
            self.turns.forget(cx.user(), &run.run);
            carry::finished(&run, None, cx).await?;
            return store::save(cx, &run).await;
        }
        let toolbox = self.toolbox(cx);
        let manifests = cx.manifests();
        let given = self.given(&toolbox, &manifests);
        let next = match begun {
            Begun::Model(turn) if turn == run.turn && run.calls.is_empty() => {
                run.labels.extend(answer.labels);
                let replied = replied(&mut run, &answer.ended, cx).await?;
                turn::replied(&mut run, given, replied)
            }
            Begun::Tool(turn, index) if turn == run.turn && !run.calls.is_empty() => {
                let noted = match noted {
                    Noted::Unknown => self.turns.look(&run, index, answer, cx).await?,
                    noted => noted,
                };
                let Noted::All(answers) = noted else { return Ok(()) };
                all_answered(&mut run, given, answers, cx).await?
            }
            // The model was asked again meanwhile.
            _ => return Ok(()),
        };
        run.stand();
        self.conclude(run, next, cx).await
    }

    /// Something that a run asked for is held, or goes on.
    pub(super) async fn held(&self, held: BranchHeld, cx: &Ctx) -> Result<()> {
        let Some((run, Begun::Model(turn) | Begun::Tool(turn, _))) = key::parse(&held.branch) else {
            return Ok(());
        };
        let run = store::load(cx, &run).await?.filter(|run| !run.status.is_over() && run.turn == turn);
        let Some(mut run) = run else { return Ok(()) };
        match held.reason {
            Some(reason) => run.held.insert(held.branch.to_string(), reason),
            None => run.held.remove(&held.branch.to_string()),
        };
        run.stand();
        store::save(cx, &run).await
    }

    /// This driver will not hear again of something that concerns a run: the run is over.
    pub(super) async fn failed(&self, failed: DeliveryFailed, cx: &Ctx) -> Result<()> {
        let Some(name) = key::ordered(cx.event()) else { return Ok(()) };
        // What somebody asked of a run and could not be done, and how it looked, changes nothing.
        let lost = cx.find(&failed.event_id).await?;
        let asked = |lost: &Event| {
            key::verb(&self.spec().id, &lost.event_type).is_some_and(|verb| verb != Verb::Begin)
        };
        if lost.as_ref().is_some_and(|lost| lost.event_type == BranchHeld::TYPE || asked(lost)) {
            return Ok(());
        }
        let mut run = match store::load(cx, &name).await? {
            Some(run) if run.agent != self.spec().id || run.status.is_over() => return Ok(()),
            Some(run) => run,
            None => {
                // Its first event failed, so nothing was written yet.
                let Some(begin) = lost else { return Ok(()) };
                let Ok(Begin { run, cause }) = begin.data.decode() else { return Ok(()) };
                let capability =
                    cx.find(&cause).await?.map_or_else(Name::default, |event| event.event_type.clone());
                AgentRun::new(run, self.spec().id.clone(), cause, capability)
            }
        };
        self.turns.forget(cx.user(), &run.run);
        run.status = if failed.cancelled { RunStatus::Cancelled } else { RunStatus::Failed };
        run.reason = Some(failed.error.clone());
        run.root.get_or_insert_with(|| cx.event().root().clone());
        carry::finished(&run, Some(failed.error), cx).await?;
        store::save(cx, &run).await
    }
}

/// All tools of a turn have answered.
async fn all_answered(run: &mut AgentRun, given: Given<'_>, answers: Answers, cx: &Ctx) -> Result<Next> {
    let mut next = Next::Wait;
    for (index, Answer { ended, labels }) in answers {
        run.held.remove(&ended.branch.to_string());
        let answers = |called: &Called| given.toolbox.get(&called.call.name).is_some_and(|tool| tool.answers);
        let answers = run.calls.get(index).is_some_and(answers);
        let outcome = outcome(run, &ended, answers, cx).await?;
        tell_tool(run, index, &outcome);
        let labels: Vec<Name> = labels.into_iter().collect();
        next = turn::tool_ended(run, given, index, outcome, &labels);
    }
    Ok(next)
}

/// A span for the tool that was called. Its work is done by other drivers, under spans of the kernel.
fn tell_tool(run: &AgentRun, index: usize, outcome: &Outcome) {
    let Some(called) = run.calls.get(index) else { return };
    let error = (!matches!(outcome, Outcome::Answered(_))).then_some("tool_error");
    let span = tracing::info_span!(
        "execute_tool",
        otel.name = format!("execute_tool {}", called.call.name),
        gen_ai.operation.name = "execute_tool",
        gen_ai.tool.name = called.call.name,
        gen_ai.tool.call.id = called.call.id,
        gen_ai.tool.r#type = "function",
        error.r#type = error,
    );
    span.in_scope(|| {});
}

/// What came out of a branch: answers, and what errors said.
async fn outputs(ended: &BranchEnded, cx: &Ctx) -> Result<(Vec<Event>, Vec<String>)> {
    let (mut answers, mut errors) = (Vec::new(), Vec::new());
    for id in &ended.answers {
        let Some(event) = cx.find(id).await? else { continue };
        if event.event_type == "error" {
            let error = event.data.value()["error"]
                .as_str()
                .map_or_else(|| event.data.as_json().to_owned(), str::to_owned);
            errors.push(error);
        } else if !is_inner(&event.event_type) || event.event_type.starts_with("model.") {
            answers.push(event);
        }
    }
    if let Some(reason) = &ended.refused {
        errors.push(format!("refused: {reason}"));
    } else if ended.failed > 0 && errors.is_empty() {
        errors.push(format!("{} of its events were refused or failed", ended.failed));
    }
    Ok((answers, errors))
}

/// What the model answered.
async fn replied(run: &mut AgentRun, ended: &BranchEnded, cx: &Ctx) -> Result<Replied> {
    let (answers, errors) = outputs(ended, cx).await?;
    for event in &answers {
        match event.event_type.as_str() {
            ModelCompleted::TYPE => {
                let ModelCompleted { reply, cost, .. } = event.decode()?;
                run.used.add(reply.usage, cost);
                return Ok(Replied::Reply(reply));
            }
            ModelFailed::TYPE => {
                let ModelFailed { class, message, usage, cost, .. } = event.decode()?;
                run.used.add(usage, cost);
                return Ok(Replied::Failed { class: Some(class), message });
            }
            _ => {}
        }
    }
    let message = if errors.is_empty() {
        "no driver answers `model.complete`; register `Models`".to_owned()
    } else {
        errors.join("; ")
    };
    Ok(Replied::Failed { class: None, message })
}

/// What a tool answered.
async fn outcome(run: &mut AgentRun, ended: &BranchEnded, answers_always: bool, cx: &Ctx) -> Result<Outcome> {
    let (answers, errors) = outputs(ended, cx).await?;
    let is_direct = |event: &&Event| event.correlation_id.as_ref() == Some(&ended.branch);
    // What a tool answers is more than what else came of it, if it answers.
    let direct: Vec<&Event> = answers.iter().filter(is_direct).collect();
    let told = if direct.is_empty() {
        answers.iter().filter(|one| one.category == Category::Output).collect()
    } else {
        direct
    };
    for event in &told {
        let data = event.data.value();
        let is_document = event.event_type == "context.data" && data["version"].is_number();
        if let Some(path) = data["path"].as_str().filter(|_| is_document) {
            run.sources.insert(path.to_owned());
        }
    }
    if told.is_empty() && !errors.is_empty() {
        return Ok(Outcome::Failed(errors.join("; ")));
    }
    let mut text = match told.as_slice() {
        // An agent in a causal tree of its own, for example.
        [] if answers_always => "no answer came; it may still be at work".to_owned(),
        [] => "done".to_owned(),
        [only] => shown(only).to_string(),
        several => {
            let several = several.iter().map(|one| json!({"type": one.event_type, "data": shown(one)}));
            Value::Array(several.collect()).to_string()
        }
    };
    if ended.more > 0 {
        text.push_str(&format!("\n({} more)", ended.more));
    }
    if !errors.is_empty() {
        return Ok(Outcome::Partly(text, errors.join("; ")));
    }
    Ok(Outcome::Answered(text))
}

/// What the model sees of an answer.
fn shown(event: &Event) -> Value {
    event.data.value()
}
