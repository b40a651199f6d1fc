//! YAML text to an instruction, or to all that is wrong with it.

mod act;
mod cron;
mod flow;
mod hash;
mod head;
mod name;
mod step;
mod template;

pub(super) use act::{Scope, Written};
pub(super) use step::Draft;
pub(super) use template::Read;

use super::check;
use super::instruction::{Instruction, Step};
use crate::yaml::{self, Faults, Form, Found, Kind, Node, Shown, Source, What};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use template::Text;
use vextir::Name;

/// What the file is.
pub(super) const WHAT: What =
    What { name: "an instruction", example: "write `name: ..`, and below it `plan:` with a list of steps" };
/// How many steps are written at most.
const MOST_STEPS: usize = 1_000;

/// Where an instruction stands: its file, and what each step says of its event. Empty if it was made otherwise.
#[derive(Clone, Default)]
pub(crate) struct Places {
    pub(super) source: Source,
    /// In the order of its steps.
    pub(super) steps: Arc<[Written]>,
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

impl Instruction {
    /// Reads an instruction and checks all that can be checked without an application; [`Instruction::check`] does the
    /// rest. `file_name` is what faults call it.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place.
    pub fn from_yaml(file_name: &str, text: &str) -> Result<Self, Faults> {
        yaml::read(file_name, text, WHAT, instruction)
    }

    /// Reads a file, as [`Instruction::from_yaml`] does. It waits for the disk.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place; or why the file cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Faults> {
        let path = path.as_ref();
        Self::from_yaml(&path.display().to_string(), &yaml::load(path, WHAT)?)
    }
}

fn instruction(root: &Node, source: &Source, found: &mut Found) -> Option<Instruction> {
    let text = Text(&source.text);
    let form = top(root, found)?;
    let names = head::names(&form, found);
    let trigger = form.get("trigger", found).and_then(|node| head::trigger(node, text, found));
    let (trigger, trigger_reads) = trigger.unzip();
    let inputs = form.get("inputs", found).map(|node| head::inputs(node, found));
    let (inputs, input_names) = inputs.unwrap_or_default();
    let limits = form.get("limits", found).and_then(|node| head::limits(node, found));
    let flow = form.get("flow", found).map(|node| flow::read(node, &input_names, text, found));
    let mut drafts = form.need("plan", "an instruction", found).map(|node| plan(node, text, found))?;
    let is_sequence = order(&mut drafts, found);
    check::trigger(&trigger_reads.unwrap_or_default(), &source.text, found);
    let order = check::plan(&drafts, &input_names, is_sequence, &source.text, found);
    let (id, name) = names?;
    let mut ready: Vec<_> = drafts.into_iter().map(|draft| finish(draft, is_sequence)).collect();
    let (steps, places): (Vec<Step>, Vec<Written>) =
        order.into_iter().filter_map(|index| ready.get_mut(index)?.take()).unzip();
    let mut instruction = Instruction {
        id,
        name,
        description: form.text("description", found).map(str::to_owned),
        author: form.title("author", found),
        version: form.title("version", found),
        trigger,
        inputs,
        limits,
        flow: flow.unwrap_or_default(),
        steps,
        hash: String::new(),
        places: Places { source: source.clone(), steps: places.into() },
    };
    instruction.hash = hash::of(&instruction);
    Some(instruction)
}

/// The map with the instruction's keys: flat, with `type: instruction` or without, or under `instruction`.
fn top<'n>(root: &'n Node, found: &mut Found) -> Option<Form<'n>> {
    let wrapped = root.entries().and_then(|entries| entries.iter().find(|entry| entry.key == "instruction"));
    let form = match wrapped {
        Some(entry) => {
            Form::read(root, "a file with an `instruction`", &["type", "instruction"], found);
            Form::read(&entry.value, "an instruction", &head::KEYS, found)?
        }
        None => {
            let kind = root.entries().and_then(|entries| entries.iter().find(|entry| entry.key == "type"));
            if let Some(kind) = kind
                && let Some(word) = kind.value.written().filter(|word| *word != "instruction")
            {
                // The keys of something else would all be unknown.
                let message = format!("this is the type {}, not an instruction", Shown(word));
                found.with_help(kind.value.at.clone(), message, "write `type: instruction`, or leave it out");
                return None;
            }
            Form::read(root, "an instruction", &head::KEYS, found)?
        }
    };
    Some(form)
}

fn plan(node: &Node, text: Text<'_>, found: &mut Found) -> Vec<Draft> {
    let Kind::List(nodes) = &node.kind else {
        let message = format!("`plan` is a list of steps, but this is {node}");
        found.with_help(node.at.clone(), message, "write `- emit: {type: email.fetch}` for each step");
        return Vec::new();
    };
    if nodes.is_empty() {
        found.add(node.at.clone(), "the plan has no steps");
    }
    if let Some(node) = nodes.get(MOST_STEPS) {
        let message = format!("{} steps; at most {MOST_STEPS} are written", nodes.len());
        found.with_help(node.at.clone(), message, "do steps that are alike with `for_each`");
    }
    nodes.iter().take(MOST_STEPS).filter_map(|node| Draft::read(node, text, found)).collect()
}

/// Steps without ids are a sequence: each gets an id, and depends on the one before it. Tells whether they are.
fn order(drafts: &mut [Draft], found: &mut Found) -> bool {
    let unnamed = drafts.iter().filter(|draft| draft.id.is_none()).count();
    if unnamed == 0 {
        return false;
    }
    if unnamed < drafts.len() {
        let help = "without ids steps are done one after the other; with ids, by what they depend on";
        if let Some(draft) = drafts.iter().find(|draft| draft.id.is_none()) {
            let message =
                format!("this step has no id, but others have ({unnamed} of {} have none)", drafts.len());
            found.with_help(draft.at.clone(), message, help);
        }
        return false;
    }
    let mut before: Option<Name> = None;
    for (index, draft) in drafts.iter_mut().enumerate() {
        if let Some(at) = &draft.depends_at {
            let message = "a step without an id depends on the one before it, and on nothing else";
            found.with_help(at.clone(), message, "give all steps ids, or leave `depends_on` out");
        }
        let id = Name::from(format!("n{}", index + 1));
        draft.depends_on = before.iter().map(|before| (before.clone(), draft.at.clone())).collect();
        draft.id = Some(id.clone());
        before = Some(id);
    }
    true
}

/// The step, if all of it could be read.
fn finish(draft: Draft, piped: bool) -> Option<(Step, Written)> {
    let work = draft.work?;
    let step = Step {
        id: draft.id?,
        name: draft.name,
        depends_on: draft.depends_on.into_iter().map(|(id, _)| id).collect(),
        piped,
        condition: draft.condition,
        for_each: draft.for_each,
        retry: draft.retry,
        timeout: draft.timeout,
        on_error: draft.on_error,
        act: work.act,
    };
    Some((step, work.written))
}
