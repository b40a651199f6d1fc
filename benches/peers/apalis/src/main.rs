//! apalis-sqlite: enqueue a backlog, then drain it. One line of JSON with the drain's rate.
//!
//! `vextir-peer-apalis JOBS BATCH fresh|optimized FOLDER`
//!
//! Every connection syncs fully, as ours does: apalis' own `setup` leaves `synchronous = OFF` on the connection
//! that ran it. `fresh` is a new file. `optimized` is the file of an application that was started before: it has
//! a short history, and `setup` has run again, whose `PRAGMA optimize` then shows SQLite that the acknowledgement
//! must search by id and not by worker.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use apalis::prelude::{BackendExt, BoxDynError, TaskSink, WorkerBuilder, WorkerContext};
use apalis_sqlite::{Config, SqliteStorage};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

/// Jobs of the history that `optimized` starts with.
const HISTORY: u32 = 200;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [jobs, batch, state, folder] = arguments.as_slice() else {
        return Err("usage: vextir-peer-apalis JOBS BATCH fresh|optimized FOLDER".into());
    };
    let (jobs, batch): (u32, usize) = (jobs.parse()?, batch.parse()?);
    let file = Path::new(folder).join("apalis.db");

    set_up(&file).await?;
    let mut before = 0;
    if state == "optimized" {
        before = HISTORY;
        let pool = open(&file).await?;
        run(&pool, "earlier", HISTORY, batch).await?;
        pool.close().await;
        set_up(&file).await?;
    }

    let pool = open(&file).await?;
    let took = run(&pool, "worker", jobs, batch).await?;
    let done: i64 =
        sqlx::query_scalar("SELECT count(*) FROM Jobs WHERE status = 'Done'").fetch_one(&pool).await?;
    if done != i64::from(jobs + before) {
        return Err(format!("{done} jobs are done, {} were enqueued", jobs + before).into());
    }
    pool.close().await;
    let rate = f64::from(jobs) / took.as_secs_f64();
    println!(r#"{{"workload":"apalis_drain_{jobs}_{state}","unit":"per_second","value":{rate:.1}}}"#);
    Ok(())
}

/// Creates or upgrades the tables, in a pool that is closed again with its unsafe settings.
async fn set_up(file: &Path) -> Result<(), Box<dyn Error>> {
    let pool = open(file).await?;
    SqliteStorage::setup(&pool).await?;
    pool.close().await;
    Ok(())
}

/// One connection: apalis writes from one worker, and more connections only made it slower.
async fn open(file: &Path) -> Result<SqlitePool, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(30));
    SqlitePoolOptions::new().max_connections(1).connect_with(options).await
}

/// Enqueues `jobs` in one transaction, then times how long one worker takes to run and acknowledge all of them.
async fn run(pool: &SqlitePool, worker: &str, jobs: u32, batch: usize) -> Result<Duration, Box<dyn Error>> {
    let config = Config::default().queue("bench").batch_size(batch).lock_tasks(false);
    let mut storage = SqliteStorage::<u32>::new(pool).with_config(config);
    storage.push_stream(&mut futures::stream::iter(0..jobs)).await?;

    let handled = Arc::new(AtomicU32::new(0));
    let handler = move |_job: u32, context: WorkerContext| {
        let handled = Arc::clone(&handled);
        async move {
            if handled.fetch_add(1, Ordering::Relaxed) + 1 == jobs {
                context.stop()?;
            }
            Ok::<(), BoxDynError>(())
        }
    };
    let started = Instant::now();
    WorkerBuilder::new(worker)
        .backend(storage.poll_with_interval(Duration::from_millis(1)))
        .build(handler)
        .run()
        .await?;
    Ok(started.elapsed())
}
