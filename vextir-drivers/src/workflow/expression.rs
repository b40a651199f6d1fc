//! What stands between braces and in conditions.

mod condition;
mod dates;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod hostile;
mod names;
mod template;

pub use condition::Condition;
pub use template::Template;

use serde_json::{Map, Value};
use std::ops::Range;

/// What templates and conditions can read: `inputs`, `trigger`, each step by its id (`{status, output, error}`), and in a
/// `for_each` the element and its `index`. The name `steps` is taken: `steps['fetch-mails']` is the step of that id.
pub(crate) type Names = Map<String, Value>;

/// What a template or condition reads: `["fetch", "output", "emails"]` for `fetch.output.emails`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Begins with a name of [`Names`]; ends before the first index, and before what is only known at run time.
    pub(crate) path: Vec<String>,
    /// Where the text that reads it stands in the value: keys and indexes from its top.
    pub(crate) within: Vec<String>,
    /// Where in that text, in bytes.
    pub(crate) at: Range<usize>,
}

/// Words that CEL keeps for itself.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Whether templates and conditions can read something of this name as it is. A step whose id is not is read as
/// `steps['id']`; the element of a `for_each` has to be.
pub(crate) fn is_name(name: &str) -> bool {
    const TAKEN: [&str; 17] = [
        "and", "or", "not", "in", "if", "else", "is", "true", "false", "none", "True", "False", "None",
        "null", "self", "loop", "steps",
    ];
    let begins = name.starts_with(|sign: char| sign.is_ascii_alphabetic() || sign == '_');
    let goes_on = name.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'_');
    begins && goes_on && !TAKEN.contains(&name) && !RESERVED.contains(&name)
}

/// A flaw of one text; without help, if that is empty.
fn flaw(at: Range<usize>, message: impl Into<String>, help: &str) -> Flaw {
    let help = (!help.is_empty()).then(|| help.to_owned());
    Flaw { within: Vec::new(), at, message: message.into(), help }
}

/// `fetch-mails` is a subtraction, and never meant as one.
fn hyphen(at: Range<usize>, left: &str, right: &str) -> Flaw {
    let whole = format!("{left}-{right}");
    let help = format!(
        "write steps['{whole}'] for a step and x['{whole}'] for a key; for a subtraction put spaces around the minus"
    );
    flaw(at, format!("`{whole}` reads as a subtraction"), &help)
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
