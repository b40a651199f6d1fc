//! Counts of flow control over restarts: what began before is remembered, and what does not matter any more forgotten.

use super::Kernel;
use super::registry::Registered;
use crate::bus::transact::flow::{prefix_of, window_of};
use crate::bus::{Append, Checkpoint};
use crate::notice::KERNEL;
use crate::{Name, Result};
use std::sync::Arc;

const BATCH: usize = 1_024;

impl Kernel {
    /// Has a driver's queue know what began lately, before anything is handled.
    pub(super) async fn remember_flow(&self, driver: &Registered) -> Result<()> {
        if driver.flow.is_empty() {
            return Ok(());
        }
        let mut after = prefix_of(&driver.id);
        while let Some(page) = self.counts_of(driver, &after).await? {
            let mut lane = driver.lane();
            for (key, window) in page.iter().filter_map(|note| window_of(&driver.id, note)) {
                lane.remember(key, window);
            }
            drop(lane);
            after = page.last().map(|last| last.key.clone()).unwrap_or_default();
        }
        Ok(())
    }

    /// Every so many deliveries of a driver, old counts are forgotten.
    pub(super) fn note_flow(self: &Arc<Self>, driver: &Registered, deliveries: usize) {
        if driver.flow.is_empty() || !driver.note_flow(deliveries) {
            return;
        }
        let kernel = self.clone();
        self.tasks.spawn(async move {
            if let Err(error) = kernel.forget_flow().await {
                tracing::warn!(%error, "old counts of flow control stay for now");
            }
        });
    }

    /// Forgets the counts of all drivers that do not matter any more.
    pub(super) async fn forget_flow(&self) -> Result<()> {
        for driver in self.routes().drivers().iter().filter(|driver| !driver.flow.is_empty()) {
            let mut after = prefix_of(&driver.id);
            while let Some(page) = self.counts_of(driver, &after).await? {
                after = page.last().map(|last| last.key.clone()).unwrap_or_default();
                // What still matters stays: the transaction looks.
                let checkpoints = page.into_iter().map(|note| Checkpoint { value: None, ..note }).collect();
                self.bus.commit(Append { checkpoints, ..Append::default() }.into()).await?;
            }
        }
        Ok(())
    }

    /// A driver's counts after a key; nothing if there are none.
    async fn counts_of(&self, driver: &Registered, after: &str) -> Result<Option<Vec<Checkpoint>>> {
        let mut page = self.bus.checkpoints(&Name::literal(KERNEL), after, BATCH).await?;
        let prefix = prefix_of(&driver.id);
        page.retain(|note| note.key.starts_with(&prefix));
        Ok((!page.is_empty()).then_some(page))
    }
}
