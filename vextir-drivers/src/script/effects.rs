//! What the code asks for while it runs. It does nothing itself: this is carried out when it is over.

use super::value::{inward, outward};
use rhai::{Dynamic, EvalAltResult, Position};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most events, and the most documents that it writes.
const MOST: usize = 100;
/// The most bytes of both.
const MOST_BYTES: usize = 1 << 20;
/// The most lines of its log, and the most bytes of one.
const MOST_LINES: usize = 100;
const LONGEST_LINE: usize = 1_024;

/// The documents that were loaded, by path; nothing where there is none.
pub(super) type Loaded = Arc<BTreeMap<String, Option<Value>>>;

pub(super) type Called<T> = Result<T, Box<EvalAltResult>>;

/// What one run has asked for so far.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) events: Vec<(String, Value)>,
    /// By path, the last value: what is written twice is written once.
    pub(super) writes: BTreeMap<String, Value>,
    pub(super) lines: Vec<String>,
    bytes: usize,
    loaded: Loaded,
    /// The document that is not loaded yet, and without which it cannot go on.
    pub(super) wanted: Option<String>,
}

impl Effects {
    pub(super) fn with(loaded: Loaded) -> Self {
        Self { loaded, ..Self::default() }
    }

    pub(super) fn emit(&mut self, event_type: &str, data: &Dynamic) -> Called<()> {
        vextir::check_type(event_type).map_err(|error| refused(error.message()))?;
        if self.events.len() >= MOST {
            return Err(refused(&format!("a handler emits at most {MOST} events")));
        }
        let data = self.counted(data)?;
        self.events.push((event_type.to_owned(), data));
        Ok(())
    }

    pub(super) fn write(&mut self, path: &str, value: &Dynamic) -> Called<()> {
        let path = cleaned(path);
        if is_of_the_system(&path) {
            return Err(refused(&format!("a handler writes nothing below /System; not {path:?}")));
        }
        if self.writes.len() >= MOST && !self.writes.contains_key(&path) {
            return Err(refused(&format!("a handler writes at most {MOST} documents")));
        }
        let value = self.counted(value)?;
        self.writes.insert(path, value);
        Ok(())
    }

    /// The document, with what the code itself has written.
    pub(super) fn read(&mut self, path: &str) -> Called<Dynamic> {
        let path = cleaned(path);
        if let Some(written) = self.writes.get(&path) {
            return Ok(inward(written));
        }
        match self.loaded.get(&path) {
            Some(found) => Ok(found.as_ref().map_or(Dynamic::UNIT, inward)),
            None => {
                self.wanted = Some(path);
                // It cannot be caught.
                Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into())
            }
        }
    }

    pub(super) fn log(&mut self, text: &str) {
        if self.lines.len() < MOST_LINES {
            self.lines.push(text.chars().take(LONGEST_LINE).collect());
        }
    }

    /// The JSON of a value, if there is room for it.
    fn counted(&mut self, value: &Dynamic) -> Called<Value> {
        let value = outward(value).map_err(|why| refused(&why))?;
        self.bytes += value.to_string().len();
        if self.bytes > MOST_BYTES {
            return Err(refused("a handler emits and writes at most 1 MiB"));
        }
        Ok(value)
    }
}

fn cleaned(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}

/// What is below it says what runs: handlers, instructions, agents. That is true of what others share, too.
fn is_of_the_system(path: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    match segments.next() {
        Some("System") => true,
        Some("Shared") => segments.nth(1) == Some("System"),
        _ => false,
    }
}

fn refused(why: &str) -> Box<EvalAltResult> {
    why.into()
}
