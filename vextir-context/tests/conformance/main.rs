//! The hub keeps every promise of the bus contract and of the store contract, in a file and in memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken;

use std::sync::Arc;
use tempfile::TempDir;
use vextir_context::{Hub, HubBuilder};
use vextir_core::testkit::conformance::BusUnderTest;
use vextir_core::testkit::stores::StoreUnderTest;
use vextir_core::{ContextStore, EventBus, testkit};

fn open(builder: HubBuilder) -> Hub {
    builder.open().unwrap_or_else(|error| panic!("{error}"))
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"))
}

/// A hub, and the folder that its file is in; none for one in memory.
struct Kept {
    hub: Hub,
    folder: Option<TempDir>,
}

impl Kept {
    fn file() -> Self {
        Self::open(folder(), |builder| builder)
    }

    fn memory() -> Self {
        Self { hub: open(HubBuilder::in_memory()), folder: None }
    }

    fn open(folder: TempDir, choose: impl FnOnce(HubBuilder) -> HubBuilder) -> Self {
        let hub = open(choose(Hub::builder(folder.path().join("hub.db"))));
        Self { hub, folder: Some(folder) }
    }

    fn like(&self, choose: impl FnOnce(HubBuilder) -> HubBuilder) -> Self {
        match self.folder {
            Some(_) => Self::open(folder(), choose),
            None => Self { hub: open(choose(HubBuilder::in_memory())), folder: None },
        }
    }
}

#[vextir_core::async_trait]
impl BusUnderTest for Kept {
    fn bus(&self) -> Arc<dyn EventBus> {
        Arc::new(self.hub.clone())
    }

    /// With the last handle the threads end and the file is let go; nobody has detached.
    async fn reopen(self) -> Option<Self> {
        let folder = self.folder?;
        drop(self.hub);
        Some(Self::open(folder, |builder| builder))
    }

    async fn with_backlog(&self, backlog: usize) -> Option<Self> {
        Some(self.like(|builder| builder.backlog(backlog)))
    }

    async fn forgetful(&self) -> Option<Self> {
        Some(self.like(|builder| builder.keep_bytes(1024 * 1024)))
    }
}

#[vextir_core::async_trait]
impl StoreUnderTest for Kept {
    fn store(&self) -> Arc<dyn ContextStore> {
        Arc::new(self.hub.clone())
    }

    async fn reopen(self) -> Option<Self> {
        BusUnderTest::reopen(self).await
    }

    async fn another(&self) -> Option<Self> {
        Some(self.like(|builder| builder))
    }

    async fn add_member(&self, group: &str, user: &str) -> bool {
        self.hub.add_member(group, user).await.is_ok()
    }
}

mod file {
    vextir_core::testkit::bus_conformance!(|| async { crate::Kept::file() });
}

mod memory {
    vextir_core::testkit::bus_conformance!(|| async { crate::Kept::memory() });
}

#[tokio::test]
async fn a_hub_passes_by_its_handle_too() {
    if let Err(broken) = testkit::conformance::run(|| async { Hub::in_memory().unwrap() }).await {
        panic!("{broken:#?}");
    }
}

mod file_store {
    vextir_core::testkit::store_conformance!(|| async { crate::Kept::file() });
}

mod memory_store {
    vextir_core::testkit::store_conformance!(|| async { crate::Kept::memory() });
}

#[tokio::test]
async fn a_hub_passes_as_a_store_by_its_handle_too() {
    if let Err(broken) = testkit::stores::run(|| async { Hub::in_memory().unwrap() }).await {
        panic!("{broken:#?}");
    }
}
