//! Run with `cargo run --example research_agent --features agent`, or without a model: `-- --tape`.
//!
//! A question over a folder of documents. The agent is shown the folder's guide, what is in it, and the documents that a search for
//! the question finds; it may read and search more. Its answer names its sources. Each call of the model and of a tool is an event, and
//! the run is a document, so what it did can be looked up afterwards.

#[path = "../office/brain.rs"]
mod brain;

use brain::Choice;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use vextir::BoxError;
use vextir::drivers::agent::{Agent, AgentAnswer, AgentRuns};
use vextir::drivers::context::ContextDriver;
use vextir::prelude::*;

const HELP: &str = "\
Answers a question over a folder of documents, with its sources.

Usage: research_agent [OPTIONS] [QUESTION]

  QUESTION        what to find out; something about bees if not said
  --tape          run on the example's tape, without a model
  --record FILE   ask a model, and record what it answers
  -h, --help      print this text";

/// What is found out.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "research.request")]
struct Research {
    query: String,
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "research.request.result", category = "output")]
struct Found {
    #[serde(flatten)]
    answer: AgentAnswer,
}

#[tokio::main]
async fn main() -> ExitCode {
    match arguments(lexopt::Parser::from_env()) {
        Ok(None) => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Some((question, choice))) => match run(question, &choice).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("research_agent: {error}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("research_agent: {error}\nTry --help.");
            ExitCode::from(2)
        }
    }
}

/// The question and where the model is; `None` when help is wanted.
fn arguments(mut parser: lexopt::Parser) -> Result<Option<(String, Choice)>, lexopt::Error> {
    use lexopt::prelude::*;

    let (mut question, mut choice) = ("Who looks after the bees?".to_owned(), Choice::default());
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("tape") => choice.tape = true,
            Long("record") => choice.record = Some(parser.value()?.into()),
            Value(text) => question = text.string()?,
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some((question, choice)))
}

async fn run(question: String, choice: &Choice) -> Result<(), BoxError> {
    let (models, told) = brain::brain("research_agent", choice)?;
    let agent = Agent::new("research_agent")
        .model("brain")
        .system_prompt("You are a research assistant. Answer in one sentence, from the documents.")
        .tools(["context_read", "context_search"])
        .within(["/Research"])
        .shows_folder("/Research", 1)
        .bounds(|bounds| bounds.turns = 8)
        .max_tokens(60)
        .handles("research.request");

    let folder = tempfile::tempdir()?;
    let app = Processor::builder(Hub::open(folder.path().join("vextir.db"))?)
        .driver(models)
        .driver(ContextDriver)
        .driver(agent)
        .start()
        .await?;
    let notes = app.context("local");
    notes.set_guide("/Research", "What we know of house and garden: one document for each topic.").await?;
    for entry in
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/research_agent/documents"))?
    {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        notes.write(&format!("/Research/{name}"), fs::read_to_string(&path)?).await?;
    }

    println!("Asked: {question} (answered by {told})");
    let Found { answer } = app.request(Research { query: question }).await?;
    println!("Answer: {}", answer.text);
    for source in &answer.sources {
        println!("Source: {source}");
    }
    let runs = AgentRuns::new(app.as_user("local"), "research_agent");
    for name in runs.list("", 10).await? {
        if let Some(run) = runs.get(&name).await? {
            let used = run.used;
            println!(
                "Run: {} calls of the model, {} of tools, {} tokens in, {} out",
                run.turn, used.tools, used.input, used.output
            );
        }
    }
    app.shutdown().await?;
    Ok(())
}
