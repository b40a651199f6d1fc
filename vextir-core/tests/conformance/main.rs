//! The bus in memory keeps every promise of its contract.
#![cfg(feature = "testkit")]

extern crate vextir_core as vextir;

use std::sync::Arc;
use vextir::testkit::conformance::BusUnderTest;
use vextir::{BusLimits, EventBus, MemoryBus, SystemClock};

mod broken;

fn forgetting(keep: usize) -> MemoryBus {
    MemoryBus::with_limits(BusLimits::default(), keep, Arc::new(SystemClock))
}

/// A memory bus that can also be killed, be small, and forget.
struct Memory(MemoryBus);

#[vextir::async_trait]
impl BusUnderTest for Memory {
    fn bus(&self) -> Arc<dyn EventBus> {
        self.0.bus()
    }

    async fn reopen(self) -> Option<Self> {
        self.0.abandon();
        Some(self)
    }

    async fn with_backlog(&self, backlog: usize) -> Option<Self> {
        let limits = BusLimits::default().with_backlog(backlog);
        Some(Self(MemoryBus::with_limits(limits, 1_000, Arc::new(SystemClock))))
    }

    async fn forgetful(&self) -> Option<Self> {
        Some(Self(forgetting(100)))
    }
}

vextir::testkit::bus_conformance!(|| async { Memory(MemoryBus::new()) });

mod by_handle {
    use vextir::MemoryBus;
    vextir::testkit::bus_conformance!(|| async { MemoryBus::new() });
}
