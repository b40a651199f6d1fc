//! What can be read from a hub's file. Each function is short, and leaves no transaction open.

pub(crate) mod sql;

use crate::decode;
use crate::fault::{OrFault, damaged};
use crate::key::Key;
use rusqlite::types::FromSql;
use rusqlite::{Connection, Params, Row};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use vextir_core::bus::{Checkpoint, DeadLetter, Delivery, Held, Hold, KnownDriver, Logged, Page, Parked};
use vextir_core::{
    AuditRecord, Data, Error, ErrorKind, EventFilter, EventId, Lease, Limits, Name, Result, Sequence,
};

/// How long one read of the log looks for matches before it hands over what it has.
const PATIENCE: Duration = Duration::from_millis(5);

/// Numbers of SQLite are signed.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// All rows that a query answers.
pub(crate) fn rows<T, P: Params>(
    connection: &Connection,
    sql: &str,
    params: P,
    read: impl Fn(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query(params).or_fault()?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().or_fault()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The row that a query answers, if it answers one.
pub(crate) fn one<T, P: Params>(
    connection: &Connection,
    sql: &str,
    params: P,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = connection.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query(params).or_fault()?;
    rows.next().or_fault()?.map(read).transpose()
}

/// The value that a query answers, if it answers one.
pub(crate) fn value<T: FromSql>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Option<T>> {
    one(connection, sql, params, |row| decode::get(row, 0))
}

/// The last change of a document or folder.
pub(crate) fn last_change(connection: &Connection) -> Result<u64> {
    number(connection, "SELECT coalesce(max(seq), 0) FROM change", [])
}

/// One value of the `meta` table.
pub(crate) fn meta<T: FromSql>(connection: &Connection, name: &str) -> Result<Option<T>> {
    value::<Option<T>>(connection, "SELECT value FROM meta WHERE name = ?1", [name]).map(Option::flatten)
}

/// A single number that a query answers.
pub(crate) fn number<P: Params>(connection: &Connection, sql: &str, params: P) -> Result<u64> {
    let found: i64 = connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(params, |row| row.get(0)))
        .or_fault()?;
    u64::try_from(found).map_err(|_| damaged("a number"))
}

/// A stretch of the log; see [`EventBus::read`](vextir_core::EventBus::read).
pub(crate) fn read(
    connection: &Connection,
    after: Sequence,
    filter: &EventFilter,
    limit: usize,
) -> Result<Page> {
    // Mark and rows from one snapshot: what is missing below is then missing from the mark too.
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let trimmed = stored_number(&snapshot, "trimmed")?;
    if after < trimmed {
        return Err(gap(after, trimmed));
    }
    let page = scan(&snapshot, after, filter, limit)?;
    snapshot.finish().or_fault()?;
    Ok(page)
}

fn scan(connection: &Connection, after: Sequence, filter: &EventFilter, limit: usize) -> Result<Page> {
    let began = Instant::now();
    let mut page = Page { events: Vec::new(), next: after, at_head: true };
    let mut statement = connection.prepare_cached(&sql::READ).or_fault()?;
    let mut rows = statement.query([signed(after)]).or_fault()?;
    while let Some(row) = rows.next().or_fault()? {
        if page.events.len() >= limit || (page.next > after && began.elapsed() > PATIENCE) {
            page.at_head = false;
            break;
        }
        let logged = decode::logged(row)?;
        page.next = logged.sequence;
        if filter.matches(&logged.event) {
            page.events.push(logged);
        }
    }
    Ok(page)
}

/// A number of the `meta` table; 0 when it was never written.
pub(crate) fn stored_number(connection: &Connection, name: &str) -> Result<u64> {
    let found = meta::<i64>(connection, name)?.unwrap_or(0);
    u64::try_from(found).map_err(|_| damaged(name))
}

fn gap(after: Sequence, trimmed: Sequence) -> Error {
    Error::new(
        ErrorKind::Gap,
        format!("retention removed the events {} to {trimmed}; the log begins at {}", after + 1, trimmed + 1),
    )
}

/// The logged event with an id.
pub(crate) fn find(connection: &Connection, user: &Name, id: &EventId) -> Result<Option<Logged>> {
    Ok(rows(connection, &sql::FIND, [Key::new(user, id)], decode::logged)?.pop())
}

/// The ledger of a tree.
pub(crate) fn lease(connection: &Connection, key: &Key, defaults: &Limits) -> Result<Option<Lease>> {
    Ok(rows(connection, sql::LEASE, [key], |row| decode::lease(row, defaults))?.pop())
}

/// Open deliveries.
pub(crate) fn pending(connection: &Connection, after: u64, limit: usize) -> Result<Vec<Delivery>> {
    rows(connection, &sql::PENDING, [signed(after), at_most(limit)], decode::delivery)
}

/// Deliveries that are set aside, counted by driver.
pub(crate) fn unclaimed(connection: &Connection) -> Result<BTreeMap<Name, usize>> {
    let counted = rows(connection, sql::UNCLAIMED, [], |row| {
        let count = usize::try_from(decode::count(row, 1)?).unwrap_or(usize::MAX);
        Ok((decode::name(row, 0)?, count))
    });
    Ok(counted?.into_iter().collect())
}

/// Those of one driver.
pub(crate) fn unclaimed_of(
    connection: &Connection,
    driver: &Name,
    after: u64,
    limit: usize,
) -> Result<Vec<Delivery>> {
    let params = (driver.as_str(), signed(after), at_most(limit));
    rows(connection, &sql::UNCLAIMED_OF, params, decode::delivery)
}

/// Events that wait to be routed.
pub(crate) fn unrouted(connection: &Connection, limit: usize) -> Result<Vec<Logged>> {
    rows(connection, &sql::UNROUTED, [at_most(limit)], decode::logged)
}

/// Events that wait beside the log.
pub(crate) fn parked(connection: &Connection, hold: Hold, limit: usize) -> Result<Vec<Parked>> {
    match crate::encode::hold(hold)? {
        0 => rows(connection, &sql::DELAYED, [at_most(limit)], decode::parked),
        hold => rows(connection, &sql::HELD, [at_most(limit), hold], decode::parked),
    }
}

/// Held events.
pub(crate) fn held(connection: &Connection, which: &Held, limit: usize) -> Result<Vec<Parked>> {
    let one = |user: &Name, id: &EventId| -> Result<Vec<Parked>> {
        let found = rows(connection, &sql::ONE_PARKED, [Key::new(user, id)], decode::parked)?;
        Ok(found.into_iter().filter(|parked| parked.hold != Hold::Delayed).collect())
    };
    let most = at_most(limit);
    let mut held = match which {
        Held::Event(user, id) => one(user, id)?,
        Held::Tree(user, root) => {
            let mut held = one(user, root)?;
            held.extend(rows(connection, &sql::HELD_TREE, (Key::new(user, root), most), decode::parked)?);
            held.sort_by_key(|parked| parked.number);
            held.retain(|parked| parked.event.user_id == *user);
            held
        }
        Held::Key(user, key) => {
            rows(connection, &sql::HELD_KEY, (user.as_str(), key.as_str(), most), decode::parked)?
        }
        Held::User(user) => rows(connection, &sql::HELD_USER, (user.as_str(), most), decode::parked)?,
        _ => return Err(Error::new(ErrorKind::Unsupported, "the hub does not know this listing")),
    };
    held.truncate(limit);
    Ok(held)
}

/// Dead letters.
pub(crate) fn dead(connection: &Connection, after: u64, limit: usize) -> Result<Vec<DeadLetter>> {
    rows(connection, &sql::DEAD, [signed(after), at_most(limit)], decode::dead)
}

/// Audit records with their numbers.
pub(crate) fn audit(connection: &Connection, after: u64, limit: usize) -> Result<Vec<(u64, AuditRecord)>> {
    rows(connection, sql::AUDIT, [signed(after), at_most(limit)], |row| {
        let json: String = decode::get(row, 1)?;
        let record = serde_json::from_str(&json).map_err(|_| damaged("an audit record"))?;
        Ok((decode::count(row, 0)?, record))
    })
}

/// A watching driver's checkpoints.
pub(crate) fn checkpoints(
    connection: &Connection,
    driver: &Name,
    after: &str,
    limit: usize,
) -> Result<Vec<Checkpoint>> {
    rows(connection, sql::CHECKPOINTS, (driver.as_str(), after, at_most(limit)), |row| {
        let value: Option<Data> = decode::data(row, 1)?;
        Ok(Checkpoint { driver: driver.clone(), key: decode::get(row, 0)?, value })
    })
}

/// The drivers that registered here.
pub(crate) fn drivers(connection: &Connection) -> Result<Vec<KnownDriver>> {
    let sql = "SELECT name, version FROM driver WHERE version IS NOT NULL ORDER BY name";
    rows(connection, sql, [], |row| {
        Ok(KnownDriver { id: decode::name(row, 0)?, version: decode::get(row, 1)? })
    })
}

fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
