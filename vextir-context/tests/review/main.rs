//! What a review of the documents looked for: each test says what is promised.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod groups;
mod handler;
mod load;
mod merging;
mod past;
mod places;
mod secrets;
mod watching;

use std::pin::Pin;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::context::{Change, Changed, Intent, Watch};
use vextir_core::prelude::*;
use vextir_core::{BoxError, HandlerResult};

fn hub() -> Hub {
    Hub::in_memory().unwrap()
}

async fn text(context: &Context, path: &str) -> Option<String> {
    context.read(path).await.unwrap().map(|document| document.content.to_text().into_owned())
}

fn write(path: impl Into<String>, text: &str) -> Change {
    Change::new(path, Intent::Write(text.into()))
}

/// All that a watch tells right now.
async fn told(watch: &mut Watch) -> Vec<Changed> {
    let mut told = Vec::new();
    while let Ok(next) = tokio::time::timeout(Duration::from_millis(100), watch.next()).await {
        told.push(next.unwrap().unwrap());
    }
    told
}

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

/// A driver of one function.
struct Worker(fn(&Ctx) -> Boxed<'_>);

#[vextir_core::async_trait]
impl Driver for Worker {
    fn manifest(&self) -> Manifest {
        Manifest::new("worker").handles("work")
    }

    async fn handle_event(&self, _event: Event, cx: &Ctx) -> HandlerResult {
        (self.0)(cx).await?;
        Ok(vec![Event::new("done")])
    }
}

/// Handles one event of `user`; what came of it, as text.
async fn handle(hub: &Hub, user: &str, work: fn(&Ctx) -> Boxed<'_>) -> Vec<String> {
    let app = Processor::builder(hub.clone()).driver(Worker(work)).start().await.unwrap();
    let tenant = app.as_user(user);
    let caused = tenant.process_event(Event::new("work"));
    let caused = tokio::time::timeout(Duration::from_secs(5), caused).await;
    // What is not settled by then never is: its processor could not be shut down in order either.
    let Ok(caused) = caused else { return vec!["not settled after 5 s".to_owned()] };
    app.shutdown().await.unwrap();
    caused.unwrap().iter().map(|one| format!("{} {}", one.event_type, one.data.as_json())).collect()
}
