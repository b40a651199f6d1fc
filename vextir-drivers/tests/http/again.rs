//! Attempts that come again: after a crash, and when an answer could not be committed.

use crate::here;
use crate::server::{Server, text};
use async_trait::async_trait;
use serde_json::json;
use std::time::Duration;
use vextir_core::{
    Ctx, Driver, Emitter, Event, HandlerResult, Manifest, MemoryBus, Payload, Processor, Result, RetryPolicy,
};
use vextir_drivers::http::{HttpFetch, HttpFetched, HttpTools};

/// Two processes, one after the other: what the first answers is lost.
struct Again(HttpTools, HttpTools);

#[async_trait]
impl Driver for Again {
    fn manifest(&self) -> Manifest {
        self.0.manifest()
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        if event.event_type == HttpFetch::TYPE {
            let _ = self.0.handle_event(event.clone(), cx).await;
        }
        self.1.handle_event(event, cx).await
    }

    async fn start(&self, emitter: Emitter) -> Result<()> {
        self.0.start(emitter.clone()).await?;
        self.1.start(emitter).await
    }
}

#[tokio::test]
async fn what_may_have_been_done_is_not_sent_again() {
    let server = Server::always(text("done"));
    let tools = || here().with_methods(["POST"]);
    let retry = RetryPolicy { base: Duration::from_millis(1), cap: Duration::from_millis(1) };
    let app = Processor::builder(MemoryBus::new()).driver(Again(tools(), tools())).retry(retry);
    let app = app.start().await.unwrap();
    let ann = app.as_user("ann");
    let post = || Event::new("http.fetch").with_data(json!({"url": server.base, "method": "POST"}));
    let error = ann.request::<HttpFetched>(post()).await.unwrap_err().to_string();
    assert!(error.contains("POST was sent before, and it is not known whether it was done"), "{error}");
    app.idle().await;
    assert_eq!(server.asked().len(), 1);
    // The next one is another one, and a GET may be repeated.
    assert!(ann.request::<HttpFetched>(post()).await.is_err());
    assert_eq!(server.asked().len(), 2);
    let _: HttpFetched = ann.request(HttpFetch::get(&server.base)).await.unwrap();
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn what_is_settled_is_forgotten() {
    let server = Server::always(text("done"));
    let tools = here().with_methods(["POST"]);
    let app = Processor::builder(MemoryBus::new()).driver(tools).start().await.unwrap();
    let ann = app.as_user("ann");
    for url in [&server.base, "http://127.0.0.1:1/"] {
        let post = Event::new("http.fetch").with_data(json!({"url": url, "method": "POST"}));
        let _ = ann.request::<HttpFetched>(post).await;
    }
    app.idle().await;
    let left = app.bus().checkpoints(&"http".into(), "", 10).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}
