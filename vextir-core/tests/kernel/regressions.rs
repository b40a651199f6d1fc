//! Faults that once were there: each test states what the contract says, and failed when it was written.

mod due;
mod held;
mod keys;
mod letters;
mod places;
mod policies;
mod requests;
mod retries;
mod slow;
mod tenants;
mod waits;
mod work;

use crate::driver::{answers, driver, log, on, quick, types};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::timeout;
use vextir::bus::{
    Attachment, BusStatus, Checkpoint, Chores, Command, DeadLetter, Delivery, Hold, Logged, Outcome, Page,
    Parked, Position, Receipt,
};
use vextir::prelude::*;
use vextir::{
    AuditRecord, AuthorizeRequest, Authorizer, BusLimits, Capability, Decision, EmitOptions, Error,
    ErrorKind, EventBus, Lease, Letters, Limits, MemoryBus, Name, Result, Sequence, SystemClock, Verdict,
};

const SOON: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
struct Answer {
    to: String,
}
impl Payload for Answer {
    const TYPE: &'static str = "answer";
}

#[derive(Debug, Clone, Copy)]
struct Policy(fn(&AuthorizeRequest<'_>) -> Result<Verdict>);
#[vextir::async_trait]
impl Authorizer for Policy {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> Result<Verdict> {
        (self.0)(request)
    }
}

fn evt(kind: &'static str) -> Event {
    Event::new(kind).with_id("evt_1".parse().unwrap())
}

fn seen_by(id: &'static str, handles: &'static str) -> (impl Driver, Arc<Mutex<Vec<Event>>>) {
    let seen: Arc<Mutex<Vec<Event>>> = Arc::default();
    let by = seen.clone();
    (
        answers(Manifest::new(id).handles(handles), move |event| {
            by.lock().unwrap().push(event.clone());
            Ok(vec![])
        }),
        seen,
    )
}

async fn settle_down() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}
