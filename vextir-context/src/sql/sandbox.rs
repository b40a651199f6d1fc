//! The connection that queries run on, one after the other: empty, in memory, and told to do nothing but to select from
//! our tables. It holds nothing of any query but the plans of some texts of one user: there is nothing in it that could be
//! changed, and the tables look up for whom they work when they are read.

use super::functions::{self, ALLOWED};
use super::run::{Run, Served, Serving};
use super::table::{self, TABLES};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{CachedStatement, Connection, Result, StatementStatus};
use std::sync::Arc;

/// The longest text or blob in a query, in bytes.
pub(super) const LONGEST: usize = 2 << 20;

/// After how many steps of SQLite's machine the deadline is looked at.
const STEPS: i32 = 1_000;

/// What SQLite itself keeps to.
const LIMITS: [(Limit, i32); 11] = [
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 64 << 10),
    (Limit::SQLITE_LIMIT_COLUMN, 64),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 20),
    (Limit::SQLITE_LIMIT_VDBE_OP, 100_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64 << 10),
];

/// How the names of SQLite's own tables begin.
const INTERNAL: [&str; 8] =
    ["sqlite_", "pragma_", "json_", "jsonb_", "dbstat", "fts", "bytecode", "tables_used"];

/// How many plans are kept, and the most bytes of one.
const PLANS: usize = 16;
const PLAN: i32 = 64 << 10;

/// A connection of a query thread.
pub(super) struct Sandbox {
    pub(super) connection: Connection,
    serving: Arc<Serving>,
}

impl Sandbox {
    pub(super) fn open() -> Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        // What is sorted goes to a temporary file that nobody else can open, and not into memory without end.
        connection.execute_batch("PRAGMA temp_store = FILE; PRAGMA cache_size = -2000;")?;
        for (config, on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        ] {
            connection.set_db_config(config, on)?;
        }
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(LONGEST).unwrap_or(i32::MAX))?;
        for (limit, most) in LIMITS {
            connection.set_limit(limit, most)?;
        }
        connection.set_prepared_statement_cache_capacity(PLANS);
        let serving = Arc::<Serving>::default();
        table::register(&connection, &serving)?;
        functions::register(&connection, &serving, LONGEST)?;
        connection.authorizer(Some(allow))?;
        let clock = serving.clone();
        connection.progress_handler(STEPS, Some(move || clock.is_over()))?;
        Ok(Self { connection, serving })
    }

    /// Works for a query until what comes back is dropped.
    pub(super) fn serve(&self, run: &Arc<Run>) -> Served<'_> {
        self.serving.begin(run)
    }
}

/// Gives a statement back, for who asks the same next time; one with a large plan goes.
pub(super) fn put_back(statement: CachedStatement<'_>) {
    if statement.get_status(StatementStatus::MemUsed) > PLAN {
        statement.discard();
    }
}

/// Selecting from our tables with listed functions; nothing else.
fn allow(asked: AuthContext<'_>) -> Authorization {
    let is_allowed = match asked.action {
        AuthAction::Select | AuthAction::Recursive => true,
        // A table of the query's own (WITH) of which no column is read comes without a schema, as those of SQLite's
        // own may: these are known by their names, and empty or without a tenant's data in any case.
        AuthAction::Read { table_name, column_name: "" } if asked.database_name.is_none() => {
            let name = table_name.to_ascii_lowercase();
            !INTERNAL.iter().any(|start| name.starts_with(start))
        }
        AuthAction::Read { table_name, .. } => {
            asked.database_name.is_none_or(|name| name == "main")
                && TABLES.iter().any(|(name, ..)| *name == table_name)
        }
        AuthAction::Function { function_name } => {
            ALLOWED.iter().any(|name| name.eq_ignore_ascii_case(function_name))
        }
        _ => false,
    };
    if is_allowed { Authorization::Allow } else { Authorization::Deny }
}
