//! The orderly stop: nothing new is taken, what runs may finish, the bus is left clean.

use super::held::ended;
use super::registry::Registered;
use super::{Kernel, Processor};
use crate::{Error, ErrorKind, Result};
use futures::future::join_all;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long running handlers may take to finish.
const DRAIN: Duration = Duration::from_secs(10);
/// How long handlers have after they were told to stop, and how long drivers have at least.
pub(super) const GRACE: Duration = Duration::from_secs(1);

impl Processor {
    /// Stops in order: takes no more events, lets running handlers finish, stops the drivers, all at once, and
    /// leaves the bus. Ten seconds at most for all of it, but a second at least for handlers that were told to
    /// stop, and for the drivers. On a durable bus what is queued stays for the next start; on one that is not
    /// durable it is worked off within the same limit. Who gives up waiting leaves the bus with the last handle,
    /// as if the process had died.
    ///
    /// # Errors
    /// `Timeout`: handlers were still running at the limit; their deliveries are repeated at the next start. What
    /// the bus says when it cannot be left in order.
    pub async fn shutdown(self) -> Result<()> {
        self.shutdown_within(DRAIN).await
    }

    /// As [`Processor::shutdown`], with a limit of your own.
    ///
    /// # Errors
    /// As [`Processor::shutdown`].
    pub async fn shutdown_within(self, limit: Duration) -> Result<()> {
        let kernel = &self.kernel;
        let began = kernel.clock.now();
        kernel.closing.store(true, Ordering::Release);
        let drained = tokio::select! {
            () = kernel.drain() => true,
            () = kernel.clock.sleep(limit) => false,
        };
        kernel.paused.store(true, Ordering::Release);
        if !drained {
            kernel.cancellation.cancel_all();
        }
        kernel.tasks.close();
        let ended = drained || {
            tokio::select! {
                () = kernel.tasks.wait() => true,
                () = kernel.clock.sleep(GRACE) => false,
            }
        };
        kernel.halt();
        let rest = limit.saturating_sub(kernel.clock.now().since(began));
        kernel.stop_drivers(kernel.routes().drivers(), rest.max(GRACE)).await;
        if !ended {
            // Not left clean: what still runs is looked at by the next start.
            kernel.abandon();
            return Err(Error::new(
                ErrorKind::Timeout,
                "handlers were still running at the limit; the next start repeats their deliveries",
            ));
        }
        kernel.detach().await
    }

    /// Resolves when no delivery is open: nothing is queued, runs or waits for a retry, and nothing waits to be
    /// routed. Delayed and held events do not count.
    pub async fn idle(&self) {
        self.kernel.idle().await;
    }
}

impl Kernel {
    /// Waits for running handlers; without durability also for what is queued.
    async fn drain(self: &Arc<Self>) {
        if !self.bus.is_durable() && !self.is_held_back() {
            self.idle().await;
        }
        self.paused.store(true, Ordering::Release);
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Leaves the bus in order, once. In a task of its own: whoever gives up waiting, it is left.
    pub(super) async fn detach(self: &Arc<Self>) -> Result<()> {
        if self.left.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let bus = self.bus.clone();
        let leave = async move { bus.detach().await.inspect_err(|_| bus.abandon()) };
        ended(tokio::spawn(leave)).await
    }

    /// Leaves the bus as the death of the process does, unless it was left.
    pub(super) fn abandon(&self) {
        if !self.left.swap(true, Ordering::AcqRel) {
            self.bus.abandon();
        }
    }

    /// Tells drivers, all at once; one that hangs or panics keeps nobody.
    pub(super) async fn stop_drivers(&self, drivers: &[Arc<Registered>], limit: Duration) {
        let stop = |driver: &Arc<Registered>| driver.clone().stop();
        tokio::select! {
            biased;
            _ = join_all(drivers.iter().map(stop)) => {}
            () = self.clock.sleep(limit) => {
                for driver in drivers.iter().filter(|driver| !driver.is_stopped()) {
                    tracing::warn!(driver = %driver.id, "does not stop");
                }
            }
        }
    }

    async fn idle(&self) {
        let mut status = self.bus.status();
        // An error means that the bus is gone, and with it the work.
        let _ = status.wait_for(|status| status.open == 0).await;
    }
}
