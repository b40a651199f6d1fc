//! Counts of flow control over restarts: what began before is remembered, and what does not matter any more forgotten.

use super::Kernel;
use super::registry::Registered;
use crate::bus::transact::flow::{FLOW, prefix_of, window_of};
use crate::bus::{Append, Checkpoint};
use crate::notice::KERNEL;
use crate::{FlowRule, Name, Result};
use std::sync::Arc;

const BATCH: usize = 1_024;

impl Kernel {
    /// Has a driver's queue know what began lately, before anything is handled.
    pub(super) async fn remember_flow(&self, driver: &Registered) -> Result<()> {
        if !driver.flow.iter().any(|rule| matches!(rule.flow.rule(), FlowRule::Throttle(..))) {
            return Ok(());
        }
        let mut after = prefix_of(&driver.id);
        while let Some(page) = self.counts(&prefix_of(&driver.id), &after).await? {
            let mut lane = driver.lane();
            for (key, window) in page.iter().filter_map(|note| window_of(&driver.id, note)) {
                if key.rule.starts_with("throttle@") {
                    lane.remember(key, window);
                }
            }
            drop(lane);
            after = page.last().map(|last| last.key.clone()).unwrap_or_default();
        }
        Ok(())
    }

    /// Every so many deliveries of a driver, old counts are forgotten.
    pub(super) fn note_flow(self: &Arc<Self>, driver: &Registered, deliveries: usize) {
        if !driver.flow.is_empty() && driver.note_flow(deliveries) {
            self.forget_flow();
        }
    }

    /// Forgets the counts that do not matter any more, also those of drivers and rules that are gone.
    pub(super) fn forget_flow(self: &Arc<Self>) {
        let kernel = self.clone();
        self.tasks.spawn(async move {
            if let Err(error) = kernel.forget_counts().await {
                tracing::warn!(%error, "old counts of flow control stay for now");
            }
        });
    }

    async fn forget_counts(&self) -> Result<()> {
        let mut after = FLOW.to_owned();
        while let Some(page) = self.counts(FLOW, &after).await? {
            if self.stop.is_cancelled() {
                return Ok(());
            }
            after = page.last().map(|last| last.key.clone()).unwrap_or_default();
            // What still matters stays: the transaction looks.
            let checkpoints = page.into_iter().map(|note| Checkpoint { value: None, ..note }).collect();
            self.bus.commit(Append { checkpoints, ..Append::default() }.into()).await?;
        }
        Ok(())
    }

    /// Counts after a key, and below a prefix; nothing if there are none.
    async fn counts(&self, prefix: &str, after: &str) -> Result<Option<Vec<Checkpoint>>> {
        let mut page = self.bus.checkpoints(&Name::literal(KERNEL), after, BATCH).await?;
        page.retain(|note| note.key.starts_with(prefix));
        Ok((!page.is_empty()).then_some(page))
    }
}
