//! Sums up a folder and files it away: `cargo run --release --example workspace -- DIR`, and `--help`.
//!
//! A program on Vextir's own means: the `files` driver finds what is in the folder, the *archivist* looks into
//! each file, the *planner* decides where it belongs, the *mover* moves it, the *reporter* sums up. Everything
//! that happens is an event in one SQLite file, the program's only memory, and what is to be found again is a
//! document in it:
//!
//! ```text
//! Files ──▶ file.created, .. ──▶ archivist ──▶ workspace.described, and documents
//! --apply ─▶ workspace.apply ──▶ planner ────▶ workspace.move, .. ──▶ mover ──▶ workspace.moved, .., and documents
//! --undo ──▶ workspace.undo ───▶ planner ────▶ workspace.move, .. ──▶ mover ──▶ workspace.moved, .., and documents
//! each run ▶ workspace.report ─▶ reporter ───▶ workspace.summary, and a document
//! --daily ─▶ a schedule ▶ workspace.daily ─▶ reporter ───▶ the same
//! --ask ───▶ a search over the documents
//! ```
//!
//! So it may be killed at any moment: what was begun is in the log, and the next start finishes it. What is
//! known about the folder is a fold over the same log ([`catalog`]), and so is the journal that `--undo` reads.
//! How documents, search and settlement work together stands in [`archive`].

mod answer;
mod archive;
mod archivist;
mod args;
mod catalog;
mod class;
mod daily;
mod dates;
mod duplicates;
mod events;
mod facts;
mod home;
mod human;
mod layout;
mod ledger;
mod markdown;
mod mover;
mod plan;
mod planner;
mod progress;
mod question;
mod reporter;
mod run;
mod summary;
mod terminal;
mod title;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let args = match args::parse(lexopt::Parser::from_env()) {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("workspace: {error}\nTry --help.");
            return ExitCode::from(2);
        }
    };
    let done = tokio::select! {
        done = run::run(&args) => done,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("Stopped. Started again, it goes on from here.");
            return ExitCode::from(130);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("workspace: {problem}");
            ExitCode::FAILURE
        }
    }
}
