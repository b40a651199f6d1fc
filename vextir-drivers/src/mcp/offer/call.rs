//! A call from outside: an event, and what answers it.

use super::Menu;
use serde_json::{Map, Value, json};
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};
use vextir::{Error, ErrorKind, Event, EventId, Name, Result, Tenant};

/// How many held events are looked through for the one that was called.
const HELD: usize = 1_000;

impl Menu {
    /// Emits a tool's event for a user, and waits until all that it causes is over. When `cancelled` resolves before, the causal
    /// tree is cancelled.
    pub(in crate::mcp) async fn call(
        &self,
        user: &Tenant,
        tool: &str,
        arguments: Map<String, Value>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Value> {
        let Some(offered) = self.tools.get(tool) else {
            return Err(Error::new(ErrorKind::NotFound, "there is no such tool"));
        };
        let Ok(_call) = self.calls.try_acquire() else {
            let what = format!("{} calls run already; try again later", self.most_calls);
            return Err(Error::new(ErrorKind::Busy, what));
        };
        let Some(_turn) = Turn::take(self, user.user()) else {
            let what = format!("{} calls of yours run already; try again later", self.most_of_user);
            return Err(Error::new(ErrorKind::Busy, what));
        };
        let id = fresh_id();
        let event =
            Event::new(offered.event_type.as_str()).with_id(id.clone()).with_data(Value::Object(arguments));
        tokio::select! {
            biased;
            caused = user.process_event(event) => answer_of(user, &id, caused?).await,
            () = cancelled => {
                // What had ended already cannot be cancelled, and needs not be.
                let _ = user.cancel(&id).await;
                Err(Error::new(ErrorKind::Cancelled, "the call was cancelled"))
            }
            () = tokio::time::sleep(self.timeout) => Err(late(&id, self.timeout)),
        }
    }

    /// How large a message may be, in bytes.
    pub(in crate::mcp) fn longest(&self) -> usize {
        self.longest
    }
}

/// One of the calls of a user that may run at a time.
struct Turn<'a> {
    menu: &'a Menu,
    user: Name,
}

impl<'a> Turn<'a> {
    fn take(menu: &'a Menu, user: &Name) -> Option<Self> {
        let mut running = menu.of_users.lock().unwrap_or_else(PoisonError::into_inner);
        if running.get(user).is_some_and(|count| *count >= menu.most_of_user) {
            return None;
        }
        *running.entry(user.clone()).or_default() += 1;
        Some(Self { menu, user: user.clone() })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut running = self.menu.of_users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = running.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.user);
            }
        }
    }
}

fn late(id: &EventId, limit: Duration) -> Error {
    Error::new(ErrorKind::Timeout, format!("no answer within {limit:?}; the work goes on as event {id}"))
}

/// What answers an event directly; what those answers cause is nobody's answer.
async fn answer_of(user: &Tenant, id: &EventId, caused: Vec<Event>) -> Result<Value> {
    let direct = |event: &&Event| event.correlation_id.as_ref() == Some(id);
    let (failures, answers): (Vec<&Event>, Vec<&Event>) =
        caused.iter().filter(direct).partition(|event| event.event_type == "error");
    match answers.as_slice() {
        [one] => return Ok(one.data.value()),
        [] => {}
        several => {
            let told = several.iter().map(|one| json!({"type": one.event_type, "data": one.data.value()}));
            return Ok(told.collect());
        }
    }
    if let Some(failure) = failures.first() {
        let said = failure.data.value();
        let said = said.get("error").and_then(Value::as_str).unwrap_or("it failed, and does not say why");
        return Err(Error::new(ErrorKind::Failed, said.to_owned()));
    }
    let held = user.held(HELD).await?;
    let waits = |parked: &&vextir::bus::Parked| parked.event.id == *id || parked.event.root() == id;
    if let Some(parked) = held.iter().find(waits) {
        let what = format!(
            "it is held, and waits for a person's decision or more budget: event {}",
            parked.event.id
        );
        return Err(Error::new(ErrorKind::Held, what));
    }
    Ok(Value::Null)
}

/// An id that is known before the event is emitted, so that the call can be cancelled: a UUID of version 7.
fn fresh_id() -> EventId {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut random = fastrand::Rng::new();
    let mut bytes = random.u128(..).to_be_bytes();
    let millis = u64::try_from(since.as_millis()).unwrap_or_default().to_be_bytes();
    bytes[..6].copy_from_slice(&millis[2..]);
    bytes[6] = bytes[6] & 0x0f | 0x70;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    EventId::from_uuid_bytes(bytes)
}
