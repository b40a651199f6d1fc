//! Deliveries whose driver is not registered: set aside, where they hold up nobody, until it is registered
//! again or the operator discards them.

use super::{Kernel, Processor};
use crate::bus::{Command, Delivery, Position};
use crate::{Decision, Name, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many are moved in one commit.
const BATCH: usize = 256;

impl Processor {
    /// Deliveries that wait for drivers that are not registered, counted by driver. They neither fill the
    /// backlog nor keep [`Processor::idle`] waiting; in their trees they count as waiting. They run when the
    /// driver is registered again. As many may wait as the backlog limit of the bus says; more become dead
    /// letters.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn unclaimed(&self) -> Result<BTreeMap<Name, usize>> {
        self.kernel.bus.unclaimed().await
    }

    /// Forgets what waits for a driver that is not registered, and notes each in the audit. Says how many.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn discard_unclaimed(&self, driver: impl Into<Name>) -> Result<usize> {
        let (driver, bus) = (driver.into(), &self.kernel.bus);
        let decision = Decision::new(Name::literal("operator"), format!("driver {driver} is gone"));
        let (mut after, mut discarded) = (0, 0);
        loop {
            let page = bus.unclaimed_of(&driver, after, BATCH).await?;
            let Some(last) = page.last() else { return Ok(discarded) };
            after = last.position;
            let positions = page.iter().map(|delivery| delivery.position).collect();
            let discard = Command::Discard { positions, decision: decision.clone() };
            discarded += bus.commit(discard).await?.taken.len();
        }
    }
}

impl Kernel {
    /// Sets deliveries aside whose drivers are not registered.
    pub(super) async fn unclaim(&self, deliveries: Vec<(Name, Position)>) -> Result<()> {
        let mut counted: BTreeMap<&Name, usize> = BTreeMap::new();
        for (driver, _) in &deliveries {
            *counted.entry(driver).or_default() += 1;
        }
        for (driver, count) in counted {
            tracing::warn!(%driver, count, "deliveries wait for a driver that is not registered");
        }
        for some in deliveries.chunks(BATCH) {
            let positions = some.iter().map(|(_, position)| *position).collect();
            self.bus.commit(Command::Unclaim(positions)).await?;
        }
        Ok(())
    }

    /// Sets fresh deliveries aside, unless their driver comes meanwhile.
    pub(super) fn unclaim_fresh(self: &Arc<Self>, deliveries: &[Delivery]) {
        let deliveries: Vec<_> =
            deliveries.iter().map(|delivery| (delivery.driver.clone(), delivery.position)).collect();
        let kernel = self.clone();
        // Not in the loop that receives: a driver that is being registered may wait for it.
        self.tasks.spawn(async move {
            let _one_at_a_time = kernel.registering.lock().await;
            let routes = kernel.routes();
            // The queue of one that came meanwhile has read the tables since, and these with them.
            let gone = deliveries.into_iter().filter(|(driver, _)| routes.driver(driver).is_none());
            if let Err(error) = kernel.unclaim(gone.collect()).await {
                tracing::error!(%error, "deliveries for a driver that is not registered stay in the backlog");
            }
        });
    }

    /// Opens what waits for a driver that is being registered. Before its queue first reads the tables.
    pub(super) async fn claim(&self, driver: &Name) -> Result<()> {
        loop {
            let page = self.bus.unclaimed_of(driver, 0, BATCH).await?;
            if page.is_empty() {
                return Ok(());
            }
            let positions = page.iter().map(|delivery| delivery.position).collect();
            self.bus.commit(Command::Claim(positions)).await?;
        }
    }
}
