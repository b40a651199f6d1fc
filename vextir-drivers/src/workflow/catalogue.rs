//! What an application knows: which events are handled, which payload fits them, and which instructions there are.

use super::asking;
use super::instruction::{Input, Instruction, Trigger};
use super::runner::asked_instruction;
use jsonschema::Validator;
use schemars::Schema;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;
use vextir::{Capability, Manifest, Name, Pattern};

/// What an application knows, for [`Instruction::check`]: the manifests of its drivers, its instructions, and events
/// that are handled otherwise.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::Manifest;
/// use vextir_drivers::workflow::{Catalogue, Instruction};
///
/// let mail: Manifest = serde_json::from_value(serde_json::json!({
///     "id": "mail",
///     "capabilities": [{
///         "type": "email.fetch",
///         "input": {"type": "object", "required": ["since"], "properties": {"since": {"type": "string"}}}
///     }]
/// }))?;
/// let app = Catalogue::of([&mail]).with("chat.*".parse()?);
///
/// let text = "name: Mails\nplan:\n  - {id: a, emit: {type: email.fetch}}\n  - {id: b, emit: {type: chat.message}}\n";
/// let faults = Instruction::from_yaml("mails.yaml", text)?.check(&app).unwrap_err();
/// assert_eq!(faults.iter().next().unwrap().message, "`email.fetch` needs `since`");
/// assert_eq!(faults.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Catalogue {
    handled: Vec<Handled>,
    /// Events that something else takes: instructions, subscribers, a user interface.
    taken: Vec<Pattern>,
    instructions: BTreeMap<Name, Vec<Input>>,
}

/// One capability of a driver.
pub(super) struct Handled {
    pub(super) driver: Name,
    pattern: Pattern,
    pub(super) schema: Option<Checker>,
    outputs: Vec<Name>,
}

/// A schema and what checks by it.
pub(super) struct Checker {
    pub(super) value: Value,
    /// Made when it is needed: most instructions use few of the events that there are.
    validator: OnceLock<Result<Validator, String>>,
}

impl Catalogue {
    /// What the drivers with these manifests handle, instructions among them. Patterns that are none are left out: no
    /// processor takes them.
    pub fn of<'m>(manifests: impl IntoIterator<Item = &'m Manifest>) -> Self {
        let all = manifests.into_iter();
        Self::of_capabilities(all.flat_map(|one| one.capabilities.iter().map(move |can| (one, can))))
    }

    /// Some of the capabilities of drivers.
    pub(super) fn of_capabilities<'m>(
        capabilities: impl IntoIterator<Item = (&'m Manifest, &'m Capability)>,
    ) -> Self {
        let mut catalogue = Self::default();
        for (manifest, capability) in capabilities {
            let Ok(pattern) = Pattern::new(capability.pattern.clone()) else { continue };
            let input = capability.input.as_ref().map(Schema::as_value);
            if let Some(id) = asked_instruction(&capability.pattern)
                && let Some(inputs) = input.and_then(asking::inputs)
            {
                catalogue.instructions.insert(id.into(), inputs);
            }
            catalogue.handled.push(Handled {
                driver: manifest.id.clone(),
                pattern,
                schema: input.map(Checker::of),
                outputs: capability.outputs.iter().map(|output| output.event_type.clone()).collect(),
            });
        }
        catalogue
    }

    /// Events that are handled by no driver, but by somebody: a subscriber, a user interface.
    #[must_use]
    pub fn with(mut self, pattern: Pattern) -> Self {
        self.taken.push(pattern);
        self
    }

    /// An instruction: steps can run it, and emit the event that starts it.
    #[must_use]
    pub fn with_instruction(mut self, instruction: &Instruction) -> Self {
        self.instructions.insert(instruction.id.clone(), instruction.inputs.clone());
        if let Some(Trigger::Event { event, .. }) = &instruction.trigger {
            self.taken.push(event.clone());
        }
        self
    }

    /// The JSON Schema of what the first driver that handles an event takes, if it says so.
    #[must_use]
    pub fn schema(&self, event_type: &str) -> Option<&Value> {
        self.handlers(event_type).find_map(|handled| handled.schema.as_ref()).map(|schema| &schema.value)
    }

    /// What the drivers that handle an event say that they answer with: event types.
    #[must_use]
    pub fn replies(&self, event_type: &str) -> Vec<Name> {
        let mut replies: Vec<Name> = Vec::new();
        for output in self.handlers(event_type).flat_map(|handled| &handled.outputs) {
            if !replies.contains(output) {
                replies.push(output.clone());
            }
        }
        replies
    }

    /// Whether an event's data fit every driver that handles it.
    ///
    /// # Errors
    /// What does not fit, and where.
    pub fn accepts(&self, event_type: &str, data: &Value) -> Result<(), String> {
        for handled in self.handlers(event_type) {
            let Some(Ok(validator)) = handled.schema.as_ref().map(Checker::validator) else { continue };
            if let Err(error) = validator.validate(data) {
                let place = error.instance_path().to_string();
                let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
                return Err(format!(
                    "`{event_type}` does not fit driver `{}`{place}: {error}",
                    handled.driver
                ));
            }
        }
        Ok(())
    }

    /// Whether anybody takes an event.
    #[must_use]
    pub fn handles(&self, event_type: &str) -> bool {
        self.handlers(event_type).next().is_some()
            || self.taken.iter().any(|pattern| pattern.matches(event_type))
    }

    pub(super) fn handlers<'c>(&'c self, event_type: &str) -> impl Iterator<Item = &'c Handled> {
        self.handled.iter().filter(move |handled| handled.pattern.matches(event_type))
    }

    /// The event types that are known by name.
    pub(super) fn types(&self) -> Vec<&str> {
        let patterns = self.handled.iter().map(|handled| &handled.pattern).chain(&self.taken);
        patterns.filter(|pattern| pattern.is_exact()).map(Pattern::as_str).collect()
    }

    /// What can be given to an instruction; `Err` with the ids that there are.
    pub(super) fn inputs(&self, instruction: &str) -> Result<&[Input], Vec<&Name>> {
        let inputs = self.instructions.get(instruction).map(Vec::as_slice);
        inputs.ok_or_else(|| self.instructions.keys().collect())
    }
}

impl Checker {
    fn of(value: &Value) -> Self {
        Self { value: value.clone(), validator: OnceLock::new() }
    }

    /// What checks by it; or why nothing can.
    pub(super) fn validator(&self) -> Result<&Validator, &str> {
        let made = self.validator.get_or_init(|| {
            // Formats are not checked: drivers do not either, and words such as `yesterday` become dates only in a run.
            let options = jsonschema::options().should_validate_formats(false).offline();
            options.build(&self.value).map_err(|error| error.to_string())
        });
        made.as_ref().map_err(String::as_str)
    }
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handled: Vec<&Pattern> = self.handled.iter().map(|handled| &handled.pattern).collect();
        f.debug_struct("Catalogue")
            .field("handled", &handled)
            .field("taken", &self.taken)
            .field("instructions", &self.instructions.keys())
            .finish()
    }
}
