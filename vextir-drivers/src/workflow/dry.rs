//! What a run would do, without doing it.

use super::catalogue::Catalogue;
use super::expression::{Names, Template};
use super::instruction::{Act, Instruction, Trigger};
use super::run::{Action, Found, Start, World, compensations, given, moment};
use jiff::Zoned;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use vextir::{Error, EventId, Name, Result, Timestamp};

/// A step of a run that does not take place.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PlannedStep {
    /// Which step.
    pub id: Name,
    /// What has to be over first.
    pub after: Vec<Name>,
    /// Steps of one wave can be at work at the same time; waves count from 1. None for a compensation.
    pub wave: Option<u32>,
    /// The type of its event, or `wait_for`, `run`, `approve`.
    pub action: String,
    /// What can be known of its data is filled in, the rest is as written.
    pub data: Value,
    /// Who would handle the event.
    pub drivers: Vec<Name>,
    /// Whether it would be done at all, as written.
    pub condition: Option<String>,
    /// The list it is done for, filled in like the data.
    pub for_each: Option<Value>,
}

/// What an application knows, at a moment.
struct At<'c> {
    now: Timestamp,
    catalogue: &'c Catalogue,
}

impl World for At<'_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn schema(&self, event_type: &Name) -> Option<Arc<Value>> {
        self.catalogue.schema(event_type).cloned().map(Arc::new)
    }

    fn replies(&self, event_type: &Name) -> Vec<Name> {
        self.catalogue.replies(event_type)
    }

    fn event(&self, _id: &EventId) -> Found {
        Found::Gone
    }
}

impl Instruction {
    /// What a run would do, without doing any of it: all steps, in an order in which they could be done, for these inputs
    /// and as if its trigger fired at a moment.
    ///
    /// # Errors
    /// `Invalid`: the inputs do not fit, and a run would fail before its first step.
    pub fn dry_run(
        &self,
        inputs: Map<String, Value>,
        at: Timestamp,
        app: &Catalogue,
    ) -> Result<Vec<PlannedStep>> {
        let timezone = match &self.trigger {
            Some(Trigger::Schedule { timezone, .. }) => timezone.clone(),
            _ => "UTC".to_owned(),
        };
        let start = Start { run: "dry".into(), slot: at, timezone, trigger: None, inputs };
        let drivers =
            |event_type: &Name| app.handlers(event_type).map(|handled| handled.driver.clone()).collect();
        dry_run(self, start, &At { now: at, catalogue: app }, &drivers).map_err(Error::invalid)
    }
}

/// All steps, in an order in which they could be done. `drivers` says who handles a type of event.
///
/// # Errors
/// The inputs do not fit, or the time zone is unknown: the run would fail before its first step.
pub(super) fn dry_run(
    instruction: &Instruction,
    start: Start,
    world: &dyn World,
    drivers: &dyn Fn(&Name) -> Vec<Name>,
) -> Result<Vec<PlannedStep>, String> {
    let day = moment(start.slot, &start.timezone)?;
    let mut names = Names::new();
    names.insert("inputs".into(), Value::Object(given(&instruction.inputs, start.inputs)?));
    let trigger = start.trigger.map(
        |cause| json!({"id": cause.id, "type": cause.event_type, "time": cause.time, "data": cause.data}),
    );
    names.insert("trigger".into(), trigger.unwrap_or_default());
    let known = Known { world, names, day };
    let reserved = compensations(instruction);
    let mut planned: Vec<PlannedStep> = Vec::with_capacity(instruction.steps.len());
    for step in &instruction.steps {
        let before = planned.iter().filter(|before| step.depends_on.contains(&before.id));
        let wave = before.filter_map(|before| before.wave).max().unwrap_or(0) + 1;
        let action = Action::of(&step.act);
        planned.push(PlannedStep {
            id: step.id.clone(),
            after: step.depends_on.clone(),
            wave: (!reserved.contains(&step.id)).then_some(wave),
            data: known.filled(&action.data),
            action: action.kind,
            drivers: match &step.act {
                Act::Emit { event_type, .. } => drivers(event_type),
                _ => Vec::new(),
            },
            condition: step.condition.as_ref().map(|condition| condition.source().to_owned()),
            for_each: step.for_each.as_ref().map(|each| known.filled(each.items.source())),
        });
    }
    Ok(planned)
}

/// What is known before anything was done.
struct Known<'a> {
    world: &'a dyn World,
    names: Names,
    day: Zoned,
}

impl Known<'_> {
    /// Each text whose names are all known is filled in.
    fn filled(&self, source: &Value) -> Value {
        match source {
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.keyed(name, value))).collect()
            }
            Value::Array(values) => values.iter().map(|value| self.filled(value)).collect(),
            other => self.one(other).unwrap_or_else(|| other.clone()),
        }
    }

    /// What a text means can depend on its key: `since: yesterday`.
    fn keyed(&self, name: &str, value: &Value) -> Value {
        if !value.is_string() {
            return self.filled(value);
        }
        let alone = json!({name: value});
        match self.one(&alone) {
            Some(Value::Object(mut fields)) => fields.remove(name).unwrap_or_default(),
            _ => value.clone(),
        }
    }

    fn one(&self, value: &Value) -> Option<Value> {
        let template = Template::parse(value).ok()?;
        let all_known = template
            .references()
            .iter()
            .all(|reference| reference.path.first().is_some_and(|top| self.names.contains_key(top)));
        if all_known { self.world.render(&template, &self.names, &self.day).ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::dry_run;
    use crate::workflow::instruction::OnError;
    use crate::workflow::run::Start;
    use crate::workflow::run::tests::{Surroundings, each, emit, instruction, start};
    use serde_json::json;
    use vextir::Name;

    #[test]
    fn it_says_what_would_be_done_by_whom_and_in_which_order() {
        let mut pay = emit("pay", &["book", "ask"]);
        pay.on_error = OnError::Compensate("unbook".into());
        pay.for_each = each(json!([1, 2]), 2);
        let steps = vec![emit("book", &[]), emit("ask", &[]), pay, emit("unbook", &[])];
        let drivers = |event_type: &Name| vec![Name::from(format!("driver of {event_type}"))];
        let planned = dry_run(&instruction(steps), start(), &Surroundings::default(), &drivers);
        let planned = planned.expect("a plan");
        let waves: Vec<_> = planned.iter().map(|step| (step.id.as_str(), step.wave)).collect();
        assert_eq!(waves, [("book", Some(1)), ("ask", Some(1)), ("pay", Some(2)), ("unbook", None)]);
        assert_eq!(planned[2].drivers, ["driver of do.pay"]);
        assert_eq!(planned[2].data, json!({"step": "pay"}));
        assert_eq!(planned[2].for_each, Some(json!([1, 2])));
    }

    #[test]
    fn a_run_that_would_fail_at_once_is_told() {
        let planned = |start: Start| {
            let instruction = instruction(vec![emit("a", &[])]);
            dry_run(&instruction, start, &Surroundings::default(), &|_| Vec::new())
        };
        assert!(planned(Start { timezone: "Mars".into(), ..start() }).is_err());
        let inputs = json!({"x": 1}).as_object().cloned().expect("an object");
        assert!(planned(Start { inputs, ..start() }).is_err());
    }
}
