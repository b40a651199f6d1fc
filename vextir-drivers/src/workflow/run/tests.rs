//! A world that is made of data, and instructions made of few words.

mod again;
mod fan;
mod flow;
mod hostile;
mod limits;
mod names;
mod simulation;
mod waits;
mod written;

use super::{
    Answer, At, Cause, Command, Due, Found, Happened, PartKey, Run, Start, Stop, World, begin, step,
};
use crate::workflow::expression::{Condition, Names, Template};
use crate::workflow::instruction::{Act, ForEach, Instruction, OnError, Retry, Step};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use vextir::{EventId, Name, Timestamp};

pub(in crate::workflow) fn template(value: Value) -> Template {
    Template::parse(&value).expect("a good template")
}

/// A step that emits the event `do.<id>`.
pub(in crate::workflow) fn emit(id: &str, after: &[&str]) -> Step {
    Step {
        id: id.into(),
        name: None,
        depends_on: after.iter().map(|id| Name::from(*id)).collect(),
        piped: false,
        condition: None,
        for_each: None,
        retry: None,
        timeout: None,
        on_error: OnError::Fail,
        act: Act::Emit { event_type: format!("do.{id}").into(), data: template(json!({"step": id})) },
    }
}

pub(in crate::workflow) fn retry(attempts: u32) -> Option<Retry> {
    Some(Retry { attempts, delay: Duration::from_secs(1), factor: 2.0 })
}

pub(in crate::workflow) fn each(items: Value, parallel: u32) -> Option<ForEach> {
    Some(ForEach { items: template(items), name: "item".into(), parallel })
}

pub(in crate::workflow) fn condition(text: &str) -> Option<Condition> {
    Some(Condition::parse(text).expect("a good condition"))
}

pub(in crate::workflow) fn instruction(steps: Vec<Step>) -> Instruction {
    Instruction {
        id: "test".into(),
        name: "Test".into(),
        description: None,
        author: None,
        version: None,
        trigger: None,
        inputs: Vec::new(),
        limits: None,
        flow: Vec::new(),
        steps,
        hash: "abc".into(),
        places: crate::workflow::read::Places::default(),
    }
}

/// Conditions hold as their text says: `true`, `false`, anything else is an error.
#[derive(Debug, Default, Clone)]
pub(in crate::workflow) struct Surroundings {
    pub(in crate::workflow) seconds: i64,
    pub(in crate::workflow) schemas: BTreeMap<Name, Value>,
    pub(in crate::workflow) replies: BTreeMap<Name, Vec<Name>>,
    pub(in crate::workflow) events: BTreeMap<EventId, Found>,
    pub(in crate::workflow) refused: Option<Name>,
    /// Conditions are evaluated.
    pub(in crate::workflow) evaluates: bool,
}

impl World for Surroundings {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_750_000_000_000_000 + self.seconds * 1_000_000)
    }

    fn schema(&self, event_type: &Name) -> Option<Arc<Value>> {
        self.schemas.get(event_type).cloned().map(Arc::new)
    }

    fn replies(&self, event_type: &Name) -> Vec<Name> {
        self.replies.get(event_type).cloned().unwrap_or_default()
    }

    fn accepts(&self, event_type: &Name, _data: &Value) -> Result<(), String> {
        if self.refused.as_ref() == Some(event_type) { Err("it does not fit".into()) } else { Ok(()) }
    }

    fn event(&self, id: &EventId) -> Found {
        self.events.get(id).cloned().unwrap_or(Found::NotLoaded)
    }

    fn holds(&self, condition: &Condition, names: &Names) -> Result<bool, String> {
        if self.evaluates {
            return condition.holds(names);
        }
        condition.source().parse().map_err(|_| "it has no value".to_owned())
    }
}

/// A run with its shell: the document and the parts as they are stored, between transitions as text.
pub(in crate::workflow) struct Shell {
    pub(in crate::workflow) instruction: Instruction,
    pub(in crate::workflow) world: Surroundings,
    pub(in crate::workflow) document: String,
    pub(in crate::workflow) parts: BTreeMap<PartKey, String>,
    /// Commands of all transitions.
    pub(in crate::workflow) log: Vec<Command>,
}

impl Shell {
    pub(in crate::workflow) fn begin(steps: Vec<Step>) -> Self {
        Self::begin_with(instruction(steps), Surroundings::default(), start())
    }

    pub(in crate::workflow) fn begin_with(
        instruction: Instruction,
        world: Surroundings,
        start: Start,
    ) -> Self {
        let (run, commands) = begin(&instruction, start, &world).expect("nothing to load");
        let mut shell =
            Self { instruction, world, document: String::new(), parts: BTreeMap::new(), log: Vec::new() };
        shell.store(run, commands);
        shell
    }

    pub(in crate::workflow) fn store(&mut self, mut run: Run, commands: Vec<Command>) {
        for (key, part) in run.parts.take_changes() {
            match part {
                Some(part) => self.parts.insert(key, serde_json::to_string(&*part).expect("JSON")),
                None => self.parts.remove(&key),
            };
        }
        self.document = serde_json::to_string(&run).expect("JSON");
        self.log.extend(commands);
    }

    pub(in crate::workflow) fn run(&self) -> Run {
        serde_json::from_str(&self.document).expect("a run")
    }

    /// One transition from what is stored to what is stored; also checks that it is deterministic.
    pub(in crate::workflow) fn step(&mut self, happened: Happened) -> Vec<Command> {
        self.try_step(happened).expect("not refused")
    }

    pub(in crate::workflow) fn try_step(&mut self, happened: Happened) -> Result<Vec<Command>, String> {
        let mut run = self.run();
        loop {
            let before = run.clone();
            match step(&self.instruction, &mut run, happened.clone(), &self.world) {
                Ok(commands) => {
                    let mut twice = before;
                    let again = step(&self.instruction, &mut twice, happened, &self.world);
                    assert_eq!((Ok(&commands), &run), (again.as_ref(), &twice), "it is deterministic");
                    self.store(run, commands.clone());
                    return Ok(commands);
                }
                Err(Stop::Wanted(wanted)) => {
                    assert_eq!(run, before, "a transition that stops changes nothing");
                    assert!(wanted.events.is_empty(), "events are given beforehand: {wanted:?}");
                    for key in wanted.parts {
                        let part = serde_json::from_str(&self.parts[&key]).expect("a part");
                        run.parts.load(key, Arc::new(part));
                    }
                }
                Err(Stop::Refused(why)) => {
                    assert_eq!(run, before, "a transition that stops changes nothing");
                    return Err(why);
                }
            }
        }
    }

    /// The branch of an attempt is over, with these answers.
    pub(in crate::workflow) fn ended(&mut self, at: &At, answers: &[Value]) -> Vec<Command> {
        let answers: Vec<Answer> = answers.iter().map(|data| answer(at, data.clone())).collect();
        for answer in &answers {
            let found = Found::Here(Arc::new(answer.data.clone()));
            self.world.events.insert(answer.event_id.clone(), found);
        }
        self.step(Happened::Ended { at: at.clone(), answers, more: 0, failed: None })
    }

    pub(in crate::workflow) fn failed(&mut self, at: &At) -> Vec<Command> {
        let failed = Some("broken".to_owned());
        self.step(Happened::Ended { at: at.clone(), answers: Vec::new(), more: 0, failed })
    }

    pub(in crate::workflow) fn due(&mut self, at: &At, what: Due) -> Vec<Command> {
        self.step(Happened::Due { at: at.clone(), what })
    }

    pub(in crate::workflow) fn status(&self, id: &str) -> &'static str {
        self.run().dag.nodes[id].status.name()
    }

    /// The last command, which has to be the end of the run: status, output, error.
    pub(in crate::workflow) fn end(&self) -> (super::RunStatus, Value, Option<String>) {
        match self.log.last() {
            Some(Command::Finished { status, output, error, .. }) => (*status, output.clone(), error.clone()),
            other => panic!("it is not over: {other:?}"),
        }
    }
}

/// `a`, or `a/3`; the first attempt.
pub(in crate::workflow) fn at(text: &str) -> At {
    nth(text, 1)
}

pub(in crate::workflow) fn nth(text: &str, attempt: u32) -> At {
    let (step, item) = match text.split_once('/') {
        Some((step, item)) => (step, Some(item.parse().expect("a number"))),
        None => (text, None),
    };
    At { step: step.into(), item, attempt }
}

pub(in crate::workflow) fn answer(at: &At, data: Value) -> Answer {
    let id = format!("answer-{at}-{}", data.to_string().len());
    Answer { event_id: id.parse().expect("an id"), event_type: "it.done".into(), data }
}

pub(in crate::workflow) fn start() -> Start {
    Start {
        run: "run".into(),
        slot: "2025-06-16T13:00:00Z".parse().expect("a time"),
        timezone: "America/New_York".into(),
        trigger: None,
        inputs: Map::new(),
    }
}

pub(in crate::workflow) fn started_by(data: Value) -> Start {
    let cause = Cause {
        id: "cause".parse().expect("an id"),
        event_type: "weather.severe".into(),
        time: "2025-06-16T13:00:00Z".parse().expect("a time"),
        data: Some(Arc::new(data)),
    };
    Start { trigger: Some(cause), ..start() }
}

/// What commands emit: the attempt and the data.
pub(in crate::workflow) fn emitted(commands: &[Command]) -> Vec<String> {
    let emitted = commands.iter().filter_map(|command| match command {
        Command::Emit { at, .. } => Some(at.to_string()),
        _ => None,
    });
    emitted.collect()
}
