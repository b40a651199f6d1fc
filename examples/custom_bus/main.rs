//! Run with `cargo run --example custom_bus`.
//!
//! A durable bus of one's own: `MemoryBus` keeps the state, and every command is written to a journal and synced
//! before it is applied. Opening the journal applies all of it again.
//!
//! Good for tests, for small tools, and for reading what a processor does: the journal is JSON, command after
//! command. Not good for a log that grows: all of it is read at each start and held in memory, and each commit
//! syncs the file by itself, on the thread that asked. `Hub` has none of these limits.

mod journal;

use journal::{JournalBus, failed};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use vextir::prelude::*;
use vextir::testkit::conformance::{self, BusUnderTest};
use vextir::{ErrorKind, EventBus, Result};

/// A bus for the conformance suite, and what can be done with it beside the contract: come back after a kill.
struct Subject {
    bus: Arc<JournalBus>,
    path: PathBuf,
}

impl Subject {
    async fn open(path: PathBuf) -> Result<Self> {
        Ok(Self { bus: Arc::new(JournalBus::open(&path).await?), path })
    }
}

#[vextir::async_trait]
impl BusUnderTest for Subject {
    fn bus(&self) -> Arc<dyn EventBus> {
        self.bus.clone()
    }

    async fn reopen(self) -> Option<Self> {
        drop(self.bus);
        Self::open(self.path).await.ok()
    }
}

struct Press;

#[driver("press")]
impl Press {
    #[on("page.print")]
    async fn print(&self, page: Event) -> Event {
        Event::new("page.printed").with_data(page.data.clone())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir().map_err(failed)?;
    let path = folder.path().join("journal.json");

    let bus: Arc<dyn EventBus> = Arc::new(JournalBus::open(&path).await?);
    let app = Processor::builder(bus).driver(Press).paused().start().await?;
    for number in 1..=3 {
        let page = Event::new("page.print").with_ordering_key("press").with_data(json!({ "page": number }));
        app.emit(page).await?;
    }
    println!("three pages to print, and the program ends here, without a shutdown");
    drop(app);
    // Its loops end when they are next looked at; the journal is closed with the last of them.
    let bus: Arc<dyn EventBus> = loop {
        match JournalBus::open(&path).await {
            Err(error) if error.kind() == ErrorKind::Locked => tokio::task::yield_now().await,
            bus => break Arc::new(bus?),
        }
    };
    let app = Processor::builder(bus).driver(Press).start().await?;
    app.idle().await;
    let mut log = app.subscribe_from("page.printed", Start::Beginning).await?;
    for _ in 0..3 {
        println!("after the restart: {:?}", log.next().await.transpose()?.map(|event| event.data.clone()));
    }
    app.shutdown().await?;

    let count = AtomicUsize::new(0);
    let fresh = async || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        Subject::open(folder.path().join(format!("{number}.json")))
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    };
    match conformance::run(fresh).await {
        Ok(()) => println!("{} properties of the contract hold", conformance::PROPERTIES.len()),
        Err(broken) => panic!("{broken:#?}"),
    }
    Ok(())
}
