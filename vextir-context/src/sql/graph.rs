//! The tables `links` and `entities`: the user's own graph, as far as it is seen.

use super::rows::moment;
use super::run::Run;
use crate::decode::get;
use crate::graph::{Sight, Stated, link, links_of, properties};
use crate::queries;
use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::{Map, Value as Json};
use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::Arc;
use vextir_core::context::graph::{EntityKey, Link, Object, View};
use vextir_core::{Result, Timestamp};

pub(super) const LINKS: &[&str] = &[
    "id",
    "subject_kind",
    "subject",
    "relation",
    "object_kind",
    "object",
    "value",
    "valid_from",
    "valid_until",
    "known_from",
    "known_until",
    "source",
    "episode",
];
pub(super) const ENTITIES: &[&str] = &["id", "kind", "key", "name", "properties"];

/// How many entities are looked at between two looks at the clock.
const PAGE: usize = 64;

/// One row of either table.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Link(Box<Link>, String),
    /// Its properties are looked up by the first column that wants them.
    Entity(i64, EntityKey, OnceCell<Map<String, Json>>),
}

/// Goes through a user's graph, entity by entity.
pub(super) struct Graph {
    sight: Sight,
    after: i64,
    page: VecDeque<i64>,
    said: VecDeque<Stated>,
    wants_links: bool,
}

impl Graph {
    pub(super) fn begin(hub: &Connection, run: &Arc<Run>, wants_links: bool) -> Result<Self> {
        let clock = run.clone();
        let sight =
            Sight::new(hub, View::own(run.actor.clone()), run.now)?.while_allowed(move || clock.check());
        Ok(Self { sight, after: 0, page: VecDeque::new(), said: VecDeque::new(), wants_links })
    }

    pub(super) fn next(&mut self, hub: &Connection) -> Result<Option<Found>> {
        loop {
            self.sight.go_on()?;
            while let Some(stated) = self.said.pop_front() {
                if let Some(link) = link(hub, &mut self.sight, stated)? {
                    let source = self.sight.source(hub, stated.episode)?;
                    return Ok(Some(Found::Link(Box::new(link), source)));
                }
            }
            let Some(entity) = self.page.pop_front() else {
                if !self.fill(hub)? {
                    return Ok(None);
                }
                continue;
            };
            if self.wants_links {
                self.said = links_of(hub, &mut self.sight, entity)?.into();
            } else if let Some(key) = self.sight.key(hub, entity)?
                && self.sight.is_named(hub, entity)?
            {
                return Ok(Some(Found::Entity(entity, key, OnceCell::new())));
            }
        }
    }

    fn fill(&mut self, hub: &Connection) -> Result<bool> {
        let sql = "SELECT id FROM entity WHERE owner = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
        let params = (self.sight.view.owner.as_str(), self.after, PAGE as i64);
        self.page = queries::rows(hub, sql, params, |row| get(row, 0))?.into();
        self.after = self.page.back().copied().unwrap_or(self.after);
        Ok(!self.page.is_empty())
    }

    /// A column of what was found.
    pub(super) fn column(&mut self, hub: &Connection, found: &Found, column: &str) -> Result<Value> {
        let text = |text: &str| Value::Text(text.to_owned());
        let (entity, key, known) = match found {
            Found::Link(link, source) => return Ok(of_link(link, source, column)),
            Found::Entity(entity, key, known) => (*entity, key, known),
        };
        if matches!(column, "name" | "properties") && known.get().is_none() {
            let _ = known.set(properties(hub, &mut self.sight, entity)?);
        }
        let property = |name: &str| known.get().and_then(|properties| properties.get(name));
        Ok(match column {
            "id" => Value::Text(self.sight.id(hub, entity)?),
            "kind" => text(&key.kind),
            "key" => text(&key.key),
            "name" => text(property("name").and_then(Json::as_str).unwrap_or(&key.key)),
            "properties" => {
                let properties = known.get().cloned().unwrap_or_default();
                Value::Text(Json::Object(properties).to_string())
            }
            _ => Value::Null,
        })
    }
}

fn of_link(link: &Link, source: &str, column: &str) -> Value {
    let text = |text: &str| Value::Text(text.to_owned());
    let maybe = |time: Option<Timestamp>| time.map_or(Value::Null, moment);
    match (column, &link.object) {
        ("id", _) => text(&link.id),
        ("subject_kind", _) => text(&link.subject.kind),
        ("subject", _) => text(&link.subject.key),
        ("relation", _) => text(&link.relation),
        ("object_kind", Object::Entity(key)) => text(&key.kind),
        ("object", Object::Entity(key)) => text(&key.key),
        ("value", Object::Value(value) | Object::Property(value)) => Value::Text(value.to_string()),
        ("valid_from", _) => moment(link.valid_from),
        ("valid_until", _) => maybe(link.valid_until),
        ("known_from", _) => moment(link.known_from),
        ("known_until", _) => maybe(link.known_until),
        ("source", _) => text(source),
        ("episode", _) => link.episodes.first().map_or(Value::Null, |id| text(id)),
        _ => Value::Null,
    }
}
