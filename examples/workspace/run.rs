//! One run: finish what an earlier one began, look, do what was asked for, sum up.

use crate::answer::Answer;
use crate::archive;
use crate::archivist::Archivist;
use crate::args::{Args, MOST_BATCH, Task};
use crate::catalog::Catalog;
use crate::daily::{Daily, local};
use crate::events::{Applied, Apply, Report, Skipped, Summarized, TimeToReport, Undo};
use crate::home::Home;
use crate::ledger::Ledger;
use crate::mover::Mover;
use crate::plan::{Plan, plan};
use crate::planner::{Planner, probe};
use crate::progress::{Phase, Show};
use crate::question::Question;
use crate::reporter::Reporter;
use crate::terminal::Printer;
use std::collections::BTreeMap;
use std::time::Duration;
use vextir::drivers::files::{FileScanned, Files, escape};
use vextir::prelude::*;
use vextir::{
    Backend, Clock, EmitOptions, Error, ErrorKind, LOCAL_USER, Letters, Limits, Processor, SystemClock,
    Timestamp,
};

/// What the schedule of the daily summary is called.
const DAILY: &str = "daily-summary";

/// Runs the program. An error is a sentence for its user.
pub(crate) async fn run(args: &Args) -> Result<(), String> {
    let home = Home::find(args)?;
    let session = Session::begin(&home, args.batch).await?;
    let result = match &args.task {
        Task::Daily(daily) => return session.daily(daily).await.map_err(|error| error.to_string()),
        _ => session.work(args).await,
    };
    let end = session.app.shutdown().await;
    let said = result.map_err(|error| error.to_string())?;
    end.map_err(|error| error.to_string())?;
    match said {
        Said::Answer(answer) => answer.print(),
        Said::Summary(page) => {
            page.print();
            home.out.as_deref().map_or(Ok(()), |out| page.write(out))?;
        }
    }
    Ok(())
}

/// What a run has to say.
enum Said {
    Summary(Box<Printer>),
    Answer(Answer),
}

/// The processor at work on one folder.
struct Session<'a> {
    home: &'a Home,
    hub: Hub,
    /// How many moves a plan has at most.
    batch: usize,
    app: Processor,
    ledger: Ledger,
}

/// What `--apply` or `--undo` did.
#[derive(Debug, Default)]
pub(crate) struct Deed {
    pub(crate) moved: usize,
    pub(crate) by_folder: BTreeMap<String, usize>,
    pub(crate) stayed: Vec<Skipped>,
}

impl<'a> Session<'a> {
    async fn begin(home: &'a Home, batch: usize) -> Result<Self, String> {
        // The log is the program's memory, and the journal of `--undo`: nothing in it is too old.
        let hub = Hub::builder(&home.state).keep_for(Duration::MAX).keep_bytes(u64::MAX).open();
        let hub = hub.map_err(|error| match error.kind() {
            ErrorKind::Locked => format!("another run is at work on this folder: {error}"),
            _ => error.to_string(),
        })?;
        Self::start(home, batch, &hub).await.map_err(|error| error.to_string())
    }

    async fn start(home: &'a Home, batch: usize, hub: &Hub) -> vextir::Result<Self> {
        let ledger = Ledger::new(hub.bus())?;
        let known = ledger.read().await?.root.clone();
        let (root, own) = (home.dir.clone(), escape(&home.dir));
        if let Some(other) = known.filter(|known| *known != own) {
            let message = format!("the state file {} is about {other}", home.state.display());
            return Err(Error::invalid(format!("{message}: say another --state")));
        }
        let app = Processor::builder(hub.clone())
            .driver(Archivist { root: root.clone() })
            .driver(Planner { root: root.clone(), ledger: ledger.clone(), batch })
            .driver(Mover { root: root.clone() })
            .driver(Reporter { root, ledger: ledger.clone() })
            .start()
            .await?;
        Ok(Self { home, hub: hub.clone(), batch, app, ledger })
    }

    async fn work(&self, args: &Args) -> vextir::Result<Said> {
        let finished = self.finish().await?;
        self.look(false).await?;
        let deed = match &args.task {
            Task::Ask(question) => return self.ask(question).await.map(Said::Answer),
            Task::Look | Task::Daily(_) => None,
            Task::Apply => Some(self.apply().await?),
            Task::Undo | Task::UndoAll => Some(self.undo(args.task == Task::UndoAll).await?),
        };
        self.report().await?;
        self.page(&args.task, deed, finished).await.map(Said::Summary)
    }

    /// Stays, and has each day summed up at its time. It ends when the processor does.
    async fn daily(&self, daily: &Daily) -> vextir::Result<()> {
        let finished = self.finish().await?;
        let mut summaries = self.app.subscribe(Summarized::TYPE).await?;
        self.look(true).await?;
        // Under its one name it is the same schedule at each start.
        let ask = TimeToReport { timezone: daily.timezone.clone() };
        let schedule = self.app.schedule_recurring(ask, daily.cron()).timezone(&*daily.timezone);
        self.tell_next(schedule.id(DAILY).await?.next, daily)?;
        while let Some(summary) = summaries.next().await {
            summary?;
            let page = self.page(&Task::Daily(daily.clone()), None, finished).await?;
            page.print();
            self.home.out.as_deref().map_or(Ok(()), |out| page.write(out)).map_err(Error::invalid)?;
            let next = self.app.schedule(DAILY).await?.and_then(|schedule| schedule.next);
            self.tell_next(next, daily)?;
        }
        Ok(())
    }

    fn tell_next(&self, next: Option<Timestamp>, daily: &Daily) -> vextir::Result<()> {
        let Some(next) = next else {
            let why = "the schedule of the daily summary is paused or gone: start again";
            return Err(Error::new(ErrorKind::Closed, why));
        };
        let (date, time) = local(next, &daily.timezone).map_err(Error::invalid)?;
        let (dir, zone) = (self.home.dir.display(), &daily.timezone);
        println!("\nWatching {dir}. The next summary comes on {date} at {time} ({zone}).");
        Ok(())
    }

    /// Everything that there is to say now.
    async fn page(&self, task: &Task, deed: Option<Deed>, finished: u64) -> vextir::Result<Box<Printer>> {
        let problems = self.problems().await?;
        let catalog = self.ledger.read().await?;
        let summary = catalog.summary.clone().map(|(_, summary)| summary);
        let missing = || Error::new(ErrorKind::NoAnswer, "there is no summary");
        Ok(Box::new(Printer {
            summary: summary.ok_or_else(missing)?,
            plan: self.plan(&catalog),
            task: task.clone(),
            deed,
            finished,
            problems,
            copy: self.home.is_copy.then(|| self.home.dir.clone()),
            now: SystemClock.now(),
        }))
    }

    /// Answers from the archive, which knows by now what is in the folder.
    async fn ask(&self, question: &str) -> vextir::Result<Answer> {
        let question = Question::of(question, jiff::Zoned::now().date());
        let _show = Show::begin(&self.ledger, Phase::Indexing);
        let hits = archive::find(&self.hub.context(LOCAL_USER), &question).await?;
        let files = self.ledger.read().await?.files.len();
        let problems = self.problems().await?;
        Ok(Answer { root: escape(&self.home.dir), question, hits, files, problems })
    }

    /// Finishes what an earlier run left undone; says how many files that moved.
    async fn finish(&self) -> vextir::Result<u64> {
        let before = self.ledger.read().await?.progress.moved;
        // Who is killed again and again leaves healthy work among the dead letters; every handler here may be
        // repeated.
        self.app.redrive(&Letters::all()).await?;
        let is_open = self.app.bus().status().borrow().open > 0;
        let _show = is_open.then(|| Show::begin(&self.ledger, Phase::Moving));
        self.app.idle().await;
        Ok(self.ledger.read().await?.progress.moved - before)
    }

    /// Compares the folder with what is known of it, and looks into what is new; and goes on with that, if it `stays`.
    async fn look(&self, stays: bool) -> vextir::Result<()> {
        let _show = Show::begin(&self.ledger, Phase::Looking);
        let mut scanned = self.app.subscribe(FileScanned::TYPE).await?;
        let files = Files::watch(&self.home.dir).max_hashed_bytes(u64::MAX);
        let files = if stays { files } else { files.once() };
        let passed_over =
            ["node_modules", "__pycache__"].map(String::from).into_iter().chain(self.home.own_files());
        self.app.register(passed_over.fold(files, Files::ignore)).await?;
        let closed = || Error::new(ErrorKind::Closed, "the scan was broken off");
        scanned.next().await.ok_or_else(closed)??;
        self.app.idle().await;
        Ok(())
    }

    async fn apply(&self) -> vextir::Result<Deed> {
        let begun = self.ledger.read().await?.unfinished.clone();
        let run = begun.unwrap_or_else(|| SystemClock.now().to_string());
        let mut deed = Deed::default();
        let _show = Show::begin(&self.ledger, Phase::Moving);
        while self.file_some(&run, &mut deed).await? {}
        let is_open = self.ledger.read().await?.unfinished.is_some();
        if is_open {
            self.app.emit(Applied { run }).await?;
        }
        Ok(deed)
    }

    /// Files away as much as one plan holds; says whether there is more.
    async fn file_some(&self, run: &str, deed: &mut Deed) -> vextir::Result<bool> {
        let planned = self.plan(&*self.ledger.read().await?).steps.len();
        if planned == 0 {
            return Ok(false);
        }
        let moved = self.act(Apply { run: run.to_owned() }, deed).await?;
        Ok(moved > 0 && planned > self.batch)
    }

    async fn undo(&self, all: bool) -> vextir::Result<Deed> {
        let catalog = self.ledger.read().await?;
        let past =
            if all { &catalog.runs[..] } else { &catalog.runs[catalog.runs.len().saturating_sub(1)..] };
        let runs: Vec<String> = past.iter().filter(|run| !run.undone).map(|run| run.name.clone()).collect();
        drop(catalog);
        let mut deed = Deed::default();
        if !runs.is_empty() {
            let _show = Show::begin(&self.ledger, Phase::Moving);
            self.act(Undo { runs }, &mut deed).await?;
        }
        Ok(deed)
    }

    /// Emits the order, waits until all of it is done, and adds up what was done.
    async fn act(&self, order: impl Payload, deed: &mut Deed) -> vextir::Result<usize> {
        // Three events for each move at most.
        let limits = Limits { events: 4 * MOST_BATCH as u64 + 1_000_000, ..Limits::default() };
        let id = self.app.emit_with(order, EmitOptions::new().limits(limits)).await?;
        self.app.idle().await;
        let catalog = self.ledger.read().await?;
        let before = deed.moved;
        catalog.moved_by(&id).for_each(|target| deed.add(target));
        deed.stayed.extend(catalog.skipped_by(&id).cloned());
        Ok(deed.moved - before)
    }

    /// Has the day summed up, unless that was done and nothing changed since.
    async fn report(&self) -> vextir::Result<()> {
        let changed_at = self.ledger.read().await?.changed_at;
        let date = jiff::Zoned::now().date().to_string();
        let once = EmitOptions::new().key(format!("summary/{date}/{changed_at}"));
        self.app.emit_with(Report { date }, once).await?;
        self.app.idle().await;
        Ok(())
    }

    fn plan(&self, catalog: &Catalog) -> Plan {
        plan(catalog, &|path| probe(&self.home.dir, path))
    }

    /// What was given up, in a sentence each.
    async fn problems(&self) -> vextir::Result<Vec<String>> {
        let letters = self.app.dead_letters(0, 10).await?;
        let say = |letter: &vextir::bus::DeadLetter| {
            format!("{} gave up on {}: {}", letter.driver, letter.event.event_type, letter.reason)
        };
        Ok(letters.iter().map(say).collect())
    }
}

impl Deed {
    fn add(&mut self, target: &str) {
        self.moved += 1;
        let folder = target.split_once('/').map_or("", |(folder, _)| folder);
        *self.by_folder.entry(folder.to_owned()).or_default() += 1;
    }
}
