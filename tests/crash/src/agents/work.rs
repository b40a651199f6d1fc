//! The questions, the agents that are asked, and what must come of each question.

use super::USERS;
use super::journal::Journal;
use super::model::{Overloaded, Scripted};
use serde_json::{Value, json};
use std::fmt::Write as _;
use vextir_core::Event;
use vextir_drivers::agent::{Agent, ModelRegistry, ModelSpec, Models};

/// What the emitters ask, by turns.
pub const KINDS: [&str; 8] = ["steps", "parallel", "boss", "steps", "fails", "spare", "stopped", "steps"];
/// The events that agents handle.
pub const ASKED: [&str; 3] = ["work.ask", "boss.ask", "spare.ask"];
/// What the document of a tool holds.
pub const LINE: &str = "done\n";
/// How many tools are called at a time.
const PARALLEL: usize = 5;
/// How many agents a boss asks at a time.
const INNER: usize = 2;
/// The most turns of a run.
const TURNS: usize = 6;

/// A question, as the model is asked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which conversation it becomes.
    pub kind: String,
    /// What its run is called in what it does.
    pub tag: String,
}

impl Question {
    /// The n-th one of an emitter.
    pub fn of(emitter: usize, n: u64) -> Self {
        let kind = KINDS[usize::try_from(n).unwrap_or(0).wrapping_add(emitter) % KINDS.len()];
        Self { kind: kind.to_owned(), tag: tag(emitter, n) }
    }

    /// One in words.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, tag) = text.split_once(' ')?;
        Some(Self { kind: kind.to_owned(), tag: tag.to_owned() })
    }

    /// The event that asks it.
    pub fn event(&self) -> Event {
        let asked = match self.kind.as_str() {
            "boss" => "boss.ask",
            "spare" => "spare.ask",
            _ => "work.ask",
        };
        Event::new(asked).with_data(json!({"question": format!("{} {}", self.kind, self.tag)}))
    }

    /// How many turns its conversation has: 1 to 6, by its numbers.
    fn turns(&self) -> usize {
        let numbers = self.tag.split(['-', '.']).filter_map(|part| part.parse::<usize>().ok());
        1 + (numbers.sum::<usize>() / 3) % TURNS
    }
}

/// What the question of an emitter's n-th run is called.
pub fn tag(emitter: usize, n: u64) -> String {
    format!("{}-{n}", USERS[emitter])
}

/// The document that an agent writes.
pub fn page(tag: &str) -> String {
    format!("/pages/{tag}")
}

/// The document of a call of the tool that adds.
pub fn effect(of: &str) -> String {
    format!("/done/{}", of.trim_start_matches("tool/"))
}

/// The tools that are called in a turn of a conversation; in its last turn none.
pub fn calls(question: &Question, turn: usize) -> Vec<&'static str> {
    match (question.kind.as_str(), turn) {
        ("steps" | "spare", turn) if turn < question.turns() => vec!["math_add"],
        ("parallel", 1) => vec!["math_add"; PARALLEL],
        ("parallel", 2) => vec!["math_add", "math_divide", "context_write"],
        ("boss", 1) => vec!["work_ask"; INNER],
        ("fails", 1) => vec!["math_add"],
        ("stopped", 1) => vec!["math_add", "never_do"],
        ("stopped", _) => vec!["never_do"],
        _ => Vec::new(),
    }
}

/// The words of an answer.
pub fn answer(tag: &str, sum: u64, errors: usize, said: &str) -> String {
    format!("{tag}: {sum}, {errors} errors{said}")
}

/// What must come of a question.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// How its run ends.
    pub status: &'static str,
    /// What it answers, if it does.
    pub answer: Option<String>,
    /// How many turns it has.
    pub turns: usize,
    /// The calls of the tool that adds, each done once.
    pub effects: Vec<String>,
    /// The questions that it asks other agents.
    pub inner: Vec<Question>,
}

/// What must come of this question.
pub fn expected(question: &Question) -> Expected {
    let tag = &question.tag;
    let mut expected = Expected { status: "completed", turns: 1, ..Expected::default() };
    let (mut sum, mut errors, mut said) = (0, 0, String::new());
    loop {
        let called = calls(question, expected.turns);
        for (index, name) in called.iter().enumerate() {
            match *name {
                "math_add" => {
                    expected.effects.push(format!("{}-{index}", expected.turns));
                    sum += u64::try_from(expected.turns + index).unwrap_or(u64::MAX);
                }
                "math_divide" => errors += 1,
                "work_ask" => {
                    let asked = Question { kind: "steps".to_owned(), tag: format!("{tag}.{index}") };
                    let _ = write!(said, ", {}", self::expected(&asked).answer.unwrap_or_default());
                    expected.inner.push(asked);
                }
                _ => {}
            }
        }
        if called.is_empty() {
            break;
        }
        if question.kind == "stopped" {
            expected.status = "cancelled";
            return expected;
        }
        expected.turns += 1;
    }
    if question.kind == "fails" {
        expected.status = "failed";
        return expected;
    }
    expected.answer = Some(answer(tag, sum, errors, &said));
    expected
}

/// The models: one that answers, and one before it that never does.
pub fn models(journal: &Journal) -> Models {
    let spec = ModelSpec::own().with_price(0.01, 0.03);
    let broken = ModelSpec::own().with_fallbacks(["scripted"]);
    let registry = ModelRegistry::new()
        .with_model("scripted", spec, Scripted(journal.clone()))
        .with_model("broken", broken, Overloaded);
    Models::new(registry)
}

/// The agents: one that works, one that asks it, and one whose model does not answer.
pub fn agents() -> [Agent; 3] {
    let worker = |id: &'static str, model: &'static str, asked: &'static str| {
        let tools = ["math_add", "math_divide", "context_write", "never_do"];
        Agent::new(id).model(model).system_prompt("Work.").tools(tools).handles(asked)
    };
    let boss = Agent::new("boss").model("scripted").tools(["work_ask"]).handles("boss.ask");
    [worker("worker", "scripted", "work.ask"), worker("spare", "broken", "spare.ask"), boss]
}

/// The question of an event that agents handle.
pub fn asked(event: &Event) -> Option<Question> {
    let data: Value = event.data.value();
    ASKED.contains(&&*event.event_type).then(|| Question::parse(data["question"].as_str()?)).flatten()
}
