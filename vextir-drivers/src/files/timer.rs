//! A pause that can be waited for in several attempts.

use super::sink::Sink;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Runs on while nobody waits for it.
#[derive(Default)]
pub(super) struct Timer(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Timer {
    /// Starts it, unless it runs.
    pub(super) fn start(&mut self, sink: &Arc<dyn Sink>, span: Duration) {
        if self.0.is_none() {
            let sink = sink.clone();
            self.0 = Some(Box::pin(async move { sink.sleep(span).await }));
        }
    }

    pub(super) fn stop(&mut self) {
        self.0 = None;
    }

    pub(super) fn is_running(&self) -> bool {
        self.0.is_some()
    }

    /// Resolves at its end, and never when it does not run. Giving up the wait does not stop it.
    pub(super) async fn ended(&mut self) {
        match &mut self.0 {
            Some(pause) => pause.await,
            None => std::future::pending().await,
        }
        self.0 = None;
    }
}
