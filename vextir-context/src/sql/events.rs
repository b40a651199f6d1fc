//! The table `events`: those of the user, as the log holds them.

use super::plan::Wanted;
use super::rows::moment;
use crate::decode;
use crate::fault::OrFault;
use crate::queries;
use crate::schema::EVENT_COLUMNS;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::collections::VecDeque;
use vextir_core::bus::Logged;
use vextir_core::{Actor, Error, Event, EventId, Name, Result};

pub(super) const EVENTS: &[&str] = &[
    "id",
    "type",
    "category",
    "timestamp",
    "user_id",
    "source",
    "data",
    "correlation_id",
    "root_id",
    "depth",
    "ordering_key",
    "labels",
    "metadata",
];

/// How many rows of the log are looked at between two looks at the clock, and how many events are kept at once.
const STRETCH: i64 = 4_096;
const PAGE: usize = 16;

/// Goes through a user's events.
#[derive(Debug)]
pub(super) struct Events {
    user: Name,
    after: i64,
    last: i64,
    page: VecDeque<Logged>,
}

impl Events {
    pub(super) fn begin(hub: &Connection, actor: &Actor, wanted: &Wanted) -> Result<Self> {
        let mut events = Self { user: actor.user.clone(), after: 0, last: 0, page: VecDeque::new() };
        if actor.agent.is_some() {
            // An agent acts within what was granted to it, and events are not.
            return Ok(events);
        }
        if let Some(id) = &wanted.id {
            if let Ok(id) = id.parse::<EventId>() {
                let found = queries::find(hub, &actor.user, &id)?;
                events.page.extend(found.filter(|logged| logged.event.user_id == actor.user));
            }
            return Ok(events);
        }
        let bound = |sql: &str| hub.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).or_fault();
        events.after = bound("SELECT min(seq) FROM log")?.unwrap_or(1) - 1;
        events.last = bound("SELECT max(seq) FROM log")?.unwrap_or(0);
        Ok(events)
    }

    pub(super) fn next(
        &mut self,
        hub: &Connection,
        is_over: &dyn Fn() -> Result<()>,
    ) -> Result<Option<Event>> {
        while self.page.is_empty() && self.after < self.last {
            is_over()?;
            self.fill(hub)?;
        }
        Ok(self.page.pop_front().map(|logged| logged.event))
    }

    fn fill(&mut self, hub: &Connection) -> Result<()> {
        let end = self.after.saturating_add(STRETCH);
        let sql = format!(
            "SELECT seq, logged, {EVENT_COLUMNS} FROM log WHERE seq > ?1 AND seq <= ?2 AND user = ?3 ORDER BY seq"
        );
        let mut statement = hub.prepare_cached(&sql).or_fault()?;
        let mut rows = statement.query((self.after, end, self.user.as_str())).or_fault()?;
        self.after = end;
        while let Some(row) = rows.next().or_fault()? {
            self.page.push_back(decode::logged(row)?);
            if self.page.len() >= PAGE {
                self.after = decode::get(row, 0)?;
                break;
            }
        }
        Ok(())
    }
}

/// A column of an event.
pub(super) fn of_event(event: &Event, column: &str) -> Result<Value> {
    let text = |text: &str| Value::Text(text.to_owned());
    let id = |id: &Option<EventId>| id.as_ref().map_or(Value::Null, |id| Value::Text(id.to_string()));
    Ok(match column {
        "id" => Value::Text(event.id.to_string()),
        "type" => text(&event.event_type),
        "category" => text(event.category.as_str()),
        "timestamp" => moment(event.timestamp),
        "user_id" => text(&event.user_id),
        "source" => text(&event.source),
        "data" if event.data.is_empty() => Value::Null,
        "data" if event.data.as_json().len() > super::sandbox::LONGEST => {
            let (id, longest) = (&event.id, super::sandbox::LONGEST);
            return Err(Error::invalid(format!(
                "the data of the event {id} are longer than the {longest} bytes that a query takes; leave it out"
            )));
        }
        "data" => text(event.data.as_json()),
        "correlation_id" => id(&event.correlation_id),
        "root_id" => id(&event.root_id),
        "depth" => Value::Integer(i64::from(event.depth)),
        "ordering_key" => event.ordering_key.as_deref().map_or(Value::Null, text),
        "labels" => Value::Text(crate::encode::json(&event.labels)?),
        "metadata" => Value::Text(crate::encode::json(&event.metadata)?),
        _ => Value::Null,
    })
}
