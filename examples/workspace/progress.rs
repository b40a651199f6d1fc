//! The progress bar: on standard error, and only when that is a terminal.

use crate::catalog::Progress;
use crate::human::{count, counted, size};
use crate::ledger::Ledger;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Between two looks at the log.
const PAUSE: Duration = Duration::from_millis(100);

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Looking,
    Moving,
    /// What was looked into is made findable.
    Indexing,
}

/// Shows how far a phase is, until it is dropped.
pub(crate) struct Show {
    bar: ProgressBar,
    task: Option<JoinHandle<()>>,
}

impl Show {
    /// Begins to show a phase. Everything that is shown comes from the log.
    pub(crate) fn begin(ledger: &Ledger, phase: Phase) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), task: None };
        }
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner:.cyan} {msg} {wide_bar:.cyan/dim} {percent:>3} %");
        // The template is a constant that is right.
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(PAUSE);
        let follower = Follower { ledger: ledger.clone(), phase, bar: bar.clone(), begin: None };
        Self { bar, task: Some(tokio::spawn(follower.follow())) }
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        self.bar.finish_and_clear();
    }
}

/// Carries what the log says over to the bar.
struct Follower {
    ledger: Ledger,
    phase: Phase,
    bar: ProgressBar,
    /// How far things were when the phase began.
    begin: Option<Progress>,
}

impl Follower {
    /// The bar is an ornament: when the log cannot be read, others say so.
    async fn follow(mut self) {
        while self.look().await.is_ok() {
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look(&mut self) -> vextir::Result<()> {
        let reading = self.ledger.read().await?;
        let (now, known) = (reading.progress, reading.files.len() as u64);
        drop(reading);
        let begin = *self.begin.get_or_insert(now);
        let (all, done, message) = match self.phase {
            Phase::Looking => looking(begin, now, known),
            Phase::Moving => moving(begin, now),
            Phase::Indexing => (0, 0, "Indexing".to_owned()),
        };
        self.bar.set_length(all.max(1));
        self.bar.set_position(done.min(all));
        self.bar.set_message(message);
        Ok(())
    }
}

/// How many files there are to look into, into how many somebody looked, and both as a sentence.
fn looking(begin: Progress, now: Progress, known: u64) -> (u64, u64, String) {
    let (found, bytes) = (now.found - begin.found, now.bytes - begin.bytes);
    let done = now.described - begin.described;
    let message = if found == 0 {
        format!("Looking: {} known", counted(known, "file", "files"))
    } else {
        let (files, bytes) = (counted(found, "new file", "new files"), size(bytes));
        format!("Looking: {} of {files}, {bytes}", count(done.min(found)))
    };
    (found, done, message)
}

/// The same of moves. Those that an earlier run left undone count too.
fn moving(begin: Progress, now: Progress) -> (u64, u64, String) {
    let (asked, done) = (now.moves.saturating_sub(begin.moved), now.moved - begin.moved);
    let message = if asked == 0 {
        "Planning".to_owned()
    } else {
        format!("Moving: {} of {}", count(done), counted(asked, "file", "files"))
    };
    (asked, done, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::tests::{created, renamed, step};
    use crate::class::Class;
    use crate::events::{Described, Move, Moved};
    use vextir::{IntoEvent, MemoryBus, Processor};

    struct Watched {
        app: Processor,
        follower: Follower,
    }

    impl Watched {
        async fn begin(phase: Phase) -> Self {
            let app = Processor::builder(MemoryBus::new()).start().await.unwrap();
            let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::hidden());
            let ledger = Ledger::new(app.bus()).unwrap();
            Self { app, follower: Follower { ledger, phase, bar, begin: None } }
        }

        async fn emit(&self, event: impl IntoEvent) {
            self.app.emit(event).await.unwrap();
        }

        /// Position, length and message.
        async fn bar(&mut self) -> (u64, u64, String) {
            self.follower.look().await.unwrap();
            let bar = &self.follower.bar;
            (bar.position(), bar.length().unwrap(), bar.message())
        }
    }

    #[tokio::test]
    async fn looking_is_a_bar_of_files_looked_into_out_of_files_found() {
        let mut watched = Watched::begin(Phase::Looking).await;
        let described = |path: &str| Described { path: path.into(), class: Class::Documents, title: None };
        // What was there before the phase began is known, and no part of it.
        watched.emit(created("old.txt", "1")).await;
        watched.emit(described("old.txt")).await;
        assert_eq!(watched.bar().await, (0, 1, "Looking: 1 file known".into()));
        for path in ["a.txt", "b.txt", "c.txt"] {
            watched.emit(created(path, "12")).await;
        }
        assert_eq!(watched.bar().await, (0, 3, "Looking: 0 of 3 new files, 6 B".into()));
        watched.emit(described("a.txt")).await;
        assert_eq!(watched.bar().await, (1, 3, "Looking: 1 of 3 new files, 6 B".into()));
        // Nobody looks into a file that has another name only, unless the name says something else.
        watched.emit(renamed("a.txt", "d.txt", "12")).await;
        watched.emit(renamed("b.txt", "b.png", "12")).await;
        watched.emit(described("b.png")).await;
        assert_eq!(watched.bar().await, (2, 4, "Looking: 2 of 4 new files, 8 B".into()));
    }

    #[tokio::test]
    async fn moving_is_a_bar_of_moves_done_out_of_moves_asked_for() {
        let mut watched = Watched::begin(Phase::Moving).await;
        assert_eq!(watched.bar().await, (0, 1, "Planning".into()));
        let steps: Vec<Move> = ["a", "b"].map(|path| step(path, &format!("Other/{path}"), "1")).into();
        for step in &steps {
            watched.emit(step.clone()).await;
        }
        watched.emit(Moved { step: steps[0].clone() }).await;
        assert_eq!(watched.bar().await, (1, 2, "Moving: 1 of 2 files".into()));
    }
}
