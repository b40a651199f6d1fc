use crate::driver::{answers, log, on, types};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use vextir::prelude::*;
use vextir::{Emitter, MemoryBus};

/// Emits the numbers up to `to`, once each, over all its lives.
struct Counter {
    to: u32,
    stopped: Arc<AtomicBool>,
}

#[driver("counter", kind = "io")]
impl Counter {
    #[on_start]
    async fn begin(&self, emitter: Emitter) -> vextir::Result<()> {
        let seen = emitter.checkpoints("", 10).await?;
        let from = seen.first().and_then(|note| note.value.as_ref()?.decode::<u32>().ok()).unwrap_or(0);
        for n in from + 1..=self.to {
            let event = Event::new("tick").with_category(Category::Input).with_data(json!(n));
            emitter.emit_all(vec![event], vec![("last".into(), Some(json!(n).into()))]).await?;
        }
        Ok(())
    }

    #[on_stop]
    async fn end(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_watcher_goes_on_where_its_checkpoint_stands() {
    let bus = MemoryBus::new();
    let stopped = Arc::new(AtomicBool::new(false));
    for to in [3, 5] {
        let app = on(bus.clone()).driver(Counter { to, stopped: stopped.clone() }).start().await.unwrap();
        app.shutdown().await.unwrap();
    }
    assert!(stopped.load(Ordering::SeqCst));
    let app = on(bus).start().await.unwrap();
    let ticks: Vec<String> = log(&app).await.iter().map(|event| event.data.as_json().to_owned()).collect();
    assert_eq!(ticks, ["1", "2", "3", "4", "5"]);
    assert!(log(&app).await.iter().all(|event| event.source == "counter" && event.root_id.is_none()));
}

#[tokio::test]
async fn a_watcher_acts_for_its_own_user_only() {
    struct Crosser;

    #[driver("crosser")]
    impl Crosser {
        #[on_start]
        async fn begin(&self, emitter: Emitter) -> vextir::Result<()> {
            emitter.for_user("bob").emit(Event::new("tick").with_user("bob")).await?;
            emitter.emit(Event::new("tick").with_user("bob")).await.map(drop)
        }
    }

    let echo = answers(Manifest::new("echo").handles("tick"), |_| Ok(vec![]));
    let bus = MemoryBus::new();
    let error = on(bus.clone()).driver(echo).driver(Crosser).start().await.unwrap_err();
    assert!(error.to_string().contains("driver crosser does not start"), "{error}");
    assert_eq!(error.kind(), vextir::ErrorKind::Denied);
    let app = on(bus).start().await.unwrap();
    assert_eq!(types(&log(&app).await), ["tick"], "the place on the bus is free again");
}
