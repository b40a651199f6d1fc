//! A stand-in for the processor: keeps events and checkpoints, and fails when told to.

use crate::files::finding::Note;
use crate::files::record::Record;
use crate::files::sink::{BATCH, Sink};
use async_trait::async_trait;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use vextir::{Data, Error, ErrorKind, Event, Result};

#[derive(Default)]
pub(in crate::files) struct Fake(Mutex<State>);

#[derive(Default)]
pub(in crate::files) struct State {
    pub(in crate::files) events: Vec<Event>,
    pub(in crate::files) checkpoints: BTreeMap<String, Data>,
    /// How the next commits fail.
    pub(in crate::files) failures: VecDeque<ErrorKind>,
    /// Events whose payload holds this text are refused.
    pub(in crate::files) refused: Option<String>,
    /// Commits that succeed before everything is closed.
    pub(in crate::files) crash_after: Option<usize>,
}

impl Fake {
    pub(in crate::files) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(in crate::files) fn remember(&self, key: &str, record: &Record) {
        self.state().checkpoints.insert(key.into(), record.to_data().unwrap());
    }

    /// What was said since the last call: event type and path, and for a move where from.
    pub(in crate::files) fn said(&self) -> Vec<String> {
        let events = std::mem::take(&mut self.state().events);
        let line = |event: &Event| {
            let data = event.data.value();
            let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
            let from = if data["from"].is_string() { format!("{} -> ", text("from")) } else { String::new() };
            format!("{} {from}{}", event.event_type, text("path"))
        };
        events.iter().map(line).collect()
    }
}

#[async_trait]
impl Sink for Fake {
    async fn commit(&self, events: Vec<Event>, notes: Vec<Note>) -> Result<()> {
        let mut state = self.state();
        if let Some(kind) = state.failures.pop_front() {
            return Err(Error::new(kind, "as told"));
        }
        if let Some(left) = &mut state.crash_after {
            *left = left.checked_sub(1).ok_or_else(|| Error::new(ErrorKind::Closed, "crashed"))?;
        }
        if let Some(text) = &state.refused
            && events.iter().any(|event| event.data.as_json().contains(text.as_str()))
        {
            return Err(Error::new(ErrorKind::Denied, "as told"));
        }
        assert!(events.len() <= BATCH, "{} events in one commit", events.len());
        state.events.extend(events);
        for (key, value) in notes {
            match value {
                Some(value) => state.checkpoints.insert(key, value),
                None => state.checkpoints.remove(&key),
            };
        }
        Ok(())
    }

    async fn known(&self, after: &str, limit: usize) -> Result<Vec<Note>> {
        let range = (Bound::Excluded(after.to_owned()), Bound::Unbounded);
        let state = self.state();
        let found = state.checkpoints.range(range).take(limit);
        Ok(found.map(|(key, value)| (key.clone(), Some(value.clone()))).collect())
    }

    async fn sleep(&self, _span: Duration) {
        tokio::task::yield_now().await;
    }

    async fn stopped(&self) {
        std::future::pending().await
    }

    fn is_stopped(&self) -> bool {
        false
    }
}
