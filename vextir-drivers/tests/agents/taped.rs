//! Recorded runs, and what stands in the files that a run leaves.

use super::double::{Double, Tools, call, models, of_type};
use serde_json::{Value, json};
use std::path::Path;
use vextir::prelude::*;
use vextir_context::Hub;
use vextir_drivers::agent::{Agent, AgentFinished, ModelRegistry, ModelReply, ModelSpec, Models, Tape};
use vextir_drivers::context::ContextDriver;

fn agent() -> Agent {
    Agent::new("helper")
        .model("double")
        .tools(["math_add", "math_divide", "page_get", "context_write"])
        .handles("help.ask")
}

fn script() -> Double {
    Double::says([
        call("math_add", json!({"a": 20, "b": 3})),
        call("page_get", json!({"url": "http://x"})),
        call("math_divide", json!({"by": 0})),
        call("context_write", json!({"path": "/Notes/sum", "content": "23"})),
        ModelReply::text("It is 23."),
    ])
}

/// What the user would see of a run: the types, data and labels of what it caused, in their order.
async fn run(app: &Processor, question: &str) -> Vec<(String, Value, Vec<String>)> {
    let ask = Event::new("help.ask").with_data(json!({"question": question}));
    let ask = ask.with_id("one-question".parse().unwrap());
    let caused = app.process_event(ask).await.unwrap();
    let seen = |event: &Event| {
        let labels = event.labels.iter().map(ToString::to_string).collect();
        let mut data = event.data.value();
        // The kernel's own ids.
        for id in ["answers", "event_id"] {
            data.as_object_mut().map(|data| data.remove(id));
        }
        (event.event_type.to_string(), data, labels)
    };
    caused.iter().map(seen).collect()
}

async fn recording(path: &Path, database: &Path) -> Processor {
    let tape = Tape::record(path).unwrap();
    let registry = ModelRegistry::new().with_model("double", ModelSpec::own(), script()).on_tape(&tape);
    Processor::builder(Hub::open(database).unwrap())
        .driver(Models::new(registry))
        .driver(tape.driver(Tools).unwrap())
        .driver(ContextDriver)
        .driver(agent())
        .start()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_replayed_offline_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.tape");
    let app = recording(&path, &folder.path().join("one.db")).await;
    let recorded = run(&app, "How much?").await;
    app.shutdown().await.unwrap();
    assert!(recorded.iter().any(|(event_type, ..)| event_type == "error"), "{recorded:?}");

    // Neither the model nor the tools are there any more.
    let tape = Tape::replay(&path).unwrap();
    let registry = ModelRegistry::new().with_model("double", ModelSpec::own(), tape.recorded_model("double"));
    let app = Processor::builder(Hub::open(folder.path().join("two.db")).unwrap())
        .driver(Models::new(registry))
        .driver(tape.recorded_driver("tools").unwrap())
        .driver(ContextDriver)
        .driver(agent())
        .start()
        .await
        .unwrap();
    assert_eq!(run(&app, "How much?").await, recorded);
    let note = app.context("local").read("/Notes/sum").await.unwrap().unwrap();
    assert_eq!(note.content.to_text(), "23");

    let other = Event::new("help.ask").with_data(json!({"question": "How little?"}));
    // Which of the two comes first is nobody's promise.
    let error = match app.request::<AgentFinished>(other).await {
        Ok(finished) => finished.error.unwrap(),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("messages/1/text: \"How much?\" on the tape, \"How little?\" now"), "{error}");
    assert!(tape.recorded_driver("nobody").unwrap_err().to_string().contains("tools"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tape_that_is_none_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.tape");
    std::fs::write(&path, "{\"answer\": 7}\n").unwrap();
    let error = Tape::replay(&path).unwrap_err().to_string();
    assert!(error.contains("bad.tape:1: not of a tape"), "{error}");
    assert!(Tape::replay(folder.path().join("none")).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_its_tape_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let app = recording(&folder.path().join("run.tape"), &folder.path().join("one.db")).await;
    let taped = run(&app, "How much?").await;
    let plain = Processor::builder(Hub::open(folder.path().join("two.db")).unwrap())
        .driver(models(script()))
        .driver(Tools)
        .driver(ContextDriver)
        .driver(agent())
        .start()
        .await
        .unwrap();
    let types =
        |seen: &[(String, Value, Vec<String>)]| seen.iter().map(|one| one.0.clone()).collect::<Vec<_>>();
    assert_eq!(types(&run(&plain, "How much?").await), types(&taped));
    let caused = plain.process_event(Event::new("help.ask")).await.unwrap();
    assert_eq!(of_type(&caused, "agent.finished").len(), 1);
}
