//! A place in an event, and what stands there.

use crate::digest::hex;
use crate::{Error, Event, Priority, Result};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// The longest text of a value that is kept as it is, in bytes; what is longer is told apart by its hash.
const LONGEST: usize = 96;
/// The most segments of a path.
const DEEPEST: usize = 32;

/// A place in an event: `user_id`, `type`, `category`, `source`, `root_id`, `ordering_key`, `priority`,
/// `metadata.shop`, `data` or a place in it (`data.account.id`, `data.lines.0`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventPath(String);

impl From<&str> for EventPath {
    fn from(path: &str) -> Self {
        Self(path.to_owned())
    }
}

impl From<String> for EventPath {
    fn from(path: String) -> Self {
        Self(path)
    }
}

impl fmt::Display for EventPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl EventPath {
    /// Whether events have such a place.
    ///
    /// # Errors
    /// The path begins with no field of an event, or has an empty or no further segment where one must stand.
    pub fn check(&self) -> Result<()> {
        let mut segments = self.0.split('.');
        let first = segments.next().unwrap_or_default();
        let count = segments.clone().count();
        let fits = match first {
            "data" => true,
            "metadata" => count > 0,
            "user_id" | "type" | "category" | "source" | "root_id" | "ordering_key" | "priority" => {
                count == 0
            }
            _ => false,
        };
        if !fits || count > DEEPEST || segments.any(str::is_empty) {
            return Err(Error::invalid(format!(
                "{:?} is no place of an event; say `user_id`, `type`, `category`, `source`, `root_id`, `ordering_key`, \
                 `priority`, `metadata.<name>` or `data.<path>`",
                self.0
            )));
        }
        Ok(())
    }

    /// What stands there, as JSON text; `null` if nothing does.
    pub(crate) fn json<'e>(&self, event: &'e Event) -> Cow<'e, str> {
        let text = |text: &str| Cow::Owned(serde_json::Value::from(text).to_string());
        let (first, rest) = self.0.split_once('.').unwrap_or((&self.0, ""));
        match first {
            "user_id" => text(&event.user_id),
            "type" => text(&event.event_type),
            "category" => text(event.category.as_str()),
            "source" => text(&event.source),
            "root_id" => text(&event.root().to_string()),
            "ordering_key" => event.ordering_key.as_ref().map_or(Cow::Borrowed("null"), |key| text(key)),
            "priority" => Cow::Owned(serde_json::to_string(&event.priority).unwrap_or_default()),
            "metadata" => event.metadata.get(rest).map_or(Cow::Borrowed("null"), |value| text(value)),
            _ if rest.is_empty() => Cow::Borrowed(event.data.as_json()),
            _ => Cow::Borrowed(inside(event.data.as_json(), rest).unwrap_or("null")),
        }
    }

    /// The priority that stands there: its name, or a number above, at or below zero.
    pub(crate) fn priority(&self, event: &Event) -> Option<Priority> {
        let json = self.json(event);
        if let Ok(number) = serde_json::from_str::<f64>(&json) {
            return Some(match number {
                _ if number > 0.0 => Priority::High,
                _ if number < 0.0 => Priority::Low,
                _ => Priority::Normal,
            });
        }
        serde_json::from_str(&json).ok()
    }

    /// The same as a short text that tells values apart: spaces and the way in which a text is escaped do not count.
    pub(crate) fn value(&self, event: &Event) -> String {
        let json = self.json(event);
        let plain = serde_json::from_str::<serde_json::Value>(&json).map(|value| value.to_string());
        let plain = plain.unwrap_or_else(|_| json.into_owned());
        if plain.len() <= LONGEST {
            return plain;
        }
        hex(plain, 32)
    }
}

/// The JSON text at a place in another one. Only what lies on the way is looked into.
fn inside<'j>(json: &'j str, path: &str) -> Option<&'j str> {
    path.split('.').try_fold(json, |json, segment| {
        let found = match json.as_bytes().first()? {
            b'{' => serde_json::from_str::<HashMap<Cow<'_, str>, &RawValue>>(json).ok()?.remove(segment)?,
            b'[' => {
                let index: usize = segment.parse().ok()?;
                *serde_json::from_str::<Vec<&RawValue>>(json).ok()?.get(index)?
            }
            _ => return None,
        };
        Some(found.get())
    })
}
