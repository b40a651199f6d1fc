//! What was seen, and the facts that it says.

use super::mention::{Mention, mentions};
use super::recall::without_recalled;
use super::{EntityKey, MAX_FACTS, MAX_KEY_BYTES, MAX_TEXT_BYTES, MAX_VALUE_BYTES, Object};
use crate::{Error, MAX_NAME_BYTES, Name, Result, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that was seen: a mail, a file, a sensor reading, a visit, an answer of an API; with the facts in it.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::context::graph::{Episode, Fact};
///
/// let mail = Episode::new("mail", "imap:inbox").key("<17@example.org>")
///     .at("2025-06-15T12:00:00Z".parse()?)
///     .text("Bob moved to Acme, says carol@example.org. See [[/Projects/Alpha]].")
///     .entity(("person", "bob"), "Bob Jones")
///     .fact(Fact::new(("person", "bob"), "works_for", ("company", "acme")));
/// # let _ = mail;
/// # Ok::<(), vextir::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[must_use = "nothing is kept of it before it is ingested"]
pub struct Episode {
    /// What sort of thing was seen.
    pub kind: Name,
    /// Where it came from: a name as `imap:inbox`, or the path of a document, which begins with `/`.
    pub source: String,
    /// Which one of the source. Without a key, the content tells episodes apart.
    pub key: Option<String>,
    /// When it was seen; when it is ingested, if it is not said.
    pub at: Option<Timestamp>,
    /// Its text, of which mentions and `[[links]]` are taken.
    pub text: Option<String>,
    /// Anything else about it.
    pub data: Option<Value>,
    /// What it says.
    pub facts: Vec<Fact>,
    /// It was made from what was recalled: nothing of it is ingested.
    pub recalled: bool,
    /// What the text mentions. [`Graph::ingest`](super::Graph::ingest) fills this in.
    pub mentions: Vec<Mention>,
}

/// One fact: a subject, a relation, and an object or a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[must_use]
pub struct Fact {
    /// What it is about.
    pub subject: EntityKey,
    /// How the two are related; the name of the property, for one.
    pub relation: Name,
    /// What the subject is linked to, or the value of the property.
    pub object: Object,
    /// Since when it holds; since the episode, if it is not said.
    pub valid_from: Option<Timestamp>,
    /// When it ceases to hold; at this moment it does not hold any more.
    pub valid_until: Option<Timestamp>,
}

impl Fact {
    fn of(subject: impl Into<EntityKey>, relation: impl Into<Name>, object: Object) -> Self {
        let (subject, relation) = (subject.into(), relation.into());
        Self { subject, relation, object, valid_from: None, valid_until: None }
    }

    /// A link between two entities.
    pub fn new(
        subject: impl Into<EntityKey>,
        relation: impl Into<Name>,
        object: impl Into<EntityKey>,
    ) -> Self {
        Self::of(subject, relation, Object::Entity(object.into()))
    }

    /// A link to a value. Many values of one relation hold at once, unless it is declared single-valued.
    pub fn value(subject: impl Into<EntityKey>, relation: impl Into<Name>, value: impl Into<Value>) -> Self {
        Self::of(subject, relation, Object::Value(value.into()))
    }

    /// A property of an entity: it has one value at a time.
    pub fn property(subject: impl Into<EntityKey>, name: impl Into<Name>, value: impl Into<Value>) -> Self {
        Self::of(subject, name, Object::Property(value.into()))
    }

    /// Since when it holds.
    pub fn valid_from(self, time: Timestamp) -> Self {
        Self { valid_from: Some(time), ..self }
    }

    /// When it ceases to hold.
    pub fn valid_until(self, time: Timestamp) -> Self {
        Self { valid_until: Some(time), ..self }
    }

    fn check(&self) -> Result<()> {
        self.subject.check()?;
        check_name("a relation", &self.relation)?;
        match &self.object {
            Object::Entity(object) => object.check()?,
            Object::Value(value) | Object::Property(value) => {
                let size = value.to_string().len();
                if size > MAX_VALUE_BYTES {
                    return Err(Error::invalid(format!(
                        "{} of {} has {size} bytes, at most {MAX_VALUE_BYTES}; keep it in a document, and link to that",
                        self.relation, self.subject
                    )));
                }
            }
        }
        match (self.valid_from, self.valid_until) {
            (Some(from), Some(until)) if until <= from => Err(Error::invalid(format!(
                "{} of {} would cease to hold at {until}, before it holds at {from}",
                self.relation, self.subject
            ))),
            _ => Ok(()),
        }
    }
}

impl Episode {
    /// Something of a kind, from a source. A source that begins with `/` is a document: what it says is seen by who
    /// may read it.
    pub fn new(kind: impl Into<Name>, source: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            source: source.into(),
            key: None,
            at: None,
            text: None,
            data: None,
            facts: Vec::new(),
            recalled: false,
            mentions: Vec::new(),
        }
    }

    /// Which one of the source it is. Ingested again under its key, it takes the place of what it said before; alike,
    /// it changes nothing. Without a key, one with the same content is the same: give a key or a time to what may
    /// come again alike.
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// When it was seen.
    pub fn at(self, time: Timestamp) -> Self {
        Self { at: Some(time), ..self }
    }

    /// Its text. `[[links]]`, `@names` and mail addresses in it become links of the episode; what stands in a
    /// [`RECALLED`](super::RECALLED) mark is left out.
    pub fn text(self, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..self }
    }

    /// Anything else about it, as JSON.
    pub fn data(self, data: impl Into<Value>) -> Self {
        Self { data: Some(data.into()), ..self }
    }

    /// Makes an entity known, with its name: the property `name`.
    pub fn entity(self, key: impl Into<EntityKey>, name: impl Into<String>) -> Self {
        self.fact(Fact::property(key, Name::literal("name"), name.into()))
    }

    /// A fact that it says.
    pub fn fact(mut self, fact: Fact) -> Self {
        self.facts.push(fact);
        self
    }

    /// Says that it was made from what was recalled (an answer of a model over the graph, for instance): it is
    /// ignored, so that what was remembered does not become its own witness.
    pub fn recalled(self) -> Self {
        Self { recalled: true, ..self }
    }

    /// Cuts out what was recalled, and takes the mentions of what is left. True if nothing is left to ingest.
    pub fn prepare(&mut self) -> bool {
        if self.recalled {
            return true;
        }
        let said_more = self.text.as_ref().is_some_and(|text| !text.is_empty());
        if let Some(text) = &self.text {
            let own = without_recalled(text);
            self.mentions = mentions(&own);
            let own = own.into_owned();
            self.text = (!own.trim().is_empty()).then_some(own);
        }
        said_more && self.text.is_none() && self.facts.is_empty() && self.data.is_none()
    }

    /// Whether it can be ingested.
    ///
    /// # Errors
    /// `Invalid`: a name, a key, a size, a number of facts, or a time.
    pub fn check(&self) -> Result<()> {
        check_name("the kind of an episode", &self.kind)?;
        check_key("the source of an episode", &self.source, MAX_KEY_BYTES)?;
        if let Some(key) = &self.key {
            check_key("the key of an episode", key, MAX_KEY_BYTES)?;
        }
        let sizes = [
            ("text", self.text.as_ref().map_or(0, String::len)),
            ("data", self.data.as_ref().map_or(0, |data| data.to_string().len())),
        ];
        for (what, size) in sizes {
            if size > MAX_TEXT_BYTES {
                return Err(Error::invalid(format!(
                    "the {what} of an episode of {} has {size} bytes, at most {MAX_TEXT_BYTES}; keep it in a \
                     document, and make that the source",
                    self.source
                )));
            }
        }
        let count = self.facts.len() + self.mentions.len();
        if count > MAX_FACTS {
            return Err(Error::invalid(format!(
                "an episode of {} says {count} facts, at most {MAX_FACTS}; cut it into several",
                self.source
            )));
        }
        self.facts.iter().try_for_each(Fact::check)
    }
}

pub(super) fn check_name(what: &str, name: &str) -> Result<()> {
    check_key(what, name, MAX_NAME_BYTES)
}

pub(super) fn check_key(what: &str, key: &str, most: usize) -> Result<()> {
    if key.is_empty() {
        return Err(Error::invalid(format!("{what} is empty")));
    }
    if key.len() > most {
        return Err(Error::invalid(format!("{what} has {} bytes, at most {most}", key.len())));
    }
    if key.chars().any(char::is_control) {
        return Err(Error::invalid(format!("{what} holds a control character")));
    }
    Ok(())
}
