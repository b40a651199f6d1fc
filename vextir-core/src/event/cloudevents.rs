//! CloudEvents 1.0, structured JSON, in and out.
//!
//! What the specification of CloudEvents has no attribute for travels as extension attributes; extensions
//! of others are kept in `metadata` under `ce-<name>`, and go out again under their own name. So is the type of a
//! payload that is not plain JSON.

use super::{Category, Data, Event, EventId, Priority};
use crate::{Error, Result};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Where foreign attributes live in `metadata`.
const FOREIGN: &str = "ce-";
/// Binary payloads stay in base64, as a JSON string, with this note.
const BASE64: &str = "ce-data_base64";
/// What a payload is that nothing is said of. Another type is kept, and goes out again.
const JSON: &str = "application/json";

impl Event {
    /// The event as structured CloudEvents 1.0 JSON.
    ///
    /// # Errors
    /// `id` or `source` is not set yet (both are required there): emit the event first, or set them.
    pub fn to_cloudevent(&self) -> Result<String> {
        if self.id.is_unset() || self.source.is_empty() {
            return Err(Error::invalid(
                "a CloudEvent needs id and source: emit the event first, or set them",
            ));
        }
        let mut attributes = Map::new();
        let mut put = |name: &str, value: String| attributes.insert(name.into(), Value::String(value));
        put("specversion", "1.0".into());
        put("id", self.id.to_string());
        put("source", self.source.to_string());
        put("type", self.event_type.to_string());
        put("category", self.category.as_str().into());
        if !self.timestamp.is_unset() {
            put("time", self.timestamp.to_string());
        }
        if !self.user_id.is_empty() {
            put("userid", self.user_id.to_string());
        }
        if let Some(cause) = &self.correlation_id {
            put("correlationid", cause.to_string());
        }
        if let Some(root) = &self.root_id {
            put("rootid", root.to_string());
        }
        if let Some(branch) = &self.branch_id {
            put("branchid", branch.to_string());
        }
        if let Some(key) = &self.ordering_key {
            put("partitionkey", key.to_string());
        }
        if let Some(at) = self.deliver_at {
            put("deliverat", at.to_string());
        }
        if !self.labels.is_empty() {
            put("labels", serde_json::to_string(&self.labels).unwrap_or_default());
        }
        match self.priority {
            Priority::High => drop(put("priority", "high".into())),
            Priority::Low => drop(put("priority", "low".into())),
            Priority::Normal => {}
        }
        let is_base64 = self.metadata.get(BASE64).is_some_and(|note| note == "true") && is_base64(&self.data);
        let own = self.own_notes(is_base64, &mut put);
        if !own.is_empty() {
            put("metadata", serde_json::to_string(&own).unwrap_or_default());
        }
        if self.depth > 0 {
            attributes.insert("depth".into(), self.depth.into());
        }
        if !is_base64 {
            attributes.entry("datacontenttype").or_insert_with(|| JSON.into());
        }
        let mut text = serde_json::to_string(&attributes).unwrap_or_default();
        // The payload is put in as it stands: parsing it could change numbers.
        text.pop();
        text.push_str(if is_base64 { ",\"data_base64\":" } else { ",\"data\":" });
        text.push_str(self.data.as_json());
        text.push('}');
        Ok(text)
    }

    /// Puts out the foreign attributes, and returns the notes that are ours.
    fn own_notes<R>(&self, is_base64: bool, put: &mut impl FnMut(&str, String) -> R) -> BTreeMap<&str, &str> {
        let mut own = BTreeMap::new();
        for (key, value) in &self.metadata {
            match key.strip_prefix(FOREIGN) {
                _ if key == BASE64 && is_base64 => {}
                Some(name) if is_attribute(name) && !is_implied(name, value, is_base64) => {
                    drop(put(name, value.clone()))
                }
                _ => drop(own.insert(key.as_str(), value.as_str())),
            }
        }
        own
    }

    /// Reads structured CloudEvents 1.0 JSON.
    ///
    /// # Errors
    /// Not JSON, another `specversion`, a required attribute missing, an attribute that does not fit, or two
    /// payloads.
    pub fn from_cloudevent(text: &str) -> Result<Self> {
        let read = from_json(text).map(|rest| Attributes { rest });
        read.and_then(Attributes::into_event).map_err(|error| error.context("CloudEvent"))
    }
}

/// Attribute names of CloudEvents that are not ours: lower-case letters and digits.
fn is_attribute(name: &str) -> bool {
    const OURS: [&str; 17] = [
        "specversion",
        "id",
        "source",
        "type",
        "category",
        "time",
        "userid",
        "correlationid",
        "rootid",
        "branchid",
        "partitionkey",
        "deliverat",
        "labels",
        "priority",
        "metadata",
        "depth",
        "data",
    ];
    !name.is_empty()
        && !OURS.contains(&name)
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// What is said of a JSON payload in any case is not kept.
fn is_implied(name: &str, value: &str, is_base64: bool) -> bool {
    name == "datacontenttype" && value == JSON && !is_base64
}

/// Padded, and with the letters of RFC 4648: what every reader takes.
fn is_base64(data: &Data) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    data.value().as_str().is_some_and(|text| {
        let letters = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
        text.len().is_multiple_of(4) && letters.bytes().all(is_letter)
    })
}

/// The members of the JSON object, unparsed.
struct Attributes {
    rest: BTreeMap<String, Box<RawValue>>,
}

impl Attributes {
    fn required(&mut self, name: &str) -> Result<String> {
        let missing = || Error::invalid(format!("the attribute {name:?} is missing"));
        let raw = self.rest.remove(name).ok_or_else(missing)?;
        from_json(raw.get()).map_err(|error| error.context(name.to_owned()))
    }

    fn binary(&mut self) -> Result<Option<Data>> {
        let Some(raw) = self.rest.remove("data_base64").filter(|raw| raw.get() != "null") else {
            return Ok(None);
        };
        let data = Data::from_json(Box::<str>::from(raw))?;
        let wrong = || Error::invalid("data_base64: expected a string of padded base64");
        is_base64(&data).then_some(Some(data)).ok_or_else(wrong)
    }

    fn into_event(mut self) -> Result<Event> {
        let specversion = self.required("specversion")?;
        if specversion != "1.0" {
            return Err(Error::invalid(format!("specversion {specversion:?}: expected \"1.0\"")));
        }
        let id = self.required("id")?;
        let mut event = Event::new(self.required("type")?).with_source(self.required("source")?);
        let envelope = event.edit();
        envelope.id = id.parse()?;
        let binary = self.binary()?;
        let is_base64 = binary.is_some();
        if is_base64 {
            envelope.metadata.insert(BASE64.into(), "true".into());
        }
        match (self.rest.remove("data"), binary) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid("data and data_base64 are both there: send one of them"));
            }
            (Some(data), None) => envelope.data = Data::from_json(Box::<str>::from(data))?,
            (None, Some(data)) => envelope.data = data,
            (None, None) => {}
        }
        for (name, raw) in self.rest {
            let value: Value = serde_json::from_str(raw.get())
                .map_err(|error| Error::invalid(format!("{name}: {error}")))?;
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(Error::invalid(format!(
                        "{name}: an attribute is a string, number or boolean"
                    )));
                }
            };
            if is_implied(&name, &text, is_base64) {
                continue;
            }
            set(&mut event, &name, text).map_err(|error| error.context(name))?;
        }
        Ok(event)
    }
}

fn set(event: &mut Event, name: &str, text: String) -> Result<()> {
    let envelope = event.edit();
    match name {
        "category" => envelope.category = text.parse::<Category>()?,
        "time" => envelope.timestamp = text.parse()?,
        "userid" => envelope.user_id = text.into(),
        "correlationid" => envelope.correlation_id = Some(text.parse::<EventId>()?),
        "rootid" => envelope.root_id = Some(text.parse::<EventId>()?),
        "branchid" => envelope.branch_id = Some(text.parse::<EventId>()?),
        "partitionkey" => envelope.ordering_key = Some(text.into()),
        "deliverat" => envelope.deliver_at = Some(text.parse()?),
        "depth" => {
            envelope.depth = text.parse().map_err(|_| Error::invalid(format!("{text:?} is no depth")))?;
        }
        "labels" => envelope.labels = from_json(&text)?,
        "priority" => envelope.priority = from_json(&format!("{text:?}"))?,
        "metadata" => {
            let notes: BTreeMap<String, String> = from_json(&text)?;
            envelope.metadata.extend(notes);
        }
        _ => {
            envelope.metadata.insert(format!("{FOREIGN}{name}"), text);
        }
    }
    Ok(())
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::invalid(error.to_string()))
}
