//! Files in YAML: values with their places, maps whose keys are known, and what is wrong with them and where. What they mean is
//! for those who read them: instructions, agents, models and tools.

mod fault;
pub(crate) mod form;
mod node;
mod plain;
mod text;
pub(crate) mod word;

pub use fault::{Fault, Faults};
pub(crate) use fault::{Found, Source};
pub(crate) use form::Form;
pub(crate) use node::{Entry, Kind, Node, Plain, Shown};

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The largest file, in bytes.
const LARGEST: usize = 1 << 20;

/// What a file holds, in words: `an instruction`, and how to write the smallest one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct What {
    pub(crate) name: &'static str,
    pub(crate) example: &'static str,
}

/// Reads a text and makes something of it.
///
/// # Errors
/// All that is wrong with it, each with its place.
pub(crate) fn read<T>(
    file_name: &str,
    text: &str,
    what: What,
    make: impl FnOnce(&Node, &Source, &mut Found) -> Option<T>,
) -> Result<T, Faults> {
    if text.len() > LARGEST {
        let message = format!("{} bytes are too many for {}; at most {LARGEST}", text.len(), what.name);
        return Err(Faults::of_file(file_name, message, None));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source { file: file_name.into(), text: text.into() };
    let mut found = Found::default();
    let made = text::read(text, what, &mut found).and_then(|root| make(&root, &source, &mut found));
    found.into_result(&source)?;
    made.ok_or_else(|| {
        let message = format!("this is no {}", what.name.trim_start_matches("an ").trim_start_matches("a "));
        Faults::of_file(file_name, message, Some(what.example.to_owned()))
    })
}

/// The text of a file. It waits for the disk.
///
/// # Errors
/// Why it cannot be read: not there, too large, not UTF-8.
pub(crate) fn load(path: &Path, what: What) -> Result<String, Faults> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    // One byte more than may be shows that there are too many.
    let read = File::open(path).and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(Faults::of_file(&name, format!("the file cannot be read: {error}"), None));
    }
    if bytes.len() > LARGEST {
        let message = format!("the file is too large for {}; at most {LARGEST} bytes", what.name);
        return Err(Faults::of_file(&name, message, None));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let source = Source { file: name.into(), text: text.into() };
        let mut found = Found::default();
        found.with_help(at..at + 1, "this is not UTF-8", "save the file as UTF-8");
        found.into_faults(&source)
    })
}
