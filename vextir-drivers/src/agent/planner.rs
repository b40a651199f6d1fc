//! Plans from words: an agent that writes an instruction, which the checker of instructions criticises until it holds.

mod brief;

use super::ModelChoice;
use super::critic::Critic;
use super::driver::Agent;
use crate::workflow::{Catalogue, Instruction};
use crate::yaml::Faults;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use vextir::{Ctx, Manifest, Name, Payload, Result, async_trait};

/// Where drafts are kept.
const FOLDER: &str = "/Drafts/Instructions";
/// How often the model may mend its draft: with the first one, four rounds.
const MENDINGS: u32 = 3;
/// How many faults the model is told of at a time.
const TOLD: usize = 8;

/// Write an instruction for a task that is described in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "plan.create")]
pub struct PlanCreate {
    /// What is to be done, and when.
    pub text: String,
}

/// A draft of an instruction: checked against the application, and not installed. A person reads it, and installs it as a
/// [`Workflow`](crate::workflow::Workflow).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "plan.create.result", category = "output")]
#[non_exhaustive]
pub struct PlanDraft {
    /// Where the draft is kept.
    pub path: String,
    /// The id of the instruction.
    #[schemars(with = "String")]
    pub id: Name,
    /// Its name for people.
    pub name: String,
    /// The instruction, as [`Instruction::from_yaml`] reads it.
    pub text: String,
}

/// An agent that writes instructions, for the event `plan.create`. It knows what the drivers of the processor can do, and its drafts are
/// checked as [`Instruction::check`] does; the faults go back to the model, in four rounds at most.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::Driver;
/// use vextir_drivers::agent::planner;
///
/// let planner = planner("planner", "gpt-4");
/// assert!(planner.manifest().capabilities.iter().any(|one| one.pattern == "plan.create"));
/// ```
pub fn planner(id: impl Into<Name>, model: impl Into<ModelChoice>) -> Agent {
    Agent::new(id)
        .model(model)
        .system_prompt(brief::TASK)
        .answers::<PlanCreate, PlanDraft>()
        .bounds(|bounds| bounds.corrections = MENDINGS)
        .with_critic(Arc::new(Checker))
}

/// The checker of instructions as the critic of a model.
#[derive(Debug)]
struct Checker;

#[async_trait]
impl Critic for Checker {
    fn brief(&self, manifests: &[Manifest]) -> String {
        brief::brief(manifests)
    }

    fn form(&self, corrections: u32, manifests: &[Manifest]) -> Option<Value> {
        // Whoever can write an instruction freely may use all of it. Whoever cannot gets less to choose from.
        (corrections > 0).then(|| brief::form(manifests))
    }

    fn judge(&self, text: &str, run: &str, manifests: &[Manifest]) -> std::result::Result<Value, String> {
        let text = bare(text);
        let instruction = Instruction::from_yaml("draft", &text).map_err(|faults| told(&faults))?;
        instruction.check(&Catalogue::of(manifests)).map_err(|faults| told(&faults))?;
        // What another draft is called is no reason to replace it.
        let part = run.rsplit('-').next().unwrap_or_default();
        let path = format!("{FOLDER}/{}-{part}", instruction.id);
        Ok(json!(PlanDraft { path, id: instruction.id.clone(), name: instruction.name.clone(), text }))
    }

    async fn keep(&self, answer: &Value, cx: &Ctx) -> Result<()> {
        let draft: PlanDraft = serde_json::from_value(answer.clone())
            .map_err(|error| vextir::Error::invalid(format!("the draft is none: {error}")))?;
        let metadata = json!({"kind": "instruction", "draft": true, "name": draft.name});
        cx.context()
            .write(&draft.path, draft.text)
            .metadata(crate::labels::added(metadata, &cx.event().labels))
            .await
            .map(drop)
    }
}

/// The draft without what models like to put around it; JSON with its lines broken, since a person reads it.
fn bare(text: &str) -> String {
    let text = text.trim();
    let inner = text.split_once("```").map_or(text, |(_, rest)| {
        let rest = rest.split_once('\n').map_or(rest, |(_, rest)| rest);
        rest.split("```").next().unwrap_or(rest)
    });
    match serde_json::from_str::<Value>(inner) {
        Ok(value) => serde_json::to_string_pretty(&said(value)).unwrap_or_else(|_| inner.to_owned()),
        Err(_) => inner.trim().to_owned(),
    }
}

/// A draft without the members that a form made the model write, and in which it says nothing.
fn said(value: Value) -> Value {
    let is_empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !is_empty(value))
            .map(|(key, value)| (key, said(value)))
            .collect(),
        Value::Array(values) => values.into_iter().map(said).collect(),
        other => other,
    }
}

/// The faults in words for a model.
fn told(faults: &Faults) -> String {
    let one = |fault: &crate::yaml::Fault| match &fault.help {
        Some(help) => format!("{fault} ({help})"),
        None => fault.to_string(),
    };
    let told: Vec<String> = faults.iter().take(TOLD).map(one).collect();
    format!("the instruction has {} faults. Line, column and fault:\n{}", faults.count(), told.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn a_draft_is_taken_out_of_what_stands_around_it() {
        assert_eq!(bare("Here it is:\n```yaml\nname: A\n```\nGood luck!"), "name: A");
        assert_eq!(bare("{\"name\":\"A\"}"), "{\n  \"name\": \"A\"\n}");
        assert_eq!(bare("{\"name\":\"A\",\"trigger\":null}"), "{\n  \"name\": \"A\"\n}");
        assert_eq!(bare("name: A\n"), "name: A");
    }
}
