//! The tools that a model wants called: which become events, and what it is told at once about the others.

use super::{Given, Next, told};
use crate::agent::run::{AgentRun, Called};
use crate::agent::toolbox::{MANY, SEARCH, found, out_of_scope};
use crate::agent::{Message, ModelReply, ToolCall};
use crate::yaml::word::{instead_of, list};
use serde_json::json;
use vextir::Name;

/// What becomes of one call.
enum Fate {
    /// It becomes an event of this type, perhaps for something outside.
    Event(Name, bool),
    /// It is answered at once.
    Known(String),
    /// It was wrong, and the model is told why.
    Wrong(String),
}

/// The model wants tools called.
pub(super) fn wanted(run: &mut AgentRun, given: Given<'_>, reply: ModelReply) -> Next {
    let calls = numbered(reply.calls, run.turn);
    run.messages.push(Message::Assistant { text: reply.text, calls: calls.clone() });
    let (mut events, mut wrong) = (Vec::new(), 0);
    for (index, call) in calls.into_iter().enumerate() {
        let fate = if index < given.spec.bounds.parallel {
            fate(run, given, &call)
        } else {
            Fate::Wrong(format!("not called: at most {} tools at a time", given.spec.bounds.parallel))
        };
        let called = match fate {
            Fate::Event(event_type, outside) => {
                events.push(index);
                Called { call, event_type: Some(event_type), outside, answer: None }
            }
            Fate::Known(answer) => Called { call, event_type: None, outside: false, answer: Some(answer) },
            Fate::Wrong(why) => {
                wrong += 1;
                Called { call, event_type: None, outside: false, answer: Some(format!("error: {why}")) }
            }
        };
        run.calls.push(called);
    }
    if wrong == 0 || !events.is_empty() {
        run.corrections = 0;
    } else {
        run.corrections += 1;
        if run.corrections > given.spec.bounds.corrections {
            let last = run.calls.iter().rev().find_map(|called| called.answer.clone()).unwrap_or_default();
            return Next::Fail(format!(
                "the model got it wrong {} times in a row, last: {last}",
                run.corrections
            ));
        }
    }
    run.used.tools = run.used.tools.saturating_add(u32::try_from(events.len()).unwrap_or(u32::MAX));
    if events.is_empty() { told(run, given) } else { Next::Call(events) }
}

/// Each call under an id of its own, whatever the model called it.
fn numbered(calls: Vec<ToolCall>, turn: u32) -> Vec<ToolCall> {
    let mut seen = std::collections::BTreeSet::new();
    let number = |(index, call): (usize, ToolCall)| {
        let is_good = !call.id.is_empty() && call.id.len() <= 64 && seen.insert(call.id.clone());
        if is_good { call } else { ToolCall { id: format!("call_{turn}_{index}"), ..call } }
    };
    calls.into_iter().enumerate().map(number).collect()
}

fn fate(run: &mut AgentRun, given: Given<'_>, call: &ToolCall) -> Fate {
    let toolbox = given.toolbox;
    if run.turn >= given.spec.bounds.turns.saturating_add(run.granted) {
        return Fate::Wrong("no tool can be called any more".to_owned());
    }
    if call.name == SEARCH && toolbox.tools.len() > MANY {
        let tools = found(toolbox, &call.arguments);
        run.loaded.extend(tools.iter().map(|tool| tool.spec.name.clone()));
        let told: Vec<_> = tools.iter().map(|tool| json!(tool.spec)).collect();
        return Fate::Known(if told.is_empty() {
            "nothing was found; use other words".to_owned()
        } else {
            json!(told).to_string()
        });
    }
    let Some(tool) = toolbox.get(&call.name) else {
        let names: Vec<&str> = toolbox.tools.keys().map(String::as_str).collect();
        let near = instead_of(&call.name, &names, false);
        let help = near.unwrap_or_else(|| match names.len() {
            0 => "there are no tools; answer in words".to_owned(),
            many if many > MANY => format!("look for one with `{SEARCH}`"),
            _ => format!("there are {}", list(&names)),
        });
        return Fate::Wrong(format!("there is no tool `{}`: {help}", call.name));
    };
    if let Err(why) = tool.accepts(call) {
        run.loaded.insert(call.name.clone());
        return Fate::Wrong(why);
    }
    match out_of_scope(&given.spec.scopes, &tool.event_type, &call.arguments) {
        Some(why) => Fate::Wrong(format!("`{}` was not called: {why}", call.name)),
        None => Fate::Event(tool.event_type.clone(), tool.outside),
    }
}
