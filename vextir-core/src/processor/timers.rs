//! Retries that wait for their time: each sleeps on the kernel's clock, so that a wall clock that jumps
//! neither hurries nor delays it. Their number is bounded by the backlog: the timer of one that is removed ends.

use super::Kernel;
use super::lane::Lane;
use super::registry::Registered;
use crate::bus::Delivery;
use crate::{FlowKey, Timestamp};
use std::sync::Arc;

impl Kernel {
    /// Looks at a key of flow control again at its time.
    pub(super) fn ring_later(self: &Arc<Self>, driver: &Arc<Registered>, key: FlowKey, at: Timestamp) {
        let (kernel, driver) = (self.clone(), driver.clone());
        let pause = at.since(self.clock.now());
        // Not among the tasks that a shutdown waits for: what waits stays in the tables.
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(async move {
            kernel.clock.sleep(pause).await;
            driver.lane().ring(key, kernel.clock.now().max(at));
            kernel.pump(&driver);
        }));
    }

    /// Keeps a delivery in its driver's queue until it is due. Meanwhile it keeps its ordering key.
    pub(super) fn retry_later(
        self: &Arc<Self>,
        driver: &Arc<Registered>,
        lane: &mut Lane,
        delivery: Delivery,
    ) {
        // A cancel removes from the queue after it has said so here: what is not seen now is found then.
        if self.cancellation.is_tree_cancelled(&delivery.event) {
            return lane.end(&delivery);
        }
        let pause = delivery.due.unwrap_or_default().since(self.clock.now());
        let (position, timer) = (delivery.position, self.stop.child_token());
        lane.sleep(delivery, timer.clone().drop_guard());
        let (kernel, driver) = (self.clone(), driver.clone());
        // Not among the tasks that a shutdown waits for: the retry stays in the tables.
        tokio::spawn(async move {
            if timer.run_until_cancelled(kernel.clock.sleep(pause)).await.is_some() {
                driver.lane().wake(position);
                kernel.pump(&driver);
            }
        });
    }
}
