//! Attempts that come again: after a crash, and when the end could not be committed.

use crate::{script, shell};
use async_trait::async_trait;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use vextir_core::{
    Ctx, Driver, Emitter, Event, HandlerResult, Manifest, MemoryBus, Payload, Processor, Result,
};
use vextir_drivers::command::{CommandDriver, CommandFinished, CommandRun};

/// What the first answers is lost; the second is the same, or a process that comes after it.
struct Again(Arc<CommandDriver>, Arc<CommandDriver>);

#[async_trait]
impl Driver for Again {
    fn manifest(&self) -> Manifest {
        self.0.manifest()
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        if event.event_type == CommandRun::TYPE {
            self.0.handle_event(event.clone(), cx).await?;
        }
        self.1.handle_event(event, cx).await
    }

    async fn start(&self, emitter: Emitter) -> Result<()> {
        // Notes of others, whose names begin as the one of the task does.
        let note = |number: u32| (format!("task-{number:04}/ann"), Some(json!({}).into()));
        emitter.emit_all(Vec::new(), (0..300).map(note).collect()).await?;
        self.0.start(emitter.clone()).await?;
        self.1.start(emitter).await
    }
}

async fn runs(driver: Again, file: &Path) -> (CommandFinished, usize) {
    let app = Processor::builder(MemoryBus::new()).driver(driver).start().await.unwrap();
    let ask = Event::of(&script(&format!("echo once >> {}; echo said", file.display()))).unwrap();
    let done = app.as_user("ann").request(ask.with_id("task".parse().unwrap())).await.unwrap();
    (done, std::fs::read_to_string(file).unwrap().lines().count())
}

#[tokio::test]
async fn an_end_that_was_not_committed_is_told_again() {
    let folder = tempfile::tempdir().unwrap();
    let driver = Arc::new(shell());
    let (done, runs) = runs(Again(driver.clone(), driver), &folder.path().join("file")).await;
    assert_eq!((done.lost, done.code, done.stdout.as_str(), runs), (false, Some(0), "said\n", 1));
}

#[tokio::test]
async fn what_another_process_has_begun_is_found_among_the_notes_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let (done, runs) = runs(Again(Arc::new(shell()), Arc::new(shell())), &folder.path().join("file")).await;
    assert_eq!((done.lost, done.code, runs), (true, None, 1));
}
