//! Run with `cargo run --example meeting_prep --features agent`, or without a model: `-- --tape`.
//!
//! The specification's second scenario. A meeting is coming up, and an instruction (`meeting_prep.yaml`) prepares it in its five steps: a
//! research agent gathers what is known, the notes of the last meeting and the open actions are read, another agent writes the agenda,
//! and that goes to everybody who takes part. The agents are data, too (`researcher.yaml`, `secretary.yaml`).

#[path = "../office/brain.rs"]
mod brain;
#[path = "../office/journal.rs"]
mod journal;
mod outbox;

use brain::Choice;
use journal::Journal;
use outbox::Outbox;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use vextir::BoxError;
use vextir::drivers::agent::Agent;
use vextir::drivers::context::ContextDriver;
use vextir::drivers::workflow::{PlanFinished, Workflow};
use vextir::prelude::*;

const HELP: &str = "\
Prepares a meeting that is coming up.

Usage: meeting_prep [OPTIONS]

  --tape          run on the example's tape, without a model
  --record FILE   ask a model, and record what it answers
  -h, --help      print this text";

/// How long the models may take.
const PATIENCE: Duration = Duration::from_mins(5);

#[tokio::main]
async fn main() -> ExitCode {
    match arguments(lexopt::Parser::from_env()) {
        Ok(None) => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Some(choice)) => match run(&choice).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("meeting_prep: {error}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("meeting_prep: {error}\nTry --help.");
            ExitCode::from(2)
        }
    }
}

/// Where the model is; `None` when help is wanted.
fn arguments(mut parser: lexopt::Parser) -> Result<Option<Choice>, lexopt::Error> {
    use lexopt::prelude::*;

    let mut choice = Choice::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("tape") => choice.tape = true,
            Long("record") => choice.record = Some(parser.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(choice))
}

async fn run(choice: &Choice) -> Result<(), BoxError> {
    let (models, told) = brain::brain("meeting_prep", choice)?;
    let folder = tempfile::tempdir()?;
    let sent = folder.path().join("sent.jsonl");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/meeting_prep");
    let app = Processor::builder(Hub::open(folder.path().join("vextir.db"))?)
        .driver(models)
        .driver(ContextDriver)
        .driver(Outbox(Journal::new(sent.clone())))
        .driver(Agent::from_file(here.join("researcher.yaml"))?)
        .driver(Agent::from_file(here.join("secretary.yaml"))?)
        .driver(Workflow::from_file(here.join("meeting_prep.yaml"))?)
        .start()
        .await?;
    let notes = app.context("local");
    notes.write("/Projects/Roadmap", "The roadmap for Q3 has two goals: faster search, and billing.").await?;
    notes
        .write("/Meetings/Q3 Planning", "Last time: Bob presented the budget. Alice asked for numbers.")
        .await?;
    notes.write("/Actions/Q3 Planning", "Alice: collect the numbers. Bob: book a room.").await?;

    println!("The models are answered by {told}.");
    let meeting = Event::new("calendar.meeting.upcoming").with_category(Category::Input).with_data(json!({
        "meeting_id": "mtg_123",
        "title": "Q3 Planning",
        "attendees": ["alice@example.com", "bob@example.com"],
        "time": "2025-06-15T14:00:00Z"
    }));
    let ended: PlanFinished = app.request_within(PATIENCE, meeting).await?;
    println!("The preparation is {}.", ended.status);
    print!("{}", std::fs::read_to_string(&sent).unwrap_or_default());
    if let Some(error) = ended.error {
        return Err(error.into());
    }
    app.shutdown().await?;
    Ok(())
}
