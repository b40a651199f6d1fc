//! Drivers that watch the outside world.

use std::sync::atomic::{AtomicBool, Ordering};
use vextir::prelude::*;

#[derive(Default)]
struct Watch {
    stopped: AtomicBool,
}

#[driver("watch", kind = "io")]
impl Watch {
    #[on_start]
    async fn begin(&self, emitter: Emitter) -> vextir::Result<()> {
        emitter.emit(Event::new("watch.began")).await.map(drop)
    }

    #[on_stop]
    async fn end(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_driver_without_handlers_may_watch() {
    let watch = Watch::default();
    assert!(watch.capabilities().is_empty());
    watch.stop().await;
    assert!(watch.stopped.load(Ordering::SeqCst));
}
