//! The hub as the store of another system's bus: what its handlers change is committed here, with what that bus must
//! learn, in one transaction.

use crate::decode;
use crate::documents;
use crate::fault::OrFault;
use crate::hub::Hub;
use crate::queries::{one, rows, signed};
use crate::rows::SqlRows;
use rusqlite::{Connection, Row};
use std::sync::Arc;
use vextir_core::bus::{Command, Position};
use vextir_core::context::{Change, Mark, Outbox, Posted};
use vextir_core::{Actor, Data, Error, ErrorKind, Result, Timestamp, async_trait};

/// Goes into the same transaction as the changes of a command.
#[derive(Debug)]
pub(crate) struct Post {
    mark: Mark,
    outcome: Data,
}

/// For [`posted`].
const FIND: &str =
    "SELECT pos, driver, published, outcome, event FROM outbox WHERE log = ?1 AND pos = ?2 AND event = ?3";
const UNPUBLISHED: &str = "SELECT pos, driver, published, outcome, event FROM outbox INDEXED BY outbox_open
     WHERE published = 0 AND log = ?1 AND pos > ?2 ORDER BY pos LIMIT ?3";

/// Refuses what was posted before. Nothing is written yet.
pub(crate) fn refuse_known(rows: &mut SqlRows<'_>, post: &Post) -> Result<()> {
    match find(rows.writing().connection, &post.mark)? {
        None => Ok(()),
        Some(_) => {
            let Mark { position, driver, .. } = &post.mark;
            let message = format!("the outcome of delivery {position} of {driver} was posted before");
            Err(Error::new(ErrorKind::Stale, message))
        }
    }
}

/// Keeps an outcome, in the transaction of the changes.
pub(crate) fn keep(rows: &mut SqlRows<'_>, post: &Post) -> Result<()> {
    let file = rows.writing();
    *file.writes += 1;
    let sql =
        "INSERT INTO outbox (log, pos, event, driver, at, published, outcome) VALUES (?1,?2,?3,?4,?5,0,?6)";
    let row = (
        post.mark.log.cast_signed(),
        signed(post.mark.position),
        post.mark.event.to_string(),
        post.mark.driver.as_str(),
        file.now.as_micros(),
        post.outcome.as_json(),
    );
    file.connection.prepare_cached(sql).or_fault()?.execute(row).or_fault()?;
    rows.grown += 128 + post.outcome.len() as u64;
    Ok(())
}

fn find(connection: &Connection, mark: &Mark) -> Result<Option<Posted>> {
    one(connection, FIND, key(mark), |row| posted(row, mark.log))
}

fn key(mark: &Mark) -> (i64, i64, String) {
    (mark.log.cast_signed(), signed(mark.position), mark.event.to_string())
}

fn posted(row: &Row<'_>, log: u64) -> Result<Posted> {
    let event = decode::get::<String>(row, 4)?.parse()?;
    let mark = Mark { log, position: decode::count(row, 0)?, event, driver: decode::name(row, 1)? };
    let published = decode::get::<i64>(row, 2)? != 0;
    Ok(Posted { mark, outcome: decode::data(row, 3)?.unwrap_or_default(), published })
}

#[async_trait]
impl Outbox for Hub {
    async fn post(&self, mark: &Mark, actor: &Actor, changes: Vec<Change>, outcome: &Data) -> Result<()> {
        let command = Command::Change { actor: actor.clone(), changes };
        let post = Post { mark: mark.clone(), outcome: outcome.clone() };
        documents::change(self, command, Some(Arc::new(post))).await.map(drop)
    }

    async fn posted(&self, mark: &Mark) -> Result<Option<Posted>> {
        let mark = mark.clone();
        self.read_with(move |connection| find(connection, &mark)).await
    }

    async fn unpublished(&self, log: u64, after: Position, limit: usize) -> Result<Vec<Posted>> {
        let read = move |connection: &Connection| {
            let params = (log.cast_signed(), signed(after), signed(limit as u64));
            rows(connection, UNPUBLISHED, params, |row| posted(row, log))
        };
        self.read_with(read).await
    }

    /// Without waiting for the disk: the next commit takes it along, and what is lost is said again.
    async fn set_published(&self, mark: &Mark) -> Result<()> {
        let key = key(mark);
        let step = move |connection: &Connection| {
            let sql = "UPDATE outbox SET published = 1 WHERE log = ?1 AND pos = ?2 AND event = ?3";
            connection.prepare_cached(sql).or_fault()?.execute(key.clone()).or_fault()?;
            Ok(0)
        };
        self.store_index(Box::new(step)).await
    }

    async fn forget(&self, before: Timestamp, limit: usize) -> Result<usize> {
        self.write_with(move |rows| {
            let file = rows.writing();
            *file.writes += 1;
            let sql = "DELETE FROM outbox WHERE rowid IN (SELECT rowid FROM outbox INDEXED BY outbox_old
                       WHERE published = 1 AND at < ?1 ORDER BY at LIMIT ?2)";
            let params = (before.as_micros(), signed(limit as u64));
            file.connection.prepare_cached(sql).or_fault()?.execute(params).or_fault()
        })
        .await
    }
}
