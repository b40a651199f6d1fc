//! Columns back into events and their companions.

use crate::encode::EVENT_WIDTH;
use crate::fault::{OrFault, damaged};
use crate::key::Key;
use rusqlite::Row;
use rusqlite::types::{FromSql, ValueRef};
use serde::de::DeserializeOwned;
use vextir_core::bus::{DeadLetter, Delivery, Hold, Logged, Parked};
use vextir_core::{
    Category, Data, Event, EventId, Lease, LeaseState, Limits, Name, Priority, Result, Timestamp,
};

/// One column.
pub(crate) fn get<T: FromSql>(row: &Row<'_>, at: usize) -> Result<T> {
    row.get(at).or_fault()
}

/// A number that is never negative.
pub(crate) fn count(row: &Row<'_>, at: usize) -> Result<u64> {
    u64::try_from(get::<i64>(row, at)?).map_err(|_| damaged("a number"))
}

pub(crate) fn small(row: &Row<'_>, at: usize) -> Result<u32> {
    u32::try_from(get::<i64>(row, at)?).map_err(|_| damaged("a number"))
}

fn text<'a>(row: &'a Row<'_>, at: usize) -> Result<Option<&'a str>> {
    match row.get_ref(at).or_fault()? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map(Some).map_err(|_| damaged("a text")),
        _ => Err(damaged("a text")),
    }
}

/// A text column that is never null.
pub(crate) fn name(row: &Row<'_>, at: usize) -> Result<Name> {
    text(row, at)?.map(Name::from).ok_or_else(|| damaged("a name"))
}

/// A moment.
pub(crate) fn time(row: &Row<'_>, at: usize) -> Result<Timestamp> {
    Ok(Timestamp::from_micros(get(row, at)?))
}

fn maybe_time(row: &Row<'_>, at: usize) -> Result<Option<Timestamp>> {
    Ok(get::<Option<i64>>(row, at)?.map(Timestamp::from_micros))
}

/// Payload text, null where there is none.
pub(crate) fn data(row: &Row<'_>, at: usize) -> Result<Option<Data>> {
    text(row, at)?.map(|json| Data::from_json(json).map_err(|_| damaged("a payload"))).transpose()
}

/// A value that is stored as JSON, null where it is the default.
pub(crate) fn json<T: DeserializeOwned + Default>(row: &Row<'_>, at: usize) -> Result<T> {
    match text(row, at)? {
        None => Ok(T::default()),
        Some(json) => serde_json::from_str(json).map_err(|error| damaged(format_args!("a row ({error})"))),
    }
}

/// An id, null where there is none.
pub(crate) fn id(row: &Row<'_>, at: usize) -> Result<Option<EventId>> {
    match row.get_ref(at).or_fault()? {
        ValueRef::Null => Ok(None),
        value => Key::read(value)?.id().map(Some),
    }
}

/// An event from [`EVENT_WIDTH`] columns, the first of which is `at`.
pub(crate) fn event(row: &Row<'_>, at: usize) -> Result<Event> {
    let mut event = Event::new(name(row, at + 1)?);
    let envelope = event.edit();
    envelope.id = id(row, at)?.ok_or_else(|| damaged("an id"))?;
    envelope.category = match get::<i64>(row, at + 2)? {
        0 => Category::Input,
        1 => Category::Internal,
        2 => Category::Output,
        other => return Err(damaged(format_args!("the category {other}"))),
    };
    envelope.timestamp = time(row, at + 3)?;
    envelope.user_id = name(row, at + 4)?;
    envelope.source = name(row, at + 5)?;
    envelope.correlation_id = id(row, at + 6)?;
    envelope.root_id = id(row, at + 7)?;
    envelope.depth = small(row, at + 8)?;
    envelope.ordering_key = text(row, at + 9)?.map(Name::from);
    envelope.deliver_at = maybe_time(row, at + 10)?;
    envelope.priority = match get::<Option<i64>>(row, at + 11)? {
        Some(0) => Priority::High,
        None => Priority::Normal,
        Some(2) => Priority::Low,
        Some(other) => return Err(damaged(format_args!("the priority {other}"))),
    };
    envelope.labels = json(row, at + 12)?;
    envelope.metadata = json(row, at + 13)?;
    envelope.branch_id = id(row, at + 14)?;
    envelope.data = data(row, at + 15)?.unwrap_or_default();
    Ok(event)
}

/// The columns `seq, logged` and an event.
pub(crate) fn logged(row: &Row<'_>) -> Result<Logged> {
    Ok(Logged { sequence: count(row, 0)?, logged_at: time(row, 1)?, event: event(row, 2)? })
}

/// A delivery, as the queries of [`sql`](crate::queries::sql) select it.
pub(crate) fn delivery(row: &Row<'_>) -> Result<Delivery> {
    Ok(Delivery {
        position: count(row, 0)?,
        sequence: count(row, 1)?,
        logged_at: time(row, 3)?,
        attempt: small(row, 4)?,
        reclaims: small(row, 5)?,
        due: maybe_time(row, 6)?,
        obligations: data(row, 7)?,
        error: text(row, 8)?.map(str::to_owned),
        reserve: json(row, 9)?,
        ..Delivery::new(name(row, 2)?, event(row, 10)?)
    })
}

/// A dead letter.
pub(crate) fn dead(row: &Row<'_>) -> Result<DeadLetter> {
    Ok(DeadLetter {
        position: count(row, 0)?,
        sequence: count(row, 1)?,
        driver: name(row, 2)?,
        logged_at: time(row, 3)?,
        attempts: small(row, 4)?,
        at: time(row, 5)?,
        reason: text(row, 6)?.unwrap_or_default().to_owned(),
        obligations: data(row, 7)?,
        reserve: json(row, 8)?,
        event: event(row, 9)?,
    })
}

/// A parked event.
pub(crate) fn parked(row: &Row<'_>) -> Result<Parked> {
    let hold = match get::<i64>(row, 1)? {
        0 => Hold::Delayed,
        1 => Hold::Approval,
        2 => Hold::Lease,
        3 => Hold::Key,
        other => return Err(damaged(format_args!("the hold {other}"))),
    };
    Ok(Parked {
        number: count(row, 0)?,
        hold,
        since: time(row, 2)?,
        decision: json(row, 3)?,
        approved: json(row, 4)?,
        origin: json(row, 5)?,
        event: event(row, 6)?,
    })
}

/// A ledger. `defaults` stand in for limits that were not written down.
pub(crate) fn lease(row: &Row<'_>, defaults: &Limits) -> Result<Lease> {
    let root = id(row, 0)?.ok_or_else(|| damaged("an id"))?;
    let limits = json::<Option<Limits>>(row, 8)?.unwrap_or_else(|| defaults.clone());
    let mut lease = Lease::new(root, name(row, 1)?, limits);
    lease.events = count(row, 2)?;
    lease.first = count(row, 3)?;
    lease.last = count(row, 4)?;
    lease.open = count(row, 5)?;
    lease.parked = count(row, 6)?;
    lease.state = match get::<i64>(row, 7)? {
        0 => LeaseState::Active,
        1 => LeaseState::Held,
        2 => LeaseState::Cancelled,
        other => return Err(damaged(format_args!("the state {other} of a lease"))),
    };
    lease.units = json(row, 9)?;
    lease.reserved = json(row, 10)?;
    lease.short = json(row, 11)?;
    Ok(lease)
}

// The widths above follow the column lists; a change to one must be a change to the other.
const _: () = assert!(EVENT_WIDTH == 16);
