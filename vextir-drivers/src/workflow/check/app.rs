//! Checks against an application: whether events are handled, and whether what they carry fits.

use crate::workflow::catalogue::{Catalogue, Handled};
use crate::workflow::instruction::{Act, Instruction, Step};
use crate::workflow::read::Written;
use crate::yaml::word::{instead_of, list};
use crate::yaml::{Entry, Node, Shown};
use crate::yaml::{Faults, Found};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;
use std::ops::Range;

impl Instruction {
    /// Checks it against an application: that somebody takes the events of its steps, that their data fits what each
    /// driver says it takes, and that the instructions it runs are there and take what they are given. What a template
    /// will stand for is not known yet, and fits; and where steps follow each other without ids, what is missing may
    /// come from the step before.
    ///
    /// # Errors
    /// All that does not fit, each with its place.
    pub fn check(&self, app: &Catalogue) -> Result<(), Faults> {
        let mut found = Found::default();
        let nowhere = Written::default();
        for (index, step) in self.steps.iter().enumerate() {
            let written = self.places.steps.get(index).unwrap_or(&nowhere);
            let checked = Checked { app, step, written };
            match &step.act {
                Act::Emit { event_type, data } => checked.event(event_type, data.source(), &mut found),
                Act::Run { instruction, inputs } => checked.run(instruction, inputs.source(), &mut found),
                Act::WaitFor { .. } | Act::Approve { .. } => {}
            }
        }
        found.into_result(&self.places.source)
    }
}

struct Checked<'c> {
    app: &'c Catalogue,
    step: &'c Step,
    written: &'c Written,
}

impl Checked<'_> {
    fn event(&self, event_type: &str, data: &Value, found: &mut Found) {
        if !self.app.handles(event_type) {
            let help = instead_of(event_type, &self.app.types(), found.is_crowded());
            let help = help.unwrap_or_else(|| "register a driver for it before".to_owned());
            found.with_help(self.written.name.clone(), format!("no driver handles `{event_type}`"), help);
        }
        for handled in self.app.handlers(event_type) {
            self.payload(event_type, handled, data, found);
        }
    }

    fn payload(&self, event_type: &str, handled: &Handled, data: &Value, found: &mut Found) {
        let Some(schema) = &handled.schema else { return };
        match schema.validator() {
            Err(error) => {
                let message = format!("the schema of `{event_type}` cannot be used: {error}");
                found.with_help(
                    self.written.name.clone(),
                    message,
                    format!("mend the driver `{}`", handled.driver),
                );
            }
            Ok(validator) => {
                let errors =
                    validator.iter_errors(data).filter(|error| !is_open(error, data, self.step.piped));
                for error in errors {
                    self.misfit(event_type, &error, &schema.value, found);
                }
            }
        }
    }

    /// Says what does not fit, where it stands.
    fn misfit(&self, event_type: &str, error: &ValidationError<'_>, schema: &Value, found: &mut Found) {
        let path = segments(error.instance_path().as_str());
        let node = self.written.data.within(&path);
        let place = |node: &Node| if path.is_empty() { self.place() } else { node.at.clone() };
        let of = if path.is_empty() {
            format!("`{event_type}`")
        } else {
            format!("`{}` of `{event_type}`", path.join("."))
        };
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                let property = property.as_str().unwrap_or_default();
                found.add(place(node), format!("{of} needs `{property}`"));
            }
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                let known = properties(schema, error.schema_path().as_str());
                for key in unexpected {
                    let help = instead_of(key, &known, found.is_crowded());
                    let help =
                        help.or_else(|| (!known.is_empty()).then(|| format!("it takes {}", list(&known))));
                    found.note(
                        key_place(node, key).unwrap_or_else(|| place(node)),
                        format!("{of} has no {}", Shown(key)),
                        help,
                    );
                }
            }
            _ => {
                let message = format!("{of} does not fit: {}", error.masked_with("this"));
                let at = if path.is_empty() { self.place() } else { node.at.clone() };
                found.note(at, message, description(schema, error.schema_path().as_str()));
            }
        }
    }

    /// Where the data stands, or the type where there is none.
    fn place(&self) -> Range<usize> {
        if self.written.data.entries().is_none_or(<[Entry]>::is_empty) {
            return self.written.name.clone();
        }
        self.written.data.at.clone()
    }

    fn run(&self, id: &str, given: &Value, found: &mut Found) {
        let inputs = match self.app.inputs(id) {
            Ok(inputs) => inputs,
            Err(known) => {
                let help = instead_of(id, &known, found.is_crowded());
                return found.note(
                    self.written.name.clone(),
                    format!("there is no instruction {}", Shown(id)),
                    help,
                );
            }
        };
        let Some(given) = given.as_object() else { return };
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let at = |key: &str| key_place(&self.written.data, key).unwrap_or_else(|| self.place());
        for (key, value) in given {
            match inputs.iter().find(|input| input.name == *key) {
                None => {
                    let help = instead_of(key, &names, found.is_crowded());
                    let help = help.unwrap_or_else(|| format!("its inputs are {}", list(&names)));
                    found.with_help(at(key), format!("`{id}` has no input {}", Shown(key)), help);
                }
                Some(input) if !has_template(value) && !input.kind.fits(value) => {
                    found.add(at(key), format!("the input `{key}` of `{id}` is {}", input.kind));
                }
                Some(_) => {}
            }
        }
        let missing =
            inputs.iter().filter(|input| input.default.is_none() && !given.contains_key(&input.name));
        for input in missing {
            found.add(self.place(), format!("`{id}` needs the input `{}`", input.name));
        }
    }
}

/// Whether only a run can tell: a template stands there, or the step before may bring what is missing.
fn is_open(error: &ValidationError<'_>, data: &Value, piped: bool) -> bool {
    let path = error.instance_path().as_str();
    let Some(value) = data.pointer(path) else { return true };
    if value.as_str().is_some_and(is_template) {
        return true;
    }
    match error.kind() {
        ValidationErrorKind::Type { .. } | ValidationErrorKind::AdditionalProperties { .. } => false,
        ValidationErrorKind::Required { .. } => piped && path.is_empty(),
        // What looks at the whole of a value: the keys, or the values below it.
        _ => has_template(value) || piped && path.is_empty(),
    }
}

fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

fn has_template(value: &Value) -> bool {
    match value {
        Value::String(text) => is_template(text),
        Value::Array(items) => items.iter().any(has_template),
        Value::Object(map) => map.values().any(has_template),
        _ => false,
    }
}

/// The segments of a JSON pointer.
fn segments(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect()
}

fn key_place(node: &Node, key: &str) -> Option<Range<usize>> {
    node.entries()?.iter().find(|entry| entry.key == key).map(|entry| entry.at.clone())
}

/// The part of a schema that a keyword belongs to.
fn part<'s>(schema: &'s Value, path: &str) -> Option<&'s Value> {
    schema.pointer(path.rsplit_once('/')?.0)
}

/// The properties that the part of a schema knows.
fn properties<'s>(schema: &'s Value, path: &str) -> Vec<&'s str> {
    let known = part(schema, path).and_then(|part| part.get("properties")).and_then(Value::as_object);
    known.map(|known| known.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// What the schema says of a value, for people.
fn description(schema: &Value, path: &str) -> Option<String> {
    let text = part(schema, path)?.get("description")?.as_str()?;
    let line = text.lines().next().filter(|line| !line.is_empty())?;
    Some(line.to_owned())
}
