//! What an agent is shown of the user's documents, and where its tools may look.

use super::double::{Double, World, call};
use serde_json::json;
use vextir::prelude::*;
use vextir_drivers::agent::{Agent, ModelReply, RunStatus};

fn researcher() -> Agent {
    Agent::new("researcher")
        .model("double")
        .tools(["context_read", "context_search"])
        .shows_documents(["/Research/{topic}"])
        .shows_folder("/Research", 2)
        .within(["/Research"])
        .handles("research.request")
}

async fn world(replies: impl IntoIterator<Item = ModelReply>) -> World {
    let world = World::new(Double::says(replies), [researcher()]).await;
    let notes = world.app.context("local");
    notes.write("/Research/rust", "Rust was first released in 2015.").await.unwrap();
    notes.write("/Research/bees", "Bees make honey from nectar.").await.unwrap();
    notes.write("/Private/diary", "I keep honey in the cellar.").await.unwrap();
    notes.set_guide("/Research", "One document for each topic.").await.unwrap();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn guides_documents_and_hits_are_shown_and_told_as_sources() {
    let world = world([ModelReply::text("Nectar.")]).await;
    let ask = Event::new("research.request").with_data(json!({"topic": "rust", "query": "Who makes honey?"}));
    let (run, caused) = world.ask("researcher", ask).await;
    let shown = world.model.asked()[0].messages[1].text().to_owned();
    for text in ["Who makes honey?", "One document for each topic.", "released in 2015", "Bees make honey"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    assert!(!shown.contains("cellar"), "{shown}");
    let answer = caused.iter().find(|event| event.event_type == "research.request.result").unwrap();
    assert_eq!(answer.data.value()["sources"], json!(["/Research/bees", "/Research/rust"]));
    // The second time, the run of the first one is not found among what is known.
    let ask = Event::new("research.request").with_data(json!({"topic": "rust", "query": "Who makes honey?"}));
    let (again, _) = world.ask("researcher", ask).await;
    assert_eq!(again.sources, run.sources);
    assert!(!world.model.asked()[1].messages[1].text().contains("/System"), "{:?}", world.model.asked()[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_stay_within_the_folders_of_the_agent() {
    let world = world([
        call("context_read", json!({"path": "/Private/diary"})),
        call("context_read", json!({"path": "/Research/rust"})),
        ModelReply::text("2015."),
    ])
    .await;
    let (run, _) =
        world.ask("researcher", Event::new("research.request").with_data(json!({"query": "When?"}))).await;
    assert_eq!(run.status, RunStatus::Completed);
    let asked = world.model.asked();
    assert!(asked[1].messages.last().unwrap().text().contains("out of its scope"));
    assert!(asked[2].messages.last().unwrap().text().contains("released in 2015"));
    assert!(!format!("{:?}", asked).contains("cellar"));
    assert!(run.sources.contains("/Research/rust"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_question_is_searched_by_its_beginning() {
    let world = world([ModelReply::text("Nectar.")]).await;
    let query = format!("Who makes honey? {}", "ü".repeat(3_000));
    let (run, _) =
        world.ask("researcher", Event::new("research.request").with_data(json!({"query": query}))).await;
    assert_eq!(run.status, RunStatus::Completed, "{:?}", run.reason);
    let inside = Event::new("research.request").with_data(json!({"query": "x", "topic": "../System"}));
    let (run, _) = world.ask("researcher", inside).await;
    assert!(run.sources.iter().all(|path| path.starts_with("/Research/")), "{:?}", run.sources);
}
