//! Run with `cargo run --example daily_standup`, or with a time: `-- --at 2025-06-16T09:00:00-04:00`.
//!
//! The specification's instruction, as it is printed there (`daily_standup.yaml`). At nine on working days it has mails,
//! the calendar and the tasks looked up at the same time, then a summary made of them, and then it tells the team. The
//! mails are mbox files, the calendar is an iCalendar file, the tasks are a document, and the chat is a file of JSON
//! lines; all of them lie in a temporary folder. The clock is moved by hand, so nobody waits for nine.

mod calendar;
#[path = "../office/chat.rs"]
mod chat;
#[path = "../office/folder.rs"]
mod folder;
#[path = "../office/journal.rs"]
mod journal;
#[path = "../office/mail.rs"]
mod mail;
#[path = "../office/progress.rs"]
mod progress;
mod research;
#[path = "../office/slot.rs"]
mod slot;

use calendar::Planner;
use chat::Chat;
use jiff::tz::TimeZone;
use journal::Journal;
use mail::Mailbox;
use progress::Progress;
use research::Research;
use serde_json::Value;
use std::process::ExitCode;
use vextir::drivers::context::ContextDriver;
use vextir::drivers::workflow::Workflow;
use vextir::prelude::*;
use vextir::{BoxError, Timestamp};

const HELP: &str = "\
Prepares a team's daily standup, on a clock that is moved by hand.

Usage: daily_standup [--at TIME]

  --at TIME   the standup that is due then, or the next one after it; with an
              offset, and 2025-06-16T09:00:00-04:00 if not said
  -h, --help  print this text";

/// The instruction's zone is the team's, and its days begin there.
const ZONE: &str = "America/New_York";

#[tokio::main]
async fn main() -> ExitCode {
    let at = match arguments(lexopt::Parser::from_env()) {
        Ok(Some(at)) => at,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("daily_standup: {error}\nTry --help.");
            return ExitCode::from(2);
        }
    };
    match run(at).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("daily_standup: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What `--at` says; `None` when help is wanted.
fn arguments(mut parser: lexopt::Parser) -> Result<Option<Timestamp>, lexopt::Error> {
    use lexopt::prelude::*;

    let mut at = "2025-06-16T09:00:00-04:00".to_owned();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("at") => at = parser.value()?.string()?,
            other => return Err(other.unexpected()),
        }
    }
    at.parse().map(Some).map_err(|error| format!("--at: {error}").into())
}

async fn run(at: Timestamp) -> Result<(), BoxError> {
    let folder = folder::copy("daily_standup")?;
    let place = |name: &str| folder.path().join(name);
    let zone = TimeZone::get(ZONE)?;
    let standup = Workflow::from_file(place("daily_standup.yaml"))?;
    let drawing = standup.instruction().to_mermaid();
    println!("{}: {} steps", standup.instruction().name, standup.instruction().steps.len());

    let clock = slot::before(at);
    let app = Processor::builder(Hub::open(place("vextir.db"))?)
        .clock(clock.clone())
        .driver(Mailbox { folder: place("mail"), zone: zone.clone() })
        .driver(Planner { file: place("calendar.ics"), zone: zone.clone() })
        .driver(ContextDriver)
        .driver(Research)
        .driver(Chat(Journal::new(place("chat.jsonl"))))
        .driver(standup)
        .start()
        .await?;
    let context = app.context("local");
    let tasks: Value = serde_json::from_str(&std::fs::read_to_string(place("tasks.json"))?)?;
    context.write("/Tasks/Active", tasks).await?;

    let mut progress = Progress::new(context).await?;
    let slot = slot::reach(&app, &clock).await?;
    let shown = jiff::Timestamp::from_microsecond(slot.as_micros())?.to_zoned(zone);
    println!("It is {}.\n", shown.strftime("%A, %-d %B %Y, %H:%M in %Q"));
    println!("Checked: {}\n", app.check().await?);
    progress.until_over().await?;
    app.shutdown().await?;

    println!("\nIn the chat:");
    for line in std::fs::read_to_string(place("chat.jsonl"))?.lines() {
        let said: Value = serde_json::from_str(line)?;
        println!(
            "#{}\n{}",
            said["channel"].as_str().unwrap_or_default(),
            said["message"].as_str().unwrap_or_default()
        );
    }
    println!("\nThe plan, for a Mermaid viewer:\n{drawing}");
    Ok(())
}
