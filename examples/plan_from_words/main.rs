//! Run with `cargo run --example plan_from_words --features agent`, or without a model: `-- --tape`.
//!
//! An instruction is written from a sentence. The model is told what the drivers of the application can do; what it writes is checked
//! as every instruction is, and what is wrong with it goes back to the model, in four rounds at most. What holds is kept as a draft;
//! a person reads it, and installs it (`--install`), and then it runs.
//!
//! It needs a model that can write. What its tape says was written by hand, in two rounds, since the small model that answers the other
//! examples cannot.

#[path = "../office/brain.rs"]
mod brain;
#[path = "../office/chat.rs"]
mod chat;
#[path = "../office/journal.rs"]
mod journal;

use brain::Choice;
use chat::Chat;
use journal::Journal;
use std::process::ExitCode;
use std::time::Duration;
use vextir::BoxError;
use vextir::drivers::agent::{PlanCreate, PlanDraft, planner};
use vextir::drivers::workflow::{PlanFinished, Plans, Workflow};
use vextir::prelude::*;

const HELP: &str = "\
Writes an instruction from a sentence, as a draft.

Usage: plan_from_words [OPTIONS] [SENTENCE]

  SENTENCE        what is to be done; a message to the team if not said
  --install       install the draft, and run it once
  --tape          run on the example's tape, without a model
  --record FILE   ask a model, and record what it answers
  -h, --help      print this text";

/// How long the model may take for all of its rounds.
const PATIENCE: Duration = Duration::from_mins(5);

/// What the command line says.
struct Arguments {
    sentence: String,
    install: bool,
    choice: Choice,
}

#[tokio::main]
async fn main() -> ExitCode {
    match arguments(lexopt::Parser::from_env()) {
        Ok(None) => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Some(arguments)) => match run(arguments).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("plan_from_words: {error}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("plan_from_words: {error}\nTry --help.");
            ExitCode::from(2)
        }
    }
}

/// `None` when help is wanted.
fn arguments(mut parser: lexopt::Parser) -> Result<Option<Arguments>, lexopt::Error> {
    use lexopt::prelude::*;

    let sentence = "Tell the team in the chat that lunch is ready.".to_owned();
    let mut arguments = Arguments { sentence, install: false, choice: Choice::default() };
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("install") => arguments.install = true,
            Long("tape") => arguments.choice.tape = true,
            Long("record") => arguments.choice.record = Some(parser.value()?.into()),
            Value(text) => arguments.sentence = text.string()?,
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(arguments))
}

async fn run(Arguments { sentence, install, choice }: Arguments) -> Result<(), BoxError> {
    let (models, told) = brain::brain("plan_from_words", &choice)?;
    let folder = tempfile::tempdir()?;
    let chat = folder.path().join("chat.jsonl");
    let app = Processor::builder(Hub::open(folder.path().join("vextir.db"))?)
        .driver(models)
        .driver(Chat(Journal::new(chat.clone())))
        .driver(planner("planner", "brain").max_tokens(500))
        .start()
        .await?;

    println!("Asked: {sentence} (written by {told})");
    let draft: PlanDraft = app.request_within(PATIENCE, PlanCreate { text: sentence }).await?;
    println!("Draft: {}\n{}", draft.path, draft.text);

    if install {
        // What a person would have read by now.
        let kept = app.context("local").read(&draft.path).await?.ok_or("the draft is gone")?;
        app.register(Workflow::from_yaml(&draft.path, &kept.content.to_text())?).await?;
        let plans = Plans::new(app.as_user("local"), draft.id.as_str());
        let ended: PlanFinished = app.request(plans.event(serde_json::Map::new())).await?;
        println!("Ran: {}", ended.status);
        print!("{}", std::fs::read_to_string(&chat)?);
    } else {
        println!("It is not installed: look at it, and say --install.");
    }
    app.shutdown().await?;
    Ok(())
}
