//! The event: the one thing that everything in Vextir exchanges.

mod cloudevents;
mod data;
mod id;

pub use data::Data;
pub(crate) use data::MAX_EVENT_BYTES;
use data::MAX_JSON_DEPTH;
pub use id::EventId;
pub use id::IdSource;

use crate::name::{MAX_NAME_BYTES, Name, check_name, check_type};
use crate::notice::refuse_kernels_news;
use crate::{Error, Payload, Result, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

/// Where an event stands between the outside world and the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// From the external world: user input, sensors, APIs.
    Input,
    /// Between components.
    #[default]
    Internal,
    /// To the external world: UI updates, notifications.
    Output,
}

impl Category {
    /// `input`, `internal` or `output`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Internal => "internal",
            Self::Output => "output",
        }
    }
}

impl FromStr for Category {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "input" => Ok(Self::Input),
            "internal" => Ok(Self::Internal),
            "output" => Ok(Self::Output),
            _ => Err(Error::invalid(format!("category {text:?}: expected input, internal or output"))),
        }
    }
}

/// How soon a delivery is dispatched, compared with others that wait for the same driver.
///
/// Acts on dispatch only: it never reorders events of one ordering key, and no lane is starved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Before the others.
    High,
    /// The default.
    #[default]
    Normal,
    /// When the others leave room; at least one dispatch in sixteen.
    Low,
}

/// An event: a cheap handle on a shared [`Envelope`]. Cloning copies a pointer; the `with_` methods copy
/// the envelope only when it is shared.
///
/// A new event has no id, time, user or source yet: the kernel fills in what was left open when the event
/// is emitted, and `emit` returns the id.
///
/// The JSON form has the fields of the envelope, those that hold their default left out:
///
/// ```
/// # extern crate vextir_core as vextir;
/// use serde_json::json;
/// use vextir::{Category, Event};
///
/// let event = Event::new("email.received")
///     .with_category(Category::Input)
///     .with_user("user_456")
///     .with_data(json!({"from": "client@example.com", "subject": "Project Update"}));
/// assert_eq!(event.event_type, "email.received");
/// assert_eq!(event.data.value()["subject"], "Project Update");
/// ```
#[derive(Clone, PartialEq)]
pub struct Event(Arc<Envelope>);

/// The fields of an [`Event`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Envelope {
    /// Identity; also the key of idempotency.
    #[serde(default, skip_serializing_if = "EventId::is_unset")]
    pub id: EventId,
    /// Dotted type name, as in `email.received`; see [`check_type`].
    #[serde(rename = "type")]
    pub event_type: Name,
    /// From outside, between components, or to outside.
    #[serde(default)]
    pub category: Category,
    /// When it happened, as its emitter says; the kernel's clock if the emitter said nothing.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub timestamp: Timestamp,
    /// The user for whom, and with whose rights, everything that this event causes is done.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub user_id: Name,
    /// Who emitted it: a driver's id, or what the application says.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub source: Name,
    /// The payload.
    #[serde(default)]
    pub data: Data,
    /// The event that caused this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<EventId>,
    /// The first event of the causal tree; `None` on the root itself and before the event is emitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_id: Option<EventId>,
    /// The first event of the innermost [`Branch`](crate::Branch) that it belongs to, itself perhaps. Set by the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch_id: Option<EventId>,
    /// Distance from the root.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u32,
    /// Information-flow labels, such as `untrusted`; what an event causes inherits them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<Name>,
    /// Events of one user with one key are handled one after the other, in log order, by each driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<Name>,
    /// Not before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_at: Option<Timestamp>,
    /// The dispatch lane.
    #[serde(default, skip_serializing_if = "is_normal")]
    pub priority: Priority,
    /// Trace context and other notes that travel along.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

fn is_empty(name: &Name) -> bool {
    name.as_str().is_empty()
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_unset(time: &Timestamp) -> bool {
    time.is_unset()
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(depth: &u32) -> bool {
    *depth == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_normal(priority: &Priority) -> bool {
    *priority == Priority::Normal
}

impl Event {
    /// An event of this type, without payload. The name is checked when the event is emitted.
    #[must_use]
    pub fn new(event_type: impl Into<Name>) -> Self {
        Self(Arc::new(Envelope {
            id: EventId::UNSET,
            event_type: event_type.into(),
            category: Category::Internal,
            timestamp: Timestamp::UNSET,
            user_id: Name::default(),
            source: Name::default(),
            data: Data::default(),
            correlation_id: None,
            root_id: None,
            branch_id: None,
            depth: 0,
            labels: BTreeSet::new(),
            ordering_key: None,
            deliver_at: None,
            priority: Priority::Normal,
            metadata: BTreeMap::new(),
        }))
    }

    /// An event that carries a typed payload.
    ///
    /// # Errors
    /// The payload has no JSON form.
    pub fn of<P: Payload>(payload: &P) -> Result<Self> {
        let mut event = Self::new(Name::literal(P::TYPE));
        let envelope = event.edit();
        envelope.category = P::CATEGORY;
        envelope.data = Data::new(payload).map_err(|error| error.context(P::TYPE))?;
        Ok(event)
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// Not JSON, or a field that does not fit; with line and column.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Error::invalid(format!("event: {error}")))
    }

    /// The JSON form, on one line unless the payload has line breaks of its own.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Every field has a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The payload as `P`, if the type is `P::TYPE`.
    ///
    /// # Errors
    /// Another type, or a payload that does not fit, with its path.
    pub fn decode<P: Payload>(&self) -> Result<P> {
        if self.event_type != P::TYPE {
            return Err(Error::invalid(format!(
                "this is {:?}, and the payload is of {:?}",
                self.event_type,
                P::TYPE
            )));
        }
        self.data.decode().map_err(|error| error.context(P::TYPE))
    }

    /// The root of the causal tree: its own id if it is the root.
    #[must_use]
    pub fn root(&self) -> &EventId {
        self.root_id.as_ref().unwrap_or(&self.id)
    }

    /// Which causal tree it belongs to: a foreign root id is its user's own.
    pub(crate) fn tree(&self) -> (Name, EventId) {
        (self.user_id.clone(), self.root().clone())
    }

    /// Whether it belongs to this user's tree with this root.
    pub(crate) fn is_of_tree(&self, user: &Name, root: &EventId) -> bool {
        self.user_id == *user && self.root() == root
    }

    /// Write access to the envelope; copies it when it is shared.
    pub fn edit(&mut self) -> &mut Envelope {
        Arc::make_mut(&mut self.0)
    }

    fn with(mut self, change: impl FnOnce(&mut Envelope)) -> Self {
        change(self.edit());
        self
    }

    /// Sets an id of your own: the event is then stored at most once under it.
    #[must_use]
    pub fn with_id(self, id: EventId) -> Self {
        self.with(|envelope| envelope.id = id)
    }

    /// Sets the category.
    #[must_use]
    pub fn with_category(self, category: Category) -> Self {
        self.with(|envelope| envelope.category = category)
    }

    /// Sets when it happened.
    #[must_use]
    pub fn with_timestamp(self, timestamp: Timestamp) -> Self {
        self.with(|envelope| envelope.timestamp = timestamp)
    }

    /// Sets the user for whom it acts.
    #[must_use]
    pub fn with_user(self, user: impl Into<Name>) -> Self {
        self.with(|envelope| envelope.user_id = user.into())
    }

    /// Sets who emitted it.
    #[must_use]
    pub fn with_source(self, source: impl Into<Name>) -> Self {
        self.with(|envelope| envelope.source = source.into())
    }

    /// Sets the payload.
    #[must_use]
    pub fn with_data(self, data: impl Into<Data>) -> Self {
        self.with(|envelope| envelope.data = data.into())
    }

    /// Names the event that caused this one.
    #[must_use]
    pub fn with_cause(self, cause: EventId) -> Self {
        self.with(|envelope| envelope.correlation_id = Some(cause))
    }

    /// Adds an information-flow label.
    #[must_use]
    pub fn with_label(self, label: impl Into<Name>) -> Self {
        self.with(|envelope| {
            envelope.labels.insert(label.into());
        })
    }

    /// Orders it after earlier events of the same user and key.
    #[must_use]
    pub fn with_ordering_key(self, key: impl Into<Name>) -> Self {
        self.with(|envelope| envelope.ordering_key = Some(key.into()))
    }

    /// Delays it.
    #[must_use]
    pub fn with_deliver_at(self, at: Timestamp) -> Self {
        self.with(|envelope| envelope.deliver_at = Some(at))
    }

    /// Sets the dispatch lane.
    #[must_use]
    pub fn with_priority(self, priority: Priority) -> Self {
        self.with(|envelope| envelope.priority = priority)
    }

    /// Adds a note that travels along.
    #[must_use]
    pub fn with_metadata(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(|envelope| {
            envelope.metadata.insert(key.into(), value.into());
        })
    }

    /// Checks how deeply the payload is nested. What a type of ours serialized needs no such check.
    pub(crate) fn check_depth(&self) -> Result<()> {
        if self.data.is_shallow() {
            return Ok(());
        }
        let what = format!("data is nested more than {MAX_JSON_DEPTH} levels deep");
        Err(Error::invalid(format!("{}: {what}", self.event_type)))
    }

    /// Checks names and sizes; the payload's JSON text may have `max_bytes`.
    pub(crate) fn check(&self, max_bytes: usize) -> Result<()> {
        check_type(&self.event_type)?;
        refuse_kernels_news(&self.event_type)?;
        check_name("user_id", &self.user_id)?;
        check_name("source", &self.source)?;
        if let Some(key) = &self.ordering_key {
            check_name("ordering_key", key)?;
        }
        if self.data.len() > max_bytes {
            return Err(Error::invalid(format!(
                "{}: data has {} bytes; at most {max_bytes} (ProcessorBuilder::max_event_bytes)",
                self.event_type,
                self.data.len()
            )));
        }
        if self.labels.len() > 64 || self.labels.iter().any(|label| label.len() > MAX_NAME_BYTES) {
            return Err(Error::invalid("labels: at most 64, of at most 512 bytes each"));
        }
        let notes: usize = self.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        if notes > 16 * 1024 {
            return Err(Error::invalid(format!("metadata has {notes} bytes; at most 16384")));
        }
        Ok(())
    }

    /// Whether `other` says the same, whatever the kernel stamped on either of them. Notes that travel along
    /// (`metadata`) do not count: a repeated call has a trace of its own.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        self.event_type == other.event_type
            && self.user_id == other.user_id
            && self.category == other.category
            && self.source == other.source
            && self.labels == other.labels
            && self.priority == other.priority
            && self.data == other.data
            && self.ordering_key == other.ordering_key
            && self.deliver_at == other.deliver_at
    }
}

impl Deref for Event {
    type Target = Envelope;
    fn deref(&self) -> &Envelope {
        &self.0
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({})", self.to_json())
    }
}

impl From<Envelope> for Event {
    fn from(envelope: Envelope) -> Self {
        Self(Arc::new(envelope))
    }
}

impl Serialize for Event {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Envelope::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests;
