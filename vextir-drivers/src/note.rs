//! What a driver notes durably about a task before it does what must not be done twice unnoticed.

use sha2::{Digest, Sha256};
use std::sync::{Mutex, PoisonError};
use vextir::{Data, Emitter, Error, ErrorKind, EventId, Name, Result};

/// How many notes are read at once.
const PAGE: usize = 256;

/// The notes of one driver, by user and task.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<Option<Emitter>>);

/// What a task is called: as its event, if that has a name that fits.
pub(crate) fn task_of(id: &EventId) -> String {
    let text = id.to_string();
    let is_plain = text.len() <= 64 && text.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '-');
    if is_plain {
        return text;
    }
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn key(user: &Name, task: &str) -> String {
    format!("{task}/{user}")
}

impl Notes {
    /// Takes over from the process before: each note that it left is seen once.
    pub(crate) async fn begin(&self, emitter: Emitter, sees: impl Fn(Option<&Data>) + Send) -> Result<()> {
        let mut after = String::new();
        loop {
            let page = emitter.checkpoints(&after, PAGE).await?;
            for note in &page {
                after.clone_from(&note.key);
                sees(note.value.as_ref());
            }
            if page.len() < PAGE {
                break;
            }
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(emitter);
        Ok(())
    }

    fn emitter(&self) -> Result<Emitter> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        found.ok_or_else(|| Error::new(ErrorKind::Unavailable, "the driver has not started"))
    }

    /// Whether the task has begun before.
    pub(crate) async fn has_begun(&self, user: &Name, task: &str) -> Result<bool> {
        let (key, emitter) = (key(user, task), self.emitter()?);
        // No task's name has a full stop in it, which sorts behind `-` and before `/`: notes of tasks whose names begin alike are
        // passed over.
        let mut after = format!("{task}.");
        loop {
            let page = emitter.checkpoints(&after, PAGE).await?;
            if let Some(note) = page.iter().find(|note| note.key >= key) {
                return Ok(note.key == key);
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after.clone_from(&last.key),
                _ => return Ok(false),
            }
        }
    }

    /// Notes that it begins.
    pub(crate) async fn note(&self, user: &Name, task: &str, value: Data) -> Result<()> {
        let note = (key(user, task), Some(value));
        self.emitter()?.emit_all(Vec::new(), vec![note]).await.map(drop)
    }

    /// What has ended is told, and no more to be known.
    pub(crate) async fn forget(&self, user: &Name, task: &str) -> Result<()> {
        self.emitter()?.emit_all(Vec::new(), vec![(key(user, task), None)]).await.map(drop)
    }
}
