//! The hub beyond the contract: what is in the file, what the file survives, and what is kept of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate vextir_core as vextir;

mod crowd;
mod damage;
#[cfg(target_os = "linux")]
mod disk;
mod flow;
mod full;
mod lock;
mod retention;
mod store;

use std::path::Path;
use vextir_context::Hub;
use vextir_core::bus::{Command, Delivery, Entry, NewDelivery, Outcome, Place, Receipt, Settlement};
use vextir_core::{Event, EventBus, EventFilter, EventId, Name};

fn event(text: &'static str) -> Event {
    Event::new(text).with_user("local").with_source("test").with_data(serde_json::json!({"of": text}))
}

/// An event with so many bytes of payload.
fn large(bytes: usize) -> Event {
    event("large").with_data(serde_json::json!("x".repeat(bytes)))
}

fn routed(event: Event, driver: &'static str) -> Entry {
    let delivery = NewDelivery::to(Name::literal(driver));
    Entry::new(event, Place::Routed(vec![delivery]))
}

/// An event that nobody handles.
fn idle(event: Event) -> Entry {
    Entry::new(event, Place::Routed(Vec::new()))
}

async fn append(hub: &Hub, entries: Vec<Entry>) -> Receipt {
    hub.commit(Command::append(entries)).await.unwrap()
}

fn settle(delivery: &Delivery, outcome: Outcome) -> Command {
    Command::Settle(std::sync::Arc::new(Settlement::of(delivery, outcome)))
}

fn done(outputs: Vec<Entry>) -> Outcome {
    Outcome::Done { outputs, changes: Vec::new() }
}

fn output(delivery: &Delivery, text: &'static str) -> Entry {
    let cause = &delivery.event;
    let id = EventId::derived(delivery.logged_at, &cause.user_id, &cause.id, &delivery.driver, 0);
    let mut event = event(text).with_id(id).with_timestamp(delivery.logged_at);
    let envelope = event.edit();
    envelope.correlation_id = Some(cause.id.clone());
    envelope.root_id = Some(cause.root().clone());
    envelope.depth = cause.depth + 1;
    Entry { minted: true, ..idle(event) }
}

/// The whole log.
async fn page(hub: &Hub) -> Vec<Event> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = hub.read(after, &EventFilter::all(), 1_000).await.unwrap();
        events.extend(page.events.into_iter().map(|logged| logged.event));
        after = page.next;
        if page.at_head {
            return events;
        }
    }
}

async fn reopen(hub: Hub, folder: &Path) -> Hub {
    hub.close().await.unwrap();
    Hub::open(folder.join("hub.db")).unwrap()
}
