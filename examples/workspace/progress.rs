//! The progress bar: on standard error, and only when that is a terminal.

use crate::catalog::Progress;
use crate::human::{count, counted, size};
use crate::ledger::Ledger;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;
use tokio::task::JoinHandle;

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Looking,
    Moving,
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
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = match phase {
            Phase::Looking => ProgressStyle::with_template("{spinner:.cyan} {msg}"),
            Phase::Moving => {
                bar.set_length(1);
                ProgressStyle::with_template("{spinner:.cyan} {msg} {wide_bar:.cyan/dim} {percent:>3} %")
            }
        };
        // The templates are constants that are right.
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(100));
        let task = tokio::spawn(follow(ledger.clone(), phase, bar.clone()));
        Self { bar, task: Some(task) }
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

async fn follow(ledger: Ledger, phase: Phase, bar: ProgressBar) {
    let mut begin: Option<Progress> = None;
    loop {
        // The bar is an ornament: when the log cannot be read, others say so.
        let Ok(reading) = ledger.read().await else { return };
        let (now, known) = (reading.progress, reading.files.len() as u64);
        drop(reading);
        let begin = *begin.get_or_insert(now);
        match phase {
            Phase::Looking => bar.set_message(looking(begin, now, known)),
            Phase::Moving => {
                let (asked, done) = (now.moves.saturating_sub(begin.moved), now.moved - begin.moved);
                bar.set_length(asked.max(1));
                bar.set_position(done);
                let files = counted(asked, "file", "files");
                let moving = || format!("Moving: {} of {files}", count(done));
                bar.set_message(if asked == 0 { "Planning".to_owned() } else { moving() });
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn looking(begin: Progress, now: Progress, known: u64) -> String {
    let (files, bytes) = (now.files - begin.files, now.bytes - begin.bytes);
    if files == 0 {
        return format!("Looking: {} known", counted(known, "file", "files"));
    }
    let read = now.described - begin.described;
    format!(
        "Looking: {}, {}; {} looked into",
        counted(files, "new file", "new files"),
        size(bytes),
        count(read)
    )
}
