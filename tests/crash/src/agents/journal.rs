//! What was asked outside, on a page of its own: each call is noted, and synced, before its answer exists. Whenever the program
//! starts, it first notes the answers that its file holds.

use crate::Result;
use crate::promise::Promises;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vextir_context::Hub;
use vextir_core::{Event, EventBus, EventFilter};

/// What is asked twice although its first answer is safe.
pub const AGAIN: &str = "no call whose answer was committed is made again";
/// What is asked twice although nothing was killed in between.
pub const IN_VAIN: &str = "a call is made once between two kills";

/// How its lines begin.
const CALL: &str = "call ";
const COMMITTED: &str = "committed ";
const LIFE: &str = "life ";

/// The journal of a hub's file.
#[derive(Debug, Clone)]
pub struct Journal(Arc<File>);

/// Where the journal of a hub's file is.
pub fn beside(file: &Path) -> PathBuf {
    file.with_extension("calls")
}

impl Journal {
    /// Opens it at its end.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(file: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(File::options().create(true).append(true).open(beside(file))?)))
    }

    /// Notes a call that is made.
    ///
    /// # Errors
    /// The disk failed.
    pub fn called(&self, key: &str) -> io::Result<()> {
        self.note(&format!("{CALL}{key}\n"))
    }

    /// Notes that the program begins to live, and first of which calls the file has the answer.
    ///
    /// # Errors
    /// The file or the journal fails.
    pub async fn begin(&self, hub: &Hub, file: &Path) -> Result<()> {
        let noted = std::fs::read_to_string(beside(file))?;
        let last = noted.lines().rev().find_map(|line| line.strip_prefix(LIFE));
        let (mut after, mut lines) = (last.map_or(Ok(0), str::parse)?, String::new());
        let answers: EventFilter = ["model.completed", "math.sum"].try_into()?;
        loop {
            let page = hub.read(after, &answers, 10_000).await?;
            for key in page.events.iter().filter_map(|logged| answered(&logged.event)) {
                lines.push_str(&format!("{COMMITTED}{key}\n"));
            }
            after = page.next;
            if page.at_head {
                break;
            }
        }
        Ok(self.note(&format!("{lines}{LIFE}{after}\n"))?)
    }

    /// One write for it all: a kill cannot tear it.
    fn note(&self, lines: &str) -> io::Result<()> {
        (&*self.0).write_all(lines.as_bytes())?;
        self.0.sync_data()
    }
}

/// Which call an event is the answer to.
pub fn answered(event: &Event) -> Option<String> {
    let data = event.data.value();
    match event.event_type.as_str() {
        "model.completed" => Some(data["reply"]["model"].as_str()?.to_owned()),
        "math.sum" => Some(data["of"].as_str()?.to_owned()),
        _ => None,
    }
}

/// What a journal says.
#[derive(Debug, Default)]
pub struct Calls {
    /// How often each was made.
    pub made: HashMap<String, usize>,
    /// How often the program began to live.
    pub lives: usize,
}

impl Calls {
    /// Reads a journal, line by line as it was written.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &Path, promises: &mut Promises) -> Result<Self> {
        let mut calls = Self::default();
        let mut last: HashMap<String, usize> = HashMap::new();
        let mut committed: HashMap<String, usize> = HashMap::new();
        for line in std::fs::read_to_string(path)?.lines() {
            if let Some(key) = line.strip_prefix(CALL) {
                *calls.made.entry(key.to_owned()).or_default() += 1;
                if let Some(since) = committed.get(key) {
                    let case =
                        format_args!("{key}: committed before life {}, called in {}", since + 1, calls.lives);
                    promises.violation(AGAIN, case);
                }
                let before = last.insert(key.to_owned(), calls.lives);
                promises.expect(
                    before != Some(calls.lives),
                    IN_VAIN,
                    format_args!("{key} in life {}", calls.lives),
                );
            } else if let Some(key) = line.strip_prefix(COMMITTED) {
                let twice = committed.insert(key.to_owned(), calls.lives);
                promises.expect(twice.is_none(), "a call is answered once", key);
            } else if line.starts_with(LIFE) {
                calls.lives += 1;
            }
        }
        Ok(calls)
    }

    /// How many calls were made, of those whose name begins so.
    pub fn count(&self, kind: &str) -> usize {
        self.made.iter().filter(|(key, _)| key.starts_with(kind)).map(|(_, count)| count).sum()
    }

    /// How many were made again, because a kill came before their answer was safe.
    pub fn again(&self) -> usize {
        self.made.values().map(|count| count - 1).sum()
    }
}
