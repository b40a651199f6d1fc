//! What an instruction is wired to, for the check of the whole application.

use super::key::{self, Verb, event_type};
use super::{PlanApproval, PlanFinished};
use crate::workflow::catalogue::Catalogue;
use crate::workflow::instruction::{Act, Instruction, OnError, Step, Trigger};
use std::collections::HashSet;
use vextir::check::{Finding, FindingKind, Known, Severity, Wire, Wiring};
use vextir::{Capability, Manifest, Name, Payload};

/// In how large an application it is looked for what an unknown instruction may be meant to be.
const LOOKED_AT: usize = 2_000;
/// The events by which documents are changed.
const CHANGES: [&str; 7] = [
    "context.write",
    "context.append",
    "context.patch",
    "context.edit",
    "context.move",
    "context.remove",
    "context.restore",
];

/// What begins it and what its steps emit and wait for, and what of that the application cannot take.
pub(super) fn wiring(driver: &Name, instruction: &Instruction, known: &Known) -> Wiring {
    let mut wiring = Wiring::new(trigger(instruction));
    wiring.wires.push(Wire::asked(event_type(&instruction.id, Verb::Run)));
    let open = open_steps(instruction);
    for (index, step) in instruction.steps.iter().enumerate() {
        let place = place(instruction, index);
        let part = format!("step `{}`", step.id);
        let condition = match &step.condition {
            Some(condition) => Some(condition.source().to_owned()),
            None => open.contains(&step.id).then(|| "its turn comes".to_owned()),
        };
        wiring.wires.extend(wires(step, known).into_iter().map(|wire| {
            let wire = wire.part(part.as_str()).at(place.as_str());
            condition.iter().cloned().fold(wire, Wire::when)
        }));
    }
    let ends = Wire::emits_payload::<PlanFinished>();
    let ends = if open.is_empty() { ends } else { ends.when("all its steps are over") };
    wiring.wires.push(ends);
    wiring.findings.extend(misfits(driver, instruction, known));
    wiring.findings.extend(own_cause(driver, instruction));
    wiring.findings.extend(no_inputs(driver, instruction));
    wiring
}

fn trigger(instruction: &Instruction) -> Option<Wire> {
    let wire = match instruction.trigger.as_ref()? {
        // The schedule is a document, and known as such.
        Trigger::Schedule { .. } => return None,
        Trigger::Event { event, condition } => {
            let wire = Wire::starts(event.as_str());
            condition.iter().map(|condition| condition.source()).fold(wire, Wire::when)
        }
        Trigger::Context { path } => {
            Wire::starts("context.changed").when(format!("it is at or below {path}"))
        }
    };
    Some(wire.part("the trigger").at(&*instruction.places.source.file))
}

fn wires(step: &Step, known: &Known) -> Vec<Wire> {
    match &step.act {
        Act::Emit { event_type, .. } => vec![Wire::emits(event_type.clone())],
        Act::WaitFor { event, .. } => vec![Wire::awaits(event.as_str())],
        Act::Approve { .. } => vec![Wire::emits_payload::<PlanApproval>()],
        Act::Run { instruction, .. } => {
            let asks = event_type(instruction, Verb::Run);
            // Of one that is not there the check of the instruction tells.
            let is_there = known.handlers(&asks).next().is_some();
            let ends = Wire::awaits(PlanFinished::TYPE);
            if is_there { vec![Wire::emits(asks), ends] } else { vec![ends] }
        }
    }
}

/// The steps that do not follow for sure: something decides about them, or about what is before them.
fn open_steps(instruction: &Instruction) -> HashSet<&Name> {
    let mut open: HashSet<&Name> = HashSet::new();
    // Each comes after all that it depends on.
    for step in &instruction.steps {
        let decides = matches!(step.act, Act::WaitFor { .. } | Act::Approve { .. });
        let own = step.condition.is_some() || step.for_each.is_some() || decides;
        if own || step.depends_on.iter().any(|before| open.contains(before)) {
            open.insert(&step.id);
        }
        if let OnError::Compensate(id) = &step.on_error {
            open.insert(id);
        }
    }
    open
}

/// Where the event of a step was written.
fn place(instruction: &Instruction, step: usize) -> String {
    let places = &instruction.places;
    places.steps.get(step).map(|written| places.source.place(&written.name)).unwrap_or_default()
}

/// What drivers and other instructions do not take: [`Instruction::check`] with what they say. Events that nobody handles
/// are found from the wires.
fn misfits(driver: &Name, instruction: &Instruction, known: &Known) -> Vec<Finding> {
    let mut catalogue = Catalogue::of_capabilities(taken(instruction, known));
    for step in &instruction.steps {
        if let Act::Emit { event_type, .. } = &step.act
            && let Ok(pattern) = event_type.parse()
        {
            catalogue = catalogue.with(pattern);
        }
    }
    let Err(faults) = instruction.check(&catalogue) else { return Vec::new() };
    let finding = |message: &str, help: Option<&str>| {
        let message = format!("`{driver}`: {message}");
        let help = help.unwrap_or_default();
        Finding::new(Severity::Error, FindingKind::Mismatch, driver.clone(), message, help)
    };
    let mut findings: Vec<Finding> = faults
        .iter()
        .map(|fault| {
            let place = format!("{}:{}:{}", faults.file(), fault.line, fault.column);
            finding(&fault.message, fault.help.as_deref()).at(if fault.line == 0 {
                ""
            } else {
                place.as_str()
            })
        })
        .collect();
    let more = faults.count() - findings.len();
    if more > 0 {
        findings.push(finding(&format!("{more} more of its steps do not fit"), None).at(faults.file()));
    }
    findings
}

/// What the drivers say that its steps have to do with.
fn taken<'k>(instruction: &Instruction, known: &'k Known) -> Vec<(&'k Manifest, &'k Capability)> {
    let (mut types, mut is_lost) = (HashSet::new(), false);
    for step in &instruction.steps {
        match &step.act {
            Act::Emit { event_type, .. } => drop(types.insert(event_type.clone())),
            Act::Run { instruction, .. } => {
                let asks = event_type(instruction, Verb::Run);
                is_lost |= known.handlers(&asks).next().is_none();
                types.insert(asks);
            }
            Act::WaitFor { .. } | Act::Approve { .. } => {}
        }
    }
    let mut taken: Vec<_> = types.iter().flat_map(|event_type| known.handlers(event_type)).collect();
    if is_lost && known.manifests().len() <= LOOKED_AT {
        let all = known.manifests().iter().flat_map(|one| one.capabilities.iter().map(move |can| (one, can)));
        taken.extend(all.filter(|(_, can)| key::asked_instruction(&can.pattern).is_some()));
    }
    taken
}

/// An instruction that a change of documents begins, and that changes those documents.
fn own_cause(driver: &Name, instruction: &Instruction) -> Option<Finding> {
    let Some(Trigger::Context { path }) = &instruction.trigger else { return None };
    let writes = |step: &Step| {
        let Act::Emit { event_type, data } = &step.act else { return false };
        let written = data.source()["path"].as_str().filter(|path| !path.contains('{'));
        CHANGES.contains(&event_type.as_str())
            && written.is_some_and(|written| vextir::context::is_within(written, path))
    };
    let (index, step) = instruction.steps.iter().enumerate().find(|(_, step)| writes(step))?;
    let message = format!(
        "step `{}` of `{driver}` changes what is at or below `{path}`, which begins the next run; no limit counts them: each change begins a causal tree of its own",
        step.id
    );
    let remedy = "write elsewhere, or give the step a condition that ends it";
    let finding = Finding::new(Severity::Warning, FindingKind::Cycle, driver.clone(), message, remedy);
    Some(finding.at(place(instruction, index)))
}

/// A trigger gives no inputs.
fn no_inputs(driver: &Name, instruction: &Instruction) -> Option<Finding> {
    instruction.trigger.as_ref()?;
    let missing = instruction.inputs.iter().find(|input| input.default.is_none())?;
    let message = format!(
        "each run that the trigger of `{driver}` begins fails: its input `{}` has no default",
        missing.name
    );
    let remedy = "give it one, or take the trigger away";
    let finding = Finding::new(Severity::Error, FindingKind::Mismatch, driver.clone(), message, remedy);
    Some(finding.at(&*instruction.places.source.file))
}
