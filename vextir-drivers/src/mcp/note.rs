//! What is noted durably about a call before it is sent, so that a tool that is not repeatable is not called twice unnoticed.

use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use vextir::{Emitter, Error, ErrorKind, EventId, Name, Result};

/// How many notes are read at once.
const PAGE: usize = 256;
/// What is delivered again after so long is sent again: a note of a call whose causal tree was cancelled is forgotten by nobody
/// else.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The notes of one server's driver.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Option<Emitter>>);

/// The name of a note. What could stand in the way of its end is written as its number, so that no other key lies between a key
/// without its last character and the key.
fn key(user: &Name, call: &EventId) -> String {
    let mut key = String::new();
    for byte in format!("{user}/{call}").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'/' => key.push(byte.into()),
            _ => {
                // Writing to a text does not fail.
                let _ = write!(key, "_{byte:02x}");
            }
        }
    }
    key.push('!');
    key
}

impl Notes {
    /// Takes over what the process before has noted, and forgets what is old.
    pub(super) async fn begin(&self, emitter: Emitter) -> Result<()> {
        let now = emitter.now().as_millis();
        let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
        let mut after = String::new();
        loop {
            let page = emitter.checkpoints(&after, PAGE).await?;
            let is_old = |value: &Value| value["at"].as_i64().is_none_or(|at| now.saturating_sub(at) > kept);
            let old = page
                .iter()
                .filter(|note| is_old(&note.value.as_ref().map(vextir::Data::value).unwrap_or_default()));
            let old: Vec<_> = old.map(|note| (note.key.clone(), None)).collect();
            if !old.is_empty() {
                emitter.emit_all(Vec::new(), old).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after.clone_from(&last.key),
                _ => break,
            }
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(emitter);
        Ok(())
    }

    fn emitter(&self) -> Result<Emitter> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        found.ok_or_else(|| Error::new(ErrorKind::Unavailable, "the driver has not started"))
    }

    /// Whether a call was sent before, or may have been.
    pub(super) async fn has_begun(&self, user: &Name, call: &EventId) -> Result<bool> {
        let key = key(user, call);
        let found = self.emitter()?.checkpoints(key.trim_end_matches('!'), 1).await?;
        Ok(found.first().is_some_and(|note| note.key == key))
    }

    /// Notes that a call is sent now, before the time is over.
    pub(super) async fn note(&self, user: &Name, call: &EventId, until: Instant) -> Result<()> {
        let emitter = self.emitter()?;
        let note = (key(user, call), Some(json!({"at": emitter.now().as_millis()}).into()));
        let late = |_| Error::new(ErrorKind::Unavailable, "that the call begins could not be noted in time");
        tokio::time::timeout_at(until, emitter.emit_all(Vec::new(), vec![note]))
            .await
            .map_err(late)?
            .map(drop)
    }

    /// A call that is over, or was not sent, is no more to be known.
    pub(super) async fn forget(&self, user: &Name, call: &EventId) -> Result<()> {
        self.emitter()?.emit_all(Vec::new(), vec![(key(user, call), None)]).await.map(drop)
    }
}
