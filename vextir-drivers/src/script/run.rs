//! One run of a handler's code: begun anew with each document that it turns out to need.

use super::effects::{Effects, Loaded};
use super::fault::Fault;
use super::room::{Place, Room};
use super::sandbox::{Bounds, Sandbox, lock};
use super::value::inward;
use rhai::{AST, EvalAltResult, Scope};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use vextir::{Content, Context, Name};

/// The most documents that one handler reads, and the most bytes of one.
const MOST_READ: usize = 64;
const LARGEST_READ: usize = 512 << 10;
/// How long the code may run, with all that is begun anew. What it waits for is not counted: room, and documents.
const LONGEST: Duration = Duration::from_secs(5);
/// Values nest as deep as they have elements, and are freed by recursion.
const STACK: usize = 64 << 20;
/// How many operations lie between two looks at the time.
const LOOK: u64 = 256;

/// Runs code.
pub(super) struct Runner {
    sandbox: Sandbox,
    room: Room,
}

/// What a run came to.
pub(super) struct Outcome {
    pub(super) effects: Effects,
    /// Those of all documents that it read, and of its own.
    pub(super) labels: BTreeSet<Name>,
}

enum Ended {
    Done(Effects),
    Wants(String),
    /// It reached a bound of a quick run.
    IsLong,
    Failed(Fault),
}

/// What stays the same in all runs.
#[derive(Clone)]
struct Job {
    code: Arc<AST>,
    event: Arc<Value>,
}

/// Tells the thread that nobody waits any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Runner {
    pub(super) fn new() -> Self {
        Self { sandbox: Sandbox::new(), room: Room::new() }
    }

    pub(super) fn compile(&self, code: &str) -> Result<AST, Fault> {
        self.sandbox.compile(code)
    }

    /// Runs the code about an event, with the documents of its user.
    pub(super) async fn run(
        &self,
        code: Arc<AST>,
        event: Value,
        documents: &Context,
    ) -> Result<Outcome, Fault> {
        let job = Job { code, event: Arc::new(event) };
        let (mut known, mut labels) = (BTreeMap::new(), BTreeSet::new());
        let (mut is_long, mut left) = (false, LONGEST);
        loop {
            let loaded: Loaded = Arc::new(known);
            let ended = if is_long {
                let place = self.room.enter(documents.user()).await?;
                let (ended, took) = self.on_thread(job.clone(), loaded.clone(), left, place).await?;
                left = left.saturating_sub(took);
                ended
            } else {
                self.once(&job, &Bounds::QUICK, loaded.clone(), |_| false)
            };
            known = Arc::unwrap_or_clone(loaded);
            match ended {
                Ended::Done(effects) => return Ok(Outcome { effects, labels }),
                Ended::Failed(fault) => return Err(fault),
                Ended::IsLong => is_long = true,
                Ended::Wants(path) => {
                    if known.len() >= MOST_READ {
                        return Err(Fault::new(format!("a handler reads at most {MOST_READ} documents")));
                    }
                    let found = read(documents, &path, &mut labels).await?;
                    known.insert(path, found);
                }
            }
        }
    }

    /// On a thread of its own, for no longer than is left; and how long it took.
    async fn on_thread(
        &self,
        job: Job,
        loaded: Loaded,
        left: Duration,
        place: Place,
    ) -> Result<(Ended, Duration), Fault> {
        let stop = Arc::new(AtomicBool::new(false));
        let waiting = Waiting(stop.clone());
        let (answer, answered) = oneshot::channel();
        let own = Self { sandbox: self.sandbox.clone(), room: self.room.clone() };
        let work = move || {
            let begun = Instant::now();
            let stops = move |operations: u64| {
                operations.is_multiple_of(LOOK) && (stop.load(Ordering::Relaxed) || begun.elapsed() > left)
            };
            let ended = own.once(&job, &Bounds::WHOLE, loaded, stops);
            // Who waited may be gone.
            let _ = answer.send((ended, begun.elapsed()));
            drop(place);
        };
        let thread = std::thread::Builder::new().name("vextir-script".into()).stack_size(STACK);
        thread.spawn(work).map_err(|error| Fault::passing(format!("no thread for the sandbox: {error}")))?;
        let ended = answered.await.map_err(|_| Fault::new("the sandbox has failed"))?;
        drop(waiting);
        Ok(ended)
    }

    fn once(
        &self,
        job: &Job,
        bounds: &Bounds,
        loaded: Loaded,
        stops: impl Fn(u64) -> bool + Send + Sync + 'static,
    ) -> Ended {
        let effects = Arc::new(Mutex::new(Effects::with(loaded)));
        let engine = self.sandbox.for_run(bounds, &effects, stops);
        let mut scope = Scope::new();
        scope.push_constant_dynamic("event", inward(&job.event));
        let run = || engine.run_ast_with_scope(&mut scope, &job.code);
        // A bug of the language stays in this run.
        let ran = std::panic::catch_unwind(AssertUnwindSafe(run));
        let effects = std::mem::take(&mut *lock(&effects));
        match ran {
            _ if effects.wanted.is_some() => Ended::Wants(effects.wanted.unwrap_or_default()),
            Ok(Ok(())) => Ended::Done(effects),
            Ok(Err(error)) => ended(*error, bounds.operations < Bounds::WHOLE.operations),
            Err(_) => Ended::Failed(Fault::new("the code made the sandbox panic")),
        }
    }
}

fn ended(error: EvalAltResult, is_quick: bool) -> Ended {
    use EvalAltResult::{
        ErrorDataTooLarge, ErrorInFunctionCall, ErrorStackOverflow, ErrorTerminated, ErrorTooManyOperations,
        ErrorTooManyVariables,
    };
    let mut cause = &error;
    while let ErrorInFunctionCall(_, _, inner, _) = cause {
        cause = inner;
    }
    let is_bound = matches!(
        cause,
        ErrorDataTooLarge(..)
            | ErrorStackOverflow(..)
            | ErrorTooManyOperations(..)
            | ErrorTooManyVariables(..)
            | ErrorTerminated(..)
    );
    match cause {
        _ if is_quick && is_bound => Ended::IsLong,
        ErrorTerminated(..) => {
            Ended::Failed(Fault::passing(format!("it took longer than {} s", LONGEST.as_secs())))
        }
        _ => Ended::Failed(Fault::run(error)),
    }
}

/// A document as the code sees it; its labels are added.
async fn read(documents: &Context, path: &str, labels: &mut BTreeSet<Name>) -> Result<Option<Value>, Fault> {
    let failed = |error: vextir::Error| {
        let what = format!("read {path:?}: {error}");
        if error.kind().is_transient() { Fault::passing(what) } else { Fault::new(what) }
    };
    let Some(document) = documents.read(path).await.map_err(failed)? else { return Ok(None) };
    if document.content.to_text().len() > LARGEST_READ {
        return Err(Fault::new(format!("read {path:?}: it has more than 512 KiB")));
    }
    labels.extend(crate::labels::of(&document.metadata));
    Ok(Some(match document.content {
        Content::Text(text) => Value::String(text),
        Content::Json(value) => value,
    }))
}
