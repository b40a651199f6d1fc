//! Tries drivers under every order and every crash that a seed can bring about.

mod bus;
mod life;
mod outcome;

pub use outcome::Run;

use crate::{Event, ProcessorBuilder};
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// Drivers under simulation: do they end in the same state, in whatever order things happen, and wherever the
/// process dies?
///
/// For each seed, the events are emitted once into an undisturbed processor. Then they are emitted again as
/// often as that run made commits, and twice over: each time the process dies at another commit, once just
/// before it and once just after it, before the answer arrives. A dead process is dropped where it stands; the
/// next one gets fresh drivers and goes on with the same log. At the end the log (types, payloads and causes),
/// the dead letters, what waits and the ledgers must be those of the undisturbed run, and every
/// [`invariant`](Self::invariant) must hold.
///
/// Time is simulated: whenever nothing can go on, the clock jumps to the next moment for which somebody waits.
/// So hours of retries and delays take milliseconds; handlers have to wait on
/// [`Ctx::clock`](crate::Ctx::clock). To a handler that waits for something else (a socket, a thread) time
/// passes at once, and its timeout with it.
///
/// This driver counts in its memory, and after a crash it begins anew:
///
/// ```
/// # extern crate vextir_core as vextir;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use vextir::prelude::*;
/// use vextir::testkit::Simulation;
///
/// struct Counter(AtomicU64);
///
/// #[vextir::async_trait]
/// impl Driver for Counter {
///     fn manifest(&self) -> Manifest {
///         Manifest::new("counter").handles("door.opened")
///     }
///     async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
///         let count = self.0.fetch_add(1, Ordering::SeqCst) + 1;
///         Ok(vec![Event::new("door.count").with_data(json!(count))])
///     }
/// }
///
/// let found = Simulation::new(|app| app.driver(Counter(AtomicU64::new(0))))
///     .events((0..3).map(|_| Event::new("door.opened")))
///     .check()
///     .unwrap_err();
/// assert!(found.to_string().contains("missing: event door.count 3"), "{found}");
/// ```
///
/// What a driver does outside is not undone by a crash. A *world* is what outlives the process; each run has
/// its own, and invariants see it:
///
/// ```
/// # extern crate vextir_core as vextir;
/// # use std::sync::{Arc, Mutex};
/// use std::collections::BTreeSet;
/// use vextir::prelude::*;
/// use vextir::testkit::Simulation;
///
/// /// A bank that takes a key with each payment, and pays once for each key.
/// type Bank = Arc<Mutex<BTreeSet<String>>>;
/// struct Pay(Bank);
///
/// #[vextir::async_trait]
/// impl Driver for Pay {
///     fn manifest(&self) -> Manifest {
///         Manifest::new("pay").handles("order.placed")
///     }
///     async fn handle_event(&self, _event: Event, cx: &Ctx) -> HandlerResult {
///         self.0.lock().unwrap().insert(cx.idempotency_key());
///         Ok(vec![Event::new("order.paid")])
///     }
/// }
///
/// let checked = Simulation::in_world(Bank::default, |app, bank| app.driver(Pay(bank.clone())))
///     .event(Event::new("order.placed"))
///     .event(Event::new("order.placed"))
///     .invariant("each order is paid once", |bank, run| {
///         bank.lock().unwrap().len() == run.count("order.placed")
///     })
///     .check()
///     .unwrap();
/// assert!(checked.crashes > 0);
/// ```
#[must_use = "nothing runs before check()"]
pub struct Simulation<W = ()> {
    world: Box<dyn Fn() -> W + Send + Sync>,
    build: Box<Build<W>>,
    events: Vec<Event>,
    seeds: Range<u64>,
    longest: Duration,
    agreeing: bool,
    invariants: Vec<(&'static str, Invariant<W>)>,
}

type Build<W> = dyn Fn(ProcessorBuilder, &W) -> ProcessorBuilder + Send + Sync;
type Invariant<W> = Box<dyn Fn(&W, &Run) -> bool + Send + Sync>;

/// Where a simulated process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashPoint {
    /// At which commit that stores or settles an event, from 1.
    pub commit: usize,
    /// Before it, or after it.
    pub moment: Moment,
}

/// When a simulated process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the commit: it did not happen.
    Before,
    /// After the commit, before its answer: it happened, and nobody was told.
    After,
}

/// What a simulation has tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Checked {
    /// Undisturbed runs.
    pub runs: usize,
    /// Runs with a crash.
    pub crashes: usize,
}

/// A run that ended otherwise than it should.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The seed of the run; `seeds(seed..seed + 1)` repeats it.
    pub seed: u64,
    /// Where the process died, if it did.
    pub crash: Option<CrashPoint>,
    /// What was committed there.
    pub at: Option<String>,
    /// What was wrong at the end.
    pub problem: String,
    /// What the run left behind.
    pub run: Run,
}

impl Simulation {
    /// Simulates the processor that `build` makes; it is called once for each simulated process.
    pub fn new(build: impl Fn(ProcessorBuilder) -> ProcessorBuilder + Send + Sync + 'static) -> Self {
        Self::in_world(|| (), move |builder, ()| build(builder))
    }
}

impl<W: Send> Simulation<W> {
    /// As [`Simulation::new`], with a world outside of the process: made anew for each run, kept through its
    /// crashes.
    pub fn in_world(
        world: impl Fn() -> W + Send + Sync + 'static,
        build: impl Fn(ProcessorBuilder, &W) -> ProcessorBuilder + Send + Sync + 'static,
    ) -> Self {
        Self {
            world: Box::new(world),
            build: Box::new(build),
            events: Vec::new(),
            seeds: 0..4,
            longest: Duration::from_secs(24 * 60 * 60),
            agreeing: false,
            invariants: Vec::new(),
        }
    }

    /// Adds an event that is emitted in each run.
    pub fn event(self, event: Event) -> Self {
        self.events([event])
    }

    /// Adds events that are emitted in each run, one after the other.
    pub fn events(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        self.events.extend(events);
        self
    }

    /// Which seeds are tried; each gives another interleaving. `0..4` unless said otherwise.
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// How much simulated time a run may take; a day unless said otherwise. A driver that watches for ever ends
    /// with it; work that is still open then is a finding.
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Demands that the undisturbed runs of all seeds end alike: nothing depends on who comes first.
    pub fn whatever_the_order(mut self) -> Self {
        self.agreeing = true;
        self
    }

    /// What must hold at the end of each run.
    pub fn invariant(
        mut self,
        name: &'static str,
        holds: impl Fn(&W, &Run) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.invariants.push((name, Box::new(holds)));
        self
    }

    /// Runs it all, on a thread of its own; blocks until it is done.
    ///
    /// # Errors
    /// The first run that ended otherwise than it should.
    ///
    /// # Panics
    /// If the closures that were given here panic. (A driver that panics fails its delivery.)
    pub fn check(&self) -> Result<Checked, Box<Finding>>
    where
        W: 'static,
    {
        std::thread::scope(|scope| {
            // A runtime cannot be entered where the caller may already be in one.
            scope.spawn(|| self.check_all()).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn check_all(&self) -> Result<Checked, Box<Finding>> {
        let mut checked = Checked::default();
        let mut first: Option<Run> = None;
        for seed in self.seeds.clone() {
            let expected = first.as_ref().filter(|_| self.agreeing);
            let (undisturbed, commits) = self.one(seed, None, expected)?;
            checked.runs += 1;
            for commit in 1..=commits {
                for moment in [Moment::Before, Moment::After] {
                    self.one(seed, Some(CrashPoint { commit, moment }), Some(&undisturbed))?;
                    checked.crashes += 1;
                }
            }
            first.get_or_insert(undisturbed);
        }
        Ok(checked)
    }

    /// One run, held against what is expected of it.
    fn one(
        &self,
        seed: u64,
        crash: Option<CrashPoint>,
        expected: Option<&Run>,
    ) -> Result<(Run, usize), Box<Finding>> {
        let finding = |at, problem, run| Box::new(Finding { seed, crash, at, problem, run });
        let ended =
            self.run(seed, crash).map_err(|error| finding(None, error.to_string(), Run::default()))?;
        for (name, holds) in &self.invariants {
            if !holds(&ended.world, &ended.run) {
                return Err(finding(ended.died_at, format!("it does not hold that {name}"), ended.run));
            }
        }
        if let Some(difference) = expected.and_then(|expected| ended.run.difference(expected)) {
            let problem = format!("it did not end as the undisturbed run did:{difference}");
            return Err(finding(ended.died_at, problem, ended.run));
        }
        Ok((ended.run, ended.commits))
    }
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = match self.moment {
            Moment::Before => "before",
            Moment::After => "after",
        };
        write!(f, "a crash {when} commit {}", self.commit)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}", self.seed)?;
        if let Some(crash) = &self.crash {
            write!(f, ", {crash}")?;
        }
        if let Some(at) = &self.at {
            write!(f, " ({at})")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for Finding {}

impl<W> fmt::Debug for Simulation<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("events", &self.events)
            .field("seeds", &self.seeds)
            .finish_non_exhaustive()
    }
}
