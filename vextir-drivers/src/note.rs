//! What is noted durably about a command before it runs, so that it is not run twice unnoticed.

use super::group::{Group, birth};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use vextir::{Emitter, Error, ErrorKind, Name, Result};

/// How many notes are read at once.
const PAGE: usize = 256;

/// The notes of this driver.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Option<Emitter>>);

fn key(user: &Name, task: &str) -> String {
    format!("{task}/{user}")
}

impl Notes {
    /// Takes over from the process before, and kills what it left running.
    pub(super) async fn begin(&self, emitter: Emitter) -> Result<()> {
        let mut after = String::new();
        loop {
            let page = emitter.checkpoints(&after, PAGE).await?;
            for note in &page {
                after.clone_from(&note.key);
                end_orphan(&note.value.as_ref().map(vextir::Data::value).unwrap_or_default());
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
    pub(super) async fn has_begun(&self, user: &Name, task: &str) -> Result<bool> {
        let key = key(user, task);
        // The first one after the task's own name.
        let found = self.emitter()?.checkpoints(task, 8).await?;
        Ok(found.iter().any(|note| note.key == key))
    }

    /// Notes that it begins, and then which process it is.
    pub(super) async fn note(&self, user: &Name, task: &str, pid: Option<u32>) -> Result<()> {
        let value = json!({"pid": pid, "birth": pid.and_then(birth)});
        let note = (key(user, task), Some(value.into()));
        self.emitter()?.emit_all(Vec::new(), vec![note]).await.map(drop)
    }

    /// What has ended is told, and no more to be known.
    pub(super) async fn forget(&self, user: &Name, task: &str) -> Result<()> {
        self.emitter()?.emit_all(Vec::new(), vec![(key(user, task), None)]).await.map(drop)
    }
}

/// Kills the group of a process that is still the one that was noted.
fn end_orphan(note: &Value) {
    let pid = note["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    if let (Some(pid), Some(born)) = (pid, note["birth"].as_u64())
        && birth(pid) == Some(born)
    {
        drop(Group::led_by(Some(pid)));
    }
}
