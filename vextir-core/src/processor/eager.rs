//! Eager drivers: quick, without outside effects, run before the commit of their event and settled in the
//! same transaction.

use super::Kernel;
use super::handle::Attempt;
use super::route::RouteTable;
use super::settle::step;
use crate::bus::{Delivery, Entry, Outcome, Place, Settlement};
use std::sync::Arc;
use tracing::Instrument;

impl Kernel {
    /// Runs the eager handlers of events that have no others. What is not ready at once, or fails, goes the
    /// normal way.
    pub(super) async fn run_eager(self: &Arc<Self>, routes: &RouteTable, entries: &mut [Entry]) {
        for entry in entries {
            let Place::Routed(deliveries) = &entry.place else { continue };
            if deliveries.is_empty() || entry.event.ordering_key.is_some() || self.is_held_back() {
                continue;
            }
            let drivers: Option<Vec<_>> = deliveries
                .iter()
                .map(|new| routes.driver(&new.driver).filter(|driver| driver.manifest.eager))
                .collect();
            let Some(drivers) = drivers else { continue };
            let mut settled = Vec::with_capacity(drivers.len());
            for (driver, new) in drivers.into_iter().zip(deliveries) {
                if !driver.lane().take_slot() {
                    break;
                }
                let delivery = Delivery {
                    logged_at: self.clock.now(),
                    obligations: new.obligations.clone(),
                    reserve: new.reserve.clone(),
                    ..Delivery::new(driver.id.clone(), entry.event.clone())
                };
                let attempt = self.attempt_at_once(driver, &delivery).await;
                driver.lane().give_slot();
                self.pump(driver);
                let Some(attempt) = attempt else { break };
                let settlement =
                    self.eager_settlement(routes, &delivery, attempt).instrument(step(&delivery));
                let Some(settlement) = settlement.await else { break };
                settled.push(settlement);
            }
            entry.eager = settled;
        }
    }

    async fn eager_settlement(
        self: &Arc<Self>,
        routes: &RouteTable,
        delivery: &Delivery,
        attempt: Attempt,
    ) -> Option<Settlement> {
        let Attempt { result, effects } = attempt;
        if !effects.changes.is_empty() {
            // Documents are merged outside of the writer, when the delivery is settled the normal way.
            return None;
        }
        let done = self.outputs(routes, delivery, result.ok()?, effects.outputs).await.ok()?;
        if done.entries.iter().any(|entry| !entry.minted || matches!(entry.place, Place::Parked(..))) {
            // An id of its own may be stored already, and what waits may have no room: that is looked up when it is
            // settled the normal way.
            return None;
        }
        let done = self.find_room(done).await.ok()?;
        let outcome = Outcome::Done { outputs: done.entries, changes: Vec::new() };
        let mut settlement = Settlement::of(delivery, outcome);
        settlement.usage = effects.usage;
        settlement.withdrawn = effects.withdrawn;
        settlement.audit = done.audit;
        Some(settlement)
    }
}
