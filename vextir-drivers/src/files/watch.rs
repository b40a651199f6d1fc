//! The life of one watched root: attach, scan, wait, and again. Nothing but the processor's stop ends it.

use super::dirty::Dirty;
use super::finding::Settled;
use super::payload::{FileScanned, FileWatch, WatchMode};
use super::scan::{Report, Root, Scope, blocking, scan};
use super::sink::{Sink, commit};
use super::timer::Timer;
use super::wake::{Notifier, Wake};
use std::sync::Arc;
use std::time::Duration;
use vextir::{ErrorKind, IntoEvent, Result};

/// How soon files are looked at again that were being written.
const RECHECK: Duration = Duration::from_secs(2);
/// How often a root that is missing is looked for.
const LOOK_OUT: Duration = Duration::from_secs(1);
/// How often it is checked that the watched folder is still the one at its path.
const GLANCE: Duration = Duration::from_secs(60);
/// The pauses after scans that failed.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A burst that does not end delays a scan by this many times the debounce.
const PATIENCE: u32 = 10;

/// When to scan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    pub(super) once: bool,
    pub(super) notifications: bool,
    pub(super) debounce: Duration,
    /// The interval of whole scans while notifications work.
    pub(super) rescan: Duration,
    /// The interval of whole scans while they do not.
    pub(super) poll: Duration,
}

/// One root under watch.
pub(super) struct Watch {
    root: Arc<Root>,
    sink: Arc<dyn Sink>,
    timing: Timing,
    wake: Arc<Wake>,
    notifier: Option<Arc<Notifier>>,
    /// The root as it was when the notifier was started; `None` while it is missing.
    identity: Option<Identity>,
    mode: WatchMode,
    again: Dirty,
    is_scanned: bool,
    pause: Duration,
    rescan: Timer,
    recheck: Timer,
    glance: Timer,
    retry: Timer,
}

/// Device and inode, where the system has them.
type Identity = Option<(u64, u64)>;

impl Watch {
    pub(super) fn new(root: Arc<Root>, sink: Arc<dyn Sink>, timing: Timing) -> Self {
        let wake = Arc::new(Wake::default());
        wake.mark_all();
        Self {
            root,
            sink,
            timing,
            wake,
            notifier: None,
            identity: None,
            mode: if timing.notifications { WatchMode::Notified } else { WatchMode::Interval },
            again: Dirty::default(),
            is_scanned: false,
            pause: FIRST_PAUSE,
            rescan: Timer::default(),
            recheck: Timer::default(),
            glance: Timer::default(),
            retry: Timer::default(),
        }
    }

    /// Watches until the processor stops; with `once`, until the root was scanned.
    pub(super) async fn run(mut self) {
        let sink = self.sink.clone();
        tokio::select! {
            () = sink.stopped() => {}
            () = self.go_on() => {}
        }
    }

    async fn go_on(&mut self) {
        loop {
            match self.round().await {
                Ok(()) => self.pause = FIRST_PAUSE,
                Err(error) if error.kind() == ErrorKind::Closed => return,
                Err(error) => {
                    tracing::warn!(root = self.root.name, %error, pause = ?self.pause, "a scan failed");
                    self.wake.mark_all();
                    self.sink.sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
            }
            if self.timing.once {
                return;
            }
            self.wait().await;
        }
    }

    async fn round(&mut self) -> Result<()> {
        if !self.timing.once {
            self.attach().await?;
        }
        let Some(scope) = self.wake.take() else { return Ok(()) };
        let is_whole = scope == Scope::Whole;
        let report = scan(&self.root, &self.sink, scope, self.notifier.clone()).await?;
        tracing::debug!(root = self.root.name, is_whole, events = report.events, "scanned");
        self.again.merge(&report.again);
        if !self.is_scanned {
            self.say_scanned(report).await?;
            self.is_scanned = true;
        }
        Ok(())
    }

    async fn say_scanned(&mut self, report: Report) -> Result<()> {
        let payload = FileScanned {
            root: self.root.name.clone(),
            files: report.totals.files,
            bytes: report.totals.bytes,
            unreadable: report.totals.unreadable,
            events: report.events,
        };
        let settled: Settled = (Some(payload.into_event()?), Vec::new());
        commit(&*self.sink, vec![settled]).await.map(drop)
    }

    /// Sees to it that what is at the root's path now is watched.
    async fn attach(&mut self) -> Result<()> {
        let root = self.root.clone();
        let Some(identity) = blocking(move || identity(&root)).await? else {
            (self.notifier, self.identity) = (None, None);
            if self.mode != WatchMode::Missing {
                self.wake.mark_all();
            }
            return self.say(WatchMode::Missing, "the folder is not there").await;
        };
        if self.identity.replace(identity) != Some(identity) {
            self.notifier = None;
            self.retry.stop();
            self.wake.mark_all();
        }
        if !self.timing.notifications {
            return self.say(WatchMode::Interval, "the folder is there").await;
        }
        if let Some(failure) = self.notifier.as_ref().and_then(|notifier| notifier.failure()) {
            return self.give_up_notifications(&failure).await;
        }
        if self.notifier.is_some() || self.retry.is_running() {
            return Ok(());
        }
        let (rules, wake) = (self.root.rules.clone(), self.wake.clone());
        match blocking(move || Notifier::start(rules, wake)).await? {
            Ok(notifier) => {
                self.notifier = Some(Arc::new(notifier));
                // The scan enters each folder, and thereby watches it.
                self.wake.mark_all();
                self.say(WatchMode::Notified, "the folder is there, and the system tells of changes").await
            }
            Err(failure) => self.give_up_notifications(&failure).await,
        }
    }

    async fn give_up_notifications(&mut self, failure: &str) -> Result<()> {
        self.notifier = None;
        self.retry.start(&self.sink, self.timing.rescan);
        self.say(WatchMode::Interval, failure).await
    }

    /// Says how the root is watched, when that changed.
    async fn say(&mut self, mode: WatchMode, reason: &str) -> Result<()> {
        if self.mode == mode {
            return Ok(());
        }
        let root = self.root.name.clone();
        tracing::warn!(root, ?mode, reason, "the way of watching changed");
        let payload = FileWatch { root, mode, reason: reason.to_owned() };
        commit(&*self.sink, vec![(Some(payload.into_event()?), Vec::new())]).await?;
        self.mode = mode;
        self.rescan.stop();
        self.glance.stop();
        Ok(())
    }

    /// Waits for a reason to scan, or to look at the root itself.
    async fn wait(&mut self) {
        match self.mode {
            WatchMode::Notified => self.rescan.start(&self.sink, self.timing.rescan),
            WatchMode::Interval => self.rescan.start(&self.sink, self.timing.poll),
            WatchMode::Missing => {}
        }
        let glance = if self.mode == WatchMode::Missing { LOOK_OUT } else { GLANCE };
        self.glance.start(&self.sink, glance);
        if !self.again.is_empty() {
            self.recheck.start(&self.sink, RECHECK);
        }
        tokio::select! {
            () = self.wake.rung() => let_settle(&self.wake, &self.sink, self.timing.debounce).await,
            () = self.rescan.ended() => self.wake.mark_all(),
            () = self.recheck.ended() => self.wake.mark(&std::mem::take(&mut self.again)),
            () = self.glance.ended() => {}
            () = self.retry.ended() => {}
        }
    }
}

/// Waits for the end of a burst, but not for ever.
async fn let_settle(wake: &Wake, sink: &Arc<dyn Sink>, debounce: Duration) {
    let patience = sink.sleep(debounce * PATIENCE);
    tokio::pin!(patience);
    loop {
        tokio::select! {
            () = sink.sleep(debounce) => return,
            () = &mut patience => return,
            () = wake.rung() => {}
        }
    }
}

/// What is at the root's path; `None` when that is no folder.
fn identity(root: &Root) -> Option<Identity> {
    let metadata = std::fs::metadata(&root.rules.root).ok().filter(std::fs::Metadata::is_dir)?;
    Some(super::record::Stat::of(&metadata).inode)
}
