//! What an instruction says, once it was read: the form that is checked and run, whichever way it was written.

use super::expression::{Condition, Template};
use super::read::Places;
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use vextir::{Name, Pattern};

/// A workflow of a user: when it runs, with which inputs, and what it does.
///
#[doc = include_str!("../../docs/instructions.md")]
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Instruction {
    /// Its name for programs: unique for its user. The slug of the name, if it was not said.
    pub id: Name,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// Free text.
    pub version: Option<String>,
    /// When it runs; without a trigger only when it is asked to.
    pub trigger: Option<Trigger>,
    /// What can be given to it.
    pub inputs: Vec<Input>,
    /// What one run may use, where it is not the usual.
    pub limits: Option<vextir::Limits>,
    /// How many runs there are at a time, and how often one begins. Places are those of a run: `inputs.account`,
    /// `trigger.data.id`. A rule without a place counts each user's runs by themselves, unless it says otherwise.
    pub flow: Vec<vextir::Flow>,
    /// Its steps, each after all that it depends on.
    pub steps: Vec<Step>,
    /// SHA-256 of its canonical form, in hex: runs are pinned to it.
    pub hash: String,
    /// Where it stands in its file.
    pub(crate) places: Places,
}

/// What starts a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Trigger {
    /// A time of day.
    Schedule {
        /// Five or six fields.
        cron: String,
        /// A name of the IANA database.
        timezone: String,
    },
    /// An event of the user.
    Event {
        /// Its type, or a pattern of types.
        event: Pattern,
        /// Only where this holds.
        condition: Option<Condition>,
    },
    /// A change of a document of the user, at this path or below it.
    Context {
        /// An absolute path.
        path: String,
    },
}

/// One input.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Input {
    /// Read in templates as `inputs.<name>`.
    pub name: String,
    /// What fits.
    pub kind: InputKind,
    /// Used where none is given; without it the input is required.
    pub default: Option<Value>,
    /// For people.
    pub description: Option<String>,
}

/// What fits into an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputKind {
    /// Text.
    String,
    /// Any number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A list of anything.
    List,
    /// An object.
    Object,
    /// Anything.
    Any,
}

impl InputKind {
    /// All of them.
    pub(crate) const ALL: [Self; 7] =
        [Self::String, Self::Number, Self::Integer, Self::Boolean, Self::List, Self::Object, Self::Any];

    /// As it is written in an instruction.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::List => "list",
            Self::Object => "object",
            Self::Any => "any",
        }
    }

    /// Whether a value fits. Null fits `any` alone.
    #[must_use]
    pub fn fits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Boolean => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
            Self::Any => true,
        }
    }
}

impl fmt::Display for InputKind {
    /// With its article: "a list".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let article = match self {
            Self::Integer | Self::Object => "an ",
            Self::Any => "",
            _ => "a ",
        };
        write!(
            f,
            "{article}{}",
            match self {
                Self::Any => "anything",
                other => other.as_str(),
            }
        )
    }
}

/// One step.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Step {
    /// Unique in its instruction. `n1`, `n2`, .. for steps that were written without.
    pub id: Name,
    /// Its name for people.
    pub name: Option<String>,
    /// What has to be over before it begins: ids of steps.
    pub depends_on: Vec<Name>,
    /// Written in a sequence without ids: what its event lacks comes from the step before it (the first from the
    /// trigger), and without an answer of its own its input is its output.
    pub piped: bool,
    /// It is skipped where this does not hold.
    pub condition: Option<Condition>,
    /// It is done for each element of a list.
    pub for_each: Option<ForEach>,
    /// What happens when it fails.
    pub retry: Option<Retry>,
    /// It has failed when it takes longer.
    pub timeout: Option<Duration>,
    /// What happens when it has failed for good.
    pub on_error: OnError,
    /// What it does.
    pub act: Act,
}

/// Does a step for each element of a list.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ForEach {
    /// The list.
    pub items: Template,
    /// What the element is called in templates; `item` by default. Its place is `index`, from 0.
    pub name: String,
    /// How many at a time, 1 to 1,000; 10 by default.
    pub parallel: u32,
}

/// Tries a failed step again.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Retry {
    /// How often it is tried in all, 1 to 100.
    pub attempts: u32,
    /// The wait before the second try.
    pub delay: Duration,
    /// Each further wait is longer by this factor, 1 to 10; no wait is longer than a day.
    pub factor: f64,
}

/// What happens when a step has failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnError {
    /// The run fails; what is at work ends, nothing new begins.
    #[default]
    Fail,
    /// The run goes on; the step's output is null.
    Continue,
    /// This step is done, and then the run fails. It runs for nothing else.
    Compensate(Name),
}

/// What a step does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Act {
    /// Emits an event; its answer in the causal tree is the output.
    Emit {
        /// Its type.
        event_type: Name,
        /// Its data: templates with a value around them.
        data: Template,
    },
    /// Waits for an event of the user; its data is the output.
    WaitFor {
        /// Its type, or a pattern of types.
        event: Pattern,
        /// Only one for which this holds; it reads the event as `event`.
        condition: Option<Condition>,
        /// Takes one that came since the run began, too.
        look_back: bool,
    },
    /// Runs another instruction; its output is the output.
    Run {
        /// Its id.
        instruction: Name,
        /// An object of its inputs.
        inputs: Template,
    },
    /// Waits until a person approves or rejects. A rejection is a failure of the step.
    Approve {
        /// What is asked: text.
        message: Template,
    },
}
