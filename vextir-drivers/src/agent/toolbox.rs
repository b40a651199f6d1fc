//! The tools of an agent: what the drivers of the processor can do, under names that models take.

mod offer;
mod scope;
mod search;

pub(super) use offer::{Toolbox, is_inner, offered};
pub(super) use scope::out_of_scope;
pub(super) use search::{SEARCH, found, search_tool};

use super::{ToolCall, ToolSpec};
use jsonschema::Validator;
use serde_json::Value;
use std::fmt;
use std::sync::{Arc, OnceLock};
use vextir::Name;

/// From so many tools on, the model is given a search for tools instead of all of them.
pub(super) const MANY: usize = 20;

/// One tool: an event that a driver handles.
pub(super) struct Tool {
    pub(super) spec: ToolSpec,
    pub(super) event_type: Name,
    /// It acts outside, so that what it fails with may come from there.
    pub(super) outside: bool,
    /// It says that it answers.
    pub(super) answers: bool,
    validator: OnceLock<Option<Validator>>,
}

impl Tool {
    pub(super) fn new(spec: ToolSpec, event_type: Name, outside: bool, answers: bool) -> Arc<Self> {
        Arc::new(Self { spec, event_type, outside, answers, validator: OnceLock::new() })
    }

    /// Whether it can be called with these arguments.
    ///
    /// # Errors
    /// What does not fit, in words for the model.
    pub(super) fn accepts(&self, call: &ToolCall) -> Result<(), String> {
        let name = &self.spec.name;
        let fault = match &call.arguments {
            Value::Object(_) => self.misfit(&call.arguments),
            Value::String(_) => Some("the arguments are no JSON".to_owned()),
            _ => Some("the arguments are no JSON object".to_owned()),
        };
        match fault {
            None => Ok(()),
            Some(fault) => {
                Err(format!("`{name}` was not called: {fault}. Its schema is {}", self.spec.schema))
            }
        }
    }

    fn misfit(&self, arguments: &Value) -> Option<String> {
        let options = || jsonschema::options().should_validate_formats(false).offline();
        // A driver whose schema is none checks for itself.
        let validator = self.validator.get_or_init(|| options().build(&self.spec.schema).ok()).as_ref()?;
        let faults: Vec<String> = validator
            .iter_errors(arguments)
            .take(5)
            .map(|fault| {
                let place = fault.instance_path().to_string();
                if place.is_empty() { fault.to_string() } else { format!("at {place}: {fault}") }
            })
            .collect();
        (!faults.is_empty()).then(|| faults.join("; "))
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool")
            .field("spec", &self.spec)
            .field("event_type", &self.event_type)
            .finish_non_exhaustive()
    }
}
