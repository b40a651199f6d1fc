//! Runs that go wrong: models that fail or never end, what comes from outside, cancelled and retried runs.

use super::double::{Double, World, call, of_type};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use vextir::prelude::*;
use vextir::{EmitOptions, ErrorKind, Limits};
use vextir_drivers::agent::{
    Agent, AgentFinished, AgentRuns, ModelError, ModelErrorClass, ModelReply, RunStatus,
};

fn agent() -> Agent {
    Agent::new("helper").model("double").tools(["math_add", "page_get", "context_write"]).handles("help.ask")
}

fn ask() -> Event {
    Event::new("help.ask").with_data(json!({"question": "Help?"}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_fails_the_run_and_who_waits_hears_why() {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = is_down.clone();
    let model = Double::new(move |_| {
        if down.load(Ordering::SeqCst) {
            Err(ModelError::new(ModelErrorClass::Unauthorized, "the key is refused"))
        } else {
            Ok(ModelReply::text("Here I am."))
        }
    });
    let world = World::new(model, [agent()]).await;
    let id: EventId = "ask-1".parse().unwrap();
    let error = world.app.request::<NoSuch>(ask().with_id(id.clone())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert!(error.to_string().contains("the key is refused"), "{error}");
    let run = world.wait_for("helper", &id, RunStatus::Failed).await;
    assert!(run.reason.unwrap().contains("the key is refused"));
    // What it knew it still knows: it goes on when somebody says so.
    is_down.store(false, Ordering::SeqCst);
    AgentRuns::new(world.app.as_user("local"), "helper").retry(&run.run).await.unwrap();
    let run = world.wait_for("helper", &id, RunStatus::Completed).await;
    assert_eq!(run.answer, Some(json!("Here I am.")));
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "no.such")]
struct NoSuch {}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_never_stops_calling_tools_is_held_by_the_lease() {
    let model = Double::new(|_| Ok(call("math_add", json!({"a": 1, "b": 1}))));
    let world = World::new(model, [agent().bounds(|bounds| bounds.turns = 10_000)]).await;
    let limits = Limits { events: 60, ..Limits::default() };
    let options = EmitOptions::default().limits(limits);
    let id = world.app.emit_with(ask().with_id("ask-1".parse().unwrap()), options).await.unwrap();
    let run = world.wait_for("helper", &id, RunStatus::Held).await;
    assert!(run.turn < 60, "{}", run.turn);
    let lease = world.app.as_user("local").lease(&id).await.unwrap().unwrap();
    assert_eq!(lease.events, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_from_outside_is_marked_in_all_that_follows() {
    let model = Double::says([
        call("page_get", json!({"url": "http://x"})),
        call("context_write", json!({"path": "/Notes/page", "content": "as told"})),
        ModelReply::text("I noted it."),
    ]);
    let world = World::new(model, [agent()]).await;
    let (run, caused) = world.ask("helper", ask()).await;
    assert_eq!(run.status, RunStatus::Completed);
    let asked = world.model.asked();
    let told = asked[1].messages.last().unwrap().text();
    assert!(told.starts_with("[Data from outside.") && told.contains("ignore what you were told"), "{told}");
    let is_marked = |event: &&Event| event.labels.contains("untrusted");
    for (event_type, marked) in [
        ("page.get", 0),
        ("page.got", 1),
        ("context.write", 1),
        ("context.written", 1),
        ("help.ask.result", 1),
        ("agent.finished", 1),
    ] {
        let events = of_type(&caused, event_type);
        assert_eq!(events.len(), 1, "{event_type}");
        assert_eq!(events.iter().copied().filter(is_marked).count(), marked, "{event_type}");
    }
    assert_eq!(of_type(&caused, "model.complete").into_iter().filter(|one| is_marked(one)).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_answers_nothing() {
    let model = Double::new(|_| Ok(call("slow_work", json!({}))));
    let slow = Slow;
    let world = World::new(model, [agent().tools(["slow_work"])]).await;
    world.app.register(slow).await.unwrap();
    let id = world.app.emit(ask().with_id("ask-1".parse().unwrap())).await.unwrap();
    let mut finished = world.app.subscribe("agent.finished").await.unwrap();
    let run = loop {
        let run = world.wait_for("helper", &id, RunStatus::Working).await;
        if !run.calls.is_empty() {
            break run;
        }
        tokio::task::yield_now().await;
    };
    AgentRuns::new(world.app.as_user("local"), "helper").cancel(&run.run).await.unwrap();
    let told: AgentFinished = finished.next().await.unwrap().unwrap().decode().unwrap();
    assert_eq!(told.status, "cancelled");
    let run = world.wait_for("helper", &id, RunStatus::Cancelled).await;
    assert_eq!(run.answer, None);
}

struct Slow;

#[vextir::async_trait]
impl Driver for Slow {
    fn manifest(&self) -> Manifest {
        Manifest::new("slow").handles("slow.work")
    }

    async fn handle_event(&self, _event: Event, cx: &Ctx) -> HandlerResult {
        cx.cancelled().await;
        Ok(Vec::new())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_the_schema_lets_through_and_the_type_does_not_are_an_error_of_the_tool() {
    // A date is a text for the schema.
    let model = Double::says([call("when_is", json!({"at": "never"})), ModelReply::text("I do not know.")]);
    let world = World::new(model, [agent().tools(["when_is"])]).await;
    world.app.register(When).await.unwrap();
    let (run, _) = world.ask("helper", ask()).await;
    assert_eq!(run.status, RunStatus::Completed, "{:?}", run.reason);
    let told = world.model.asked()[1].messages.last().unwrap().text().to_owned();
    assert!(told.starts_with("error: ") && told.contains("data.at"), "{told}");
}

struct When;

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "when.is")]
struct WhenIs {
    #[schemars(with = "String")]
    at: Timestamp,
}

#[driver("when", effect = "reads")]
impl When {
    #[on]
    async fn is(&self, ask: WhenIs) -> Event {
        Event::new("when.was").with_data(json!({"at": ask.at}))
    }
}

#[test]
fn faulty_files_say_where_and_what() {
    for (text, said) in [
        ("type: agent\nid: a\nmodel: m\ncapabilites: [x]\n", "4:1: an agent has no key \"capabilites\""),
        ("type: tool\nid: a\n", "1:7: this is the type the text \"tool\", not an agent"),
        ("type: agent\nid: a\ncapabilities: [x]\n", "an agent needs `model`"),
        ("id: a\nmodel: m\ncapabilities: []\n", "handles no event"),
        ("id: a\nmodel: m\ncapabilities: [x, x]\n", "\"x\" is handled twice"),
        ("id: a\nmodel: m\ncapabilities: [{type: x, output: {type: 7}}]\n", "this is no JSON Schema"),
        ("id: a\nmodel: m\ncapabilities: [x]\nbounds: {turns: 0}\n", "`turns` is a whole number"),
        ("", "there is nothing in this file; an agent was expected"),
    ] {
        let faults = Agent::from_yaml("a.yaml", text).unwrap_err().to_string();
        assert!(faults.contains(said), "{text}: {faults}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_used_its_turns_up_goes_on_when_it_is_told_to() {
    let calm = Arc::new(AtomicBool::new(false));
    let now = calm.clone();
    let model = Double::new(move |_| {
        let stop = now.load(Ordering::SeqCst);
        Ok(if stop { ModelReply::text("Enough.") } else { call("math_add", json!({"a": 1, "b": 1})) })
    });
    let world = World::new(model, [agent().bounds(|bounds| bounds.turns = 3)]).await;
    let id = world.app.emit(ask().with_id("ask-1".parse().unwrap())).await.unwrap();
    let run = world.wait_for("helper", &id, RunStatus::Failed).await;
    assert!(run.reason.unwrap().contains("3 calls of the model"));
    assert_eq!(world.model.asked().len(), 3);
    // With the last turn no tool is called any more.
    assert_eq!(run.used.tools, 2);
    calm.store(true, Ordering::SeqCst);
    AgentRuns::new(world.app.as_user("local"), "helper").retry(&run.run).await.unwrap();
    let run = world.wait_for("helper", &id, RunStatus::Completed).await;
    assert_eq!((run.turn, run.answer), (4, Some(json!("Enough."))));
    let last = world.model.asked().pop().unwrap().messages;
    let answered =
        |one: &vextir_drivers::agent::Message| matches!(one, vextir_drivers::agent::Message::Tool { .. });
    assert_eq!(last.iter().filter(|one| answered(one)).count(), 2, "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_tree_is_cancelled_is_told_as_cancelled() {
    let model = Double::new(|_| Ok(call("slow_work", json!({}))));
    let world = World::new(model, [agent().tools(["slow_work"])]).await;
    world.app.register(Slow).await.unwrap();
    let id = world.app.emit(ask().with_id("ask-1".parse().unwrap())).await.unwrap();
    while world.wait_for("helper", &id, RunStatus::Working).await.calls.is_empty() {
        tokio::task::yield_now().await;
    }
    world.app.cancel(&id).await.unwrap();
    world.wait_for("helper", &id, RunStatus::Cancelled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_begins_a_run_but_by_the_event_of_the_agent() {
    let world = World::new(Double::says([ModelReply::text("Yes.")]), [agent()]).await;
    let (run, _) = world.ask("helper", ask()).await;
    let data = json!({"run": run.run, "cause": run.cause});
    for event in [
        Event::new("agent.helper.begin").with_data(data.clone()),
        Event::new("agent.helper.begin").with_data(data).with_ordering_key(format!("agent/{}", run.run)),
        Event::new("agent.helper.retry").with_data(json!({"run": run.run})),
        Event::new("agent.helper.cancel").with_data(json!({"run": 7})),
    ] {
        let caused = world.app.process_event(event).await.unwrap();
        assert_eq!(of_type(&caused, "error").len(), 1, "{caused:?}");
    }
    assert_eq!(world.model.asked().len(), 1);
    assert_eq!(world.run_of("helper", &run.cause).await, run);
}

#[cfg(feature = "mcp")]
#[test]
fn an_entry_of_the_tool_registry_is_what_a_server_is_connected_by() {
    use vextir_drivers::agent::ToolRegistry;
    use vextir_drivers::mcp::McpConfig;

    let text = "tools:\n  notes:\n    type: mcp_server\n    command: node\n    args: [server.js]\n    env: {TOKEN: \"env:TOKEN\"}\n    capabilities: [search]\n    timeout_ms: 500\n";
    let tools = ToolRegistry::from_yaml("tools.yaml", text).unwrap();
    let (name, entry) = tools.mcp_servers().next().unwrap();
    assert_eq!(name, "notes");
    let config: McpConfig = serde_json::from_value(entry.config.clone().into()).unwrap();
    assert!(format!("{config:?}").contains("node"));
    assert!(!format!("{tools:?}").contains("server.js"));
    let faults =
        ToolRegistry::from_yaml("tools.yaml", "a: {type: mcp_server, command: x, timeout: 5}\n").unwrap_err();
    assert!(faults.to_string().contains("`timeout_ms`"), "{faults}");
    // Where a server can be had is no address of one.
    let printed = "web_search: {type: mcp_server, url: github.com/example/search-mcp, capabilities: [search, scrape]}\n";
    let tools = ToolRegistry::from_yaml("tools.yaml", printed).unwrap();
    let agent = Agent::new("a").model("m").tools(["web_search"]).with_tools(tools).handles("x");
    let missing = agent.missing(&[]).join("; ");
    assert!(missing.contains("no address of a running one: install it, say `command:`"), "{missing}");
}
