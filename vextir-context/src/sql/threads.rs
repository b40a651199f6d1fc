//! The threads that queries run on. They are started by the first query.

use super::run::Run;
use super::sandbox::Sandbox;
use super::{QueryLimits, answer};
use crate::fault::OrFault;
use crate::file;
use crate::readers::pool;
use crate::writer::{Answer, closed};
use rusqlite::Connection;
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;
use vextir_core::{Actor, Name, Result, Timestamp};

/// How many queries run at once.
const THREADS: usize = 2;

/// How many may wait; who asks for more waits for room.
const QUEUE: usize = 64;

/// One query.
pub(super) struct Ask {
    pub(super) actor: Actor,
    pub(super) now: Timestamp,
    pub(super) sql: String,
    pub(super) parameters: Vec<Value>,
    /// What is read, where the hub has no file to open.
    pub(super) copy: Option<Connection>,
    /// Set when nobody waits any more.
    pub(super) dropped: Arc<AtomicBool>,
    pub(super) answer: Answer<Vec<Value>>,
}

/// The query threads of a hub.
pub(crate) struct Threads {
    limits: QueryLimits,
    closing: Arc<AtomicBool>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asks: Option<mpsc::Sender<Ask>>,
    threads: Vec<JoinHandle<()>>,
}

impl Threads {
    pub(crate) fn new(limits: QueryLimits) -> Self {
        Self { limits, closing: Arc::default(), state: Mutex::default() }
    }

    /// How long a query may take.
    pub(crate) fn deadline(&self) -> Duration {
        self.limits.deadline
    }

    /// Where queries go; starts the threads if there are none yet.
    pub(super) fn asks(&self, path: Option<&Path>) -> Result<mpsc::Sender<Ask>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.closing.load(Ordering::Relaxed) {
            return Err(closed());
        }
        if let Some(asks) = &state.asks {
            return Ok(asks.clone());
        }
        let (sender, threads) = pool("vextir-hub-query", (THREADS, QUEUE), || {
            let own = path.map(file::open_reader).transpose()?.map(|hub| Arc::new(Mutex::new(hub)));
            let (limits, closing) = (self.limits, self.closing.clone());
            let mut kept = None;
            Ok(move |ask| serve(own.as_ref(), &mut kept, ask, (&limits, &closing)))
        })?;
        state.threads = threads;
        Ok(state.asks.insert(sender).clone())
    }

    /// Stops what runs, and waits until the threads have let go of the file.
    pub(crate) fn end(&self) {
        let (asks, threads) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            self.closing.store(true, Ordering::Relaxed);
            (state.asks.take(), std::mem::take(&mut state.threads))
        };
        drop(asks);
        for thread in threads {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

fn serve(
    own: Option<&Arc<Mutex<Connection>>>,
    kept: &mut Option<(Name, Sandbox)>,
    ask: Ask,
    (limits, closing): (&QueryLimits, &Arc<AtomicBool>),
) {
    let Ask { actor, now, sql, parameters, copy, dropped, answer } = ask;
    let copied = copy.map(|copy| Arc::new(Mutex::new(copy)));
    let hub = copied.as_ref().or(own);
    answer.send(match hub {
        Some(_) if closing.load(Ordering::Relaxed) => Err(closed()),
        Some(hub) => {
            let run = Run::new((actor, now), hub.clone(), limits.deadline, [dropped, closing.clone()]);
            in_snapshot(hub, || answer::answer(kept, &Arc::new(run), limits, (&sql, &parameters)))
        }
        None => Err(closed()),
    });
}

/// Everything that a query reads is of one moment.
fn in_snapshot<T>(hub: &Mutex<Connection>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let execute = |sql: &str| {
        let hub = hub.lock().unwrap_or_else(PoisonError::into_inner);
        hub.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map(drop).or_fault()
    };
    execute("BEGIN")?;
    let done = work();
    execute("ROLLBACK")?;
    done
}
