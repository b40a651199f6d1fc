//! By what the rules of an instruction count a run, and where.

use crate::workflow::instruction::Instruction;
use crate::workflow::run::Cause;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use vextir::{Flow, FlowRule, Name};

/// The longest text of a value that is kept as it is, in bytes; what is longer is told apart by its hash.
const LONGEST: usize = 96;

/// Where the runs of a user are counted: a rule, and what stands at its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::workflow::runner) struct Place {
    /// `concurrency by inputs.account`, without its number: that may change while runs wait.
    pub(super) rule: Name,
    /// As JSON; empty for a rule without a key.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub(super) key: Name,
}

impl Place {
    /// Its name in ordering keys and paths.
    pub(super) fn code(&self) -> String {
        hex(&format!("{}\0{}", self.rule, self.key)).chars().take(32).collect()
    }

    /// The rule, as the instruction has it now.
    pub(super) fn rule<'i>(&self, instruction: &'i Instruction) -> Option<&'i Flow> {
        instruction.flow.iter().find(|rule| name(rule).as_ref() == Some(&self.rule))
    }
}

/// What a rule is called, if it lasts until the run is over.
fn name(rule: &Flow) -> Option<Name> {
    let kind = match rule.rule() {
        FlowRule::Concurrency(_) => "concurrency",
        FlowRule::Singleton(_) => "singleton",
        _ => return None,
    };
    Some(rule.path().map_or_else(|| kind.into(), |path| format!("{kind} by {path}").into()))
}

/// The gates that a run has to pass, for the values of its rules. One that is left out or replaces another stands at the
/// singleton first; and who waits where few may run holds no place where all have to go through.
pub(super) fn places(instruction: &Instruction, values: &[Value]) -> Vec<Place> {
    let rules = instruction.flow.iter().zip(values);
    let mut places: Vec<(bool, bool, Place)> = rules
        .filter_map(|(rule, value)| {
            let key = rule.path().map_or_else(Name::default, |_| value.to_string().into());
            let is_twin = matches!(rule.rule(), FlowRule::Singleton(_));
            Some((!is_twin, rule.path().is_none(), Place { rule: name(rule)?, key }))
        })
        .collect();
    places.sort();
    places.into_iter().map(|(_, _, place)| place).collect()
}

/// What stands at the place of each rule; null for a rule without one.
pub(super) fn values(instruction: &Instruction, inputs: &Map<String, Value>, trigger: &Value) -> Vec<Value> {
    let rules = instruction.flow.iter();
    let paths = rules.map(|rule| match rule.rule() {
        FlowRule::Priority(path) => Some(path),
        _ => rule.path(),
    });
    let found = paths.map(|path| {
        let path = path?.to_string();
        let (top, rest) = path.split_once('.')?;
        match top {
            "trigger" => inside(Some(trigger), rest),
            _ => {
                let (name, rest) = rest.split_once('.').unwrap_or((rest, ""));
                let default = || instruction.inputs.iter().find(|input| input.name == name)?.default.as_ref();
                inside(inputs.get(name).or_else(default), rest)
            }
        }
    });
    found.map(|value| value.map_or(Value::Null, short)).collect()
}

/// The event that begins a run of this user, as places read it.
pub(super) fn trigger(cause: &Cause, user: &Name) -> Value {
    let Cause { id, event_type, time, data } = cause;
    json!({"id": id, "type": event_type, "time": time, "user_id": user, "data": data})
}

/// Whether a gate is told apart by the data of what begins a run.
pub(super) fn reads_data(instruction: &Instruction) -> bool {
    let gates = instruction.flow.iter().filter(|rule| name(rule).is_some());
    gates.filter_map(Flow::path).any(|path| path.to_string().starts_with("trigger.data"))
}

fn inside<'v>(value: Option<&'v Value>, path: &str) -> Option<&'v Value> {
    let mut parts = path.split('.').filter(|part| !part.is_empty());
    parts.try_fold(value?, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        value => value.get(part),
    })
}

fn short(value: &Value) -> Value {
    let text = value.to_string();
    if text.len() <= LONGEST { value.clone() } else { hex(&text).into() }
}

fn hex(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How early a run gets its turn: above zero before others, below it behind them.
pub(super) fn rank(instruction: &Instruction, values: &[Value]) -> i8 {
    let mut rules = instruction.flow.iter().zip(values);
    let value = rules.find(|(rule, _)| matches!(rule.rule(), FlowRule::Priority(_)));
    match value.map(|(_, value)| value) {
        Some(Value::String(word)) if word == "high" => 1,
        Some(Value::String(word)) if word == "low" => -1,
        Some(Value::Number(number)) => {
            let number = number.as_f64().unwrap_or_default();
            i8::from(number > 0.0) - i8::from(number < 0.0)
        }
        _ => 0,
    }
}

/// The rules that the processor enforces when a run is to begin: by what its first event says at `data.flow`.
pub(in crate::workflow::runner) fn for_processor(instruction: &Instruction) -> Vec<Flow> {
    let rules = instruction.flow.iter().enumerate();
    rules.filter_map(|(index, rule)| handed(rule, format!("data.flow.{index}"))).collect()
}

fn handed(rule: &Flow, place: String) -> Option<Flow> {
    let handed = match rule.rule() {
        FlowRule::RateLimit(most, per) => Flow::rate_limit(*most, *per),
        FlowRule::Throttle(most, per) => Flow::throttle(*most, *per),
        FlowRule::Debounce { quiet, at_most: None } => Flow::debounce(*quiet),
        FlowRule::Debounce { quiet, at_most: Some(most) } => Flow::debounce(*quiet).at_most(*most),
        FlowRule::Priority(_) => return Some(Flow::priority(place)),
        _ => return None,
    };
    let handed = if rule.path().is_some() { handed.key(place) } else { handed };
    Some(if rule.is_across_users() { handed.across_users() } else { handed })
}

#[cfg(test)]
mod tests;
