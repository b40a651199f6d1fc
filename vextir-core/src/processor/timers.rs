//! Retries that wait for their time: each sleeps on the kernel's clock, so that a wall clock that jumps
//! neither hurries nor delays it. Their number is bounded by the backlog.

use super::Kernel;
use super::registry::Registered;
use crate::bus::Delivery;
use std::sync::Arc;

impl Kernel {
    /// Makes a delivery ready when it is due. Meanwhile it keeps its ordering key.
    pub(super) fn retry_later(self: &Arc<Self>, driver: &Arc<Registered>, delivery: Delivery) {
        let pause = delivery.due.unwrap_or_default().since(self.clock.now());
        let (kernel, driver) = (self.clone(), driver.clone());
        // Not among the tasks that a shutdown waits for: the retry stays in the tables.
        tokio::spawn(async move {
            if kernel.stop.run_until_cancelled(kernel.clock.sleep(pause)).await.is_some() {
                driver.lane().resume(delivery);
                kernel.pump(&driver);
            }
        });
    }
}
