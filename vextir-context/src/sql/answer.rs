//! From a user's SQL to rows of JSON, or to an error that gives nothing away.

use super::QueryLimits;
use super::run::Run;
use super::sandbox::{LONGEST, Sandbox, put_back};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{Batch, Connection, Error as Sqlite, ErrorCode, Statement};
use serde_json::{Map, Number, Value};
use std::sync::Arc;
use vextir_core::{Error, ErrorKind, Name, Result};

/// The rows of a query. What was used for one that was answered is kept for the next one, its plans for one of the same
/// user alone: the time of an answer would tell others that this text was asked.
pub(super) fn answer(
    kept: &mut Option<(Name, Sandbox)>,
    run: &Arc<Run>,
    limits: &QueryLimits,
    (sql, parameters): (&str, &[Value]),
) -> Result<Vec<Value>> {
    if let Some(at) = sql.find('\0') {
        return Err(Error::invalid(format!("the query holds a NUL character at byte {}", at + 1)));
    }
    let sandbox = match kept.take() {
        Some((user, sandbox)) => {
            if user != run.actor.user {
                sandbox.connection.flush_prepared_statement_cache();
            }
            sandbox
        }
        None => Sandbox::open().map_err(|error| unprepared(run, error))?,
    };
    let served = sandbox.serve(run);
    let rows = ask(&sandbox.connection, run, limits, (sql, parameters))?;
    drop(served);
    *kept = Some((run.actor.user.clone(), sandbox));
    Ok(rows)
}

fn ask(
    connection: &Connection,
    run: &Run,
    limits: &QueryLimits,
    (sql, parameters): (&str, &[Value]),
) -> Result<Vec<Value>> {
    // Where there is no semicolon there is one statement at most. The library looks for another one behind each
    // semicolon before it keeps a plan, one call within the other: an attacker can write too many of them.
    if sql.contains(';') {
        return rows(&mut only(connection, run, sql)?, run, limits, parameters);
    }
    let mut statement = match connection.prepare_cached(sql) {
        Ok(statement) => statement,
        // It counts places from the first word on.
        Err(error) => return Err(only(connection, run, sql).err().unwrap_or_else(|| unprepared(run, error))),
    };
    let rows = rows(&mut statement, run, limits, parameters)?;
    put_back(statement);
    Ok(rows)
}

/// The only statement of a text.
fn only<'c>(connection: &'c Connection, run: &Run, sql: &str) -> Result<Statement<'c>> {
    let mut statements = Batch::new(connection, sql);
    let first = statements.next().map_err(|error| unprepared(run, error))?;
    let statement = first.ok_or_else(empty)?;
    if !matches!(statements.next(), Ok(None)) {
        return Err(Error::invalid("a query is one statement; send the next one on its own"));
    }
    Ok(statement)
}

fn empty() -> Error {
    Error::invalid("the query is empty; write one SELECT")
}

fn rows(
    statement: &mut Statement<'_>,
    run: &Run,
    limits: &QueryLimits,
    parameters: &[Value],
) -> Result<Vec<Value>> {
    if statement.is_explain() != 0 || !statement.readonly() || statement.column_count() == 0 {
        // What has nothing to be prepared in it has no text either.
        let is_empty = statement.expanded_sql().is_none();
        return Err(if is_empty { empty() } else { Error::invalid("a query is a SELECT") });
    }
    bind(statement, parameters)?;
    let columns = columns(statement)?;
    collect(run, limits, statement, &columns)
}

fn bind(statement: &mut Statement<'_>, parameters: &[Value]) -> Result<()> {
    let wanted = statement.parameter_count();
    if wanted != parameters.len() {
        return Err(Error::invalid(format!(
            "the query has {wanted} parameters, and {} values were given",
            parameters.len()
        )));
    }
    for (index, value) in (1..).zip(parameters) {
        let value = match value {
            Value::Null => Stored::Null,
            Value::Bool(on) => Stored::Integer(i64::from(*on)),
            Value::String(text) => Stored::Text(text.clone()),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(number), _) => Stored::Integer(number),
                (None, Some(number)) => Stored::Real(number),
                (None, None) => Stored::Null,
            },
            Value::Array(_) | Value::Object(_) => Stored::Text(value.to_string()),
        };
        statement
            .raw_bind_parameter(index, value)
            .map_err(|_| Error::invalid(format!("parameter {index} is longer than {LONGEST} bytes")))?;
    }
    Ok(())
}

/// The names of the columns: members of an object, so each once.
fn columns(statement: &Statement<'_>) -> Result<Vec<String>> {
    let mut columns: Vec<String> = Vec::with_capacity(statement.column_count());
    for name in statement.column_names() {
        if columns.iter().any(|other| other == name) {
            return Err(Error::invalid(format!(
                "two columns of the result are called {}; give one another name with AS",
                short(name)
            )));
        }
        columns.push(name.to_owned());
    }
    Ok(columns)
}

fn collect(
    run: &Run,
    limits: &QueryLimits,
    statement: &mut Statement<'_>,
    columns: &[String],
) -> Result<Vec<Value>> {
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next().map_err(|error| stopped(run, &error))? {
        if found.len() >= limits.rows {
            return Err(Error::invalid(format!(
                "the result has more than {} rows; narrow it down, or page with ORDER BY and LIMIT",
                limits.rows
            )));
        }
        let mut object = Map::new();
        for (index, name) in columns.iter().enumerate() {
            let value = row.get_ref(index).map_err(|error| stopped(run, &error))?;
            bytes += name.len() + size(value);
            if bytes > limits.bytes {
                return Err(Error::invalid(format!(
                    "the result has more than {} bytes; select fewer columns or rows",
                    limits.bytes
                )));
            }
            object.insert(name.clone(), json(value, name)?);
        }
        found.push(Value::Object(object));
    }
    Ok(found)
}

/// About what a value takes in the result.
fn size(value: ValueRef<'_>) -> usize {
    const SMALL: usize = 32;
    match value {
        ValueRef::Text(bytes) => SMALL + bytes.len(),
        ValueRef::Blob(bytes) => SMALL + 2 * bytes.len(),
        _ => SMALL,
    }
}

fn json(value: ValueRef<'_>, column: &str) -> Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => return Err(Error::invalid(format!("{} is no UTF-8 text; use hex()", short(column)))),
        },
        ValueRef::Blob(bytes) => crate::key::hex(bytes).into(),
    })
}

/// What is wrong with the query itself: it follows from its text alone, and may be shown.
fn unprepared(run: &Run, error: Sqlite) -> Error {
    if run.is_over() {
        return run.too_long();
    }
    let (message, place) = match error {
        Sqlite::SqlInputError { msg, offset, .. } => (msg, usize::try_from(offset).ok()),
        Sqlite::SqliteFailure(_, Some(msg)) => (msg, None),
        _ => ("it cannot be read".to_owned(), None),
    };
    let place = place.map(|at| format!(" (at byte {})", at + 1)).unwrap_or_default();
    Error::invalid(format!("the query is refused: {}{place}", short(&message)))
}

/// Why a query ended while it ran. SQLite's own words may hold data, and are not shown.
fn stopped(run: &Run, error: &Sqlite) -> Error {
    if let Some(failure) = run.failure() {
        return failure;
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => run.too_long(),
        _ if run.is_over() => run.too_long(),
        Some(ErrorCode::TooBig) => super::too_big(LONGEST),
        Some(ErrorCode::OutOfMemory | ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => {
            Error::new(ErrorKind::Unavailable, "there was no room to run the query; narrow it down")
        }
        _ => Error::invalid("the query failed while it ran; look at JSON paths, numbers and casts in it"),
    }
}

/// The beginning of what somebody else wrote.
fn short(text: &str) -> String {
    const LONGEST: usize = 200;
    text.chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect::<String>()
        .replace("\\\"", "\"")
        .replace("\\'", "'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;
    use std::sync::Mutex;
    use std::time::Duration;
    use vextir_core::{Actor, Timestamp};

    #[test]
    fn plans_are_kept_for_the_same_user_alone() {
        const SQL: &str = "SELECT 'a text that somebody may guess' AS text";
        let hub = Arc::new(Mutex::new(Connection::open_in_memory().unwrap()));
        let mut kept = None;
        let mut runs_after = |user: &str, sql: &str| {
            let whose = (Actor::user(user), Timestamp::UNSET);
            let run = Run::new(whose, hub.clone(), Duration::from_secs(60), Default::default());
            answer(&mut kept, &Arc::new(run), &QueryLimits::default(), (sql, &[])).unwrap();
            let (_, sandbox): &(Name, Sandbox) = kept.as_ref().unwrap();
            sandbox.connection.prepare_cached(SQL).unwrap().get_status(StatementStatus::Run)
        };
        assert_eq!([runs_after("ann", SQL), runs_after("ann", SQL)], [1, 2]);
        assert_eq!(runs_after("bob", "SELECT 1"), 0);
        assert_eq!([runs_after("bob", SQL), runs_after("ann", SQL)], [1, 1]);
    }
}
