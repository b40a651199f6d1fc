//! Runs that go well: tools, typed answers, agents that ask agents, YAML as the specification prints it.

use super::double::{Double, World, call, of_type};
use serde_json::json;
use vextir::prelude::*;
use vextir_drivers::agent::{
    Agent, AgentFinished, AgentRuns, Message, ModelReply, PlanCreate, PlanDraft, RunStatus, ToolCall, planner,
};
use vextir_drivers::workflow::Workflow;

fn adder() -> Agent {
    Agent::new("adder")
        .model("double")
        .system_prompt("Add.")
        .tools(["math_add", "math_divide", "page_get"])
        .handles("sum.ask")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_goes_over_a_tool_to_its_answer() {
    let model = Double::says([
        call("math_add", json!({"a": 2, "b": 3})),
        ModelReply::text("It is 5.").with_usage(50, 5),
    ]);
    let world = World::new(model, [adder()]).await;
    let (run, caused) =
        world.ask("adder", Event::new("sum.ask").with_data(json!({"question": "What is 2 + 3?"}))).await;
    assert_eq!((run.status, run.turn, run.used.tools), (RunStatus::Completed, 2, 1));
    assert_eq!((run.used.input, run.used.output, run.used.micro_usd), (150, 15, 1_650));
    assert_eq!(run.answer, Some(json!("It is 5.")));
    let answers = of_type(&caused, "sum.ask.result");
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].data.value()["text"], "It is 5.");
    assert_eq!(answers[0].correlation_id.as_ref().unwrap().to_string(), "ask-0");
    // Each call is an event in the tree, and depth does not grow with the number of steps.
    assert_eq!(of_type(&caused, "model.complete").len(), 2);
    let added = of_type(&caused, "math.add");
    assert_eq!(added[0].metadata["agent"], "adder");
    assert!(caused.iter().all(|event| event.depth <= 4), "{:?}", caused.iter().map(|one| one.depth).max());
    let second = &world.model.asked()[1].messages;
    assert_eq!(second.last().unwrap().text(), "{\"sum\":5}");
    assert!(matches!(&second[0], Message::System { text } if text.starts_with("Add.")));
    assert_eq!(of_type(&caused, "agent.finished")[0].decode::<AgentFinished>().unwrap().turns, 2);
    world.app.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_called_at_once_and_what_fails_is_told() {
    let both = ModelReply::calls([
        ToolCall::new("1", "math_add", json!({"a": 1, "b": 1})),
        ToolCall::new("2", "math_divide", json!({"by": 0})),
        // It fits the schema of a byte as far as that says, and not the type.
        ToolCall::new("3", "math_divide", json!({"by": 255})),
    ]);
    let world = World::new(Double::says([both, ModelReply::text("Two.")]), [adder()]).await;
    let (run, caused) = world.ask("adder", Event::new("sum.ask").with_data(json!({"question": "?"}))).await;
    assert_eq!(run.status, RunStatus::Completed);
    let told: Vec<String> =
        world.model.asked()[1].messages.iter().rev().take(3).map(|one| one.text().to_owned()).collect();
    assert_eq!(told[2], "{\"sum\":2}");
    assert!(told[1].starts_with("error: ") && told[1].contains("divided by zero"), "{}", told[1]);
    assert_eq!(told[0], "{\"sum\":1}");
    assert_eq!(of_type(&caused, "sum.ask.result").len(), 1);
}

/// What is the sum?
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "total.ask")]
struct Total {
    numbers: Vec<i64>,
}

/// The sum.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "total.ask.result", category = "output")]
struct TotalIs {
    total: i64,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_gives_the_answer_typed() {
    let model =
        Double::says([ModelReply::text("about seven"), ModelReply::text("```json\n{\"total\": 7}\n```")]);
    let agent = Agent::new("total").model("double").answers::<Total, TotalIs>();
    let world = World::new(model, [agent]).await;
    let total: TotalIs = world.app.request(Total { numbers: vec![3, 4] }).await.unwrap();
    assert_eq!(total, TotalIs { total: 7 });
    let asked = world.model.asked();
    assert_eq!(asked[0].output.as_ref().unwrap().schema["properties"]["total"]["type"], "integer");
    assert!(asked[1].messages.last().unwrap().text().contains("no JSON"));
    // Without a type of its own for the answer, the end of the run is an answer, too.
    let finished: AgentFinished = world.app.request(Total { numbers: vec![] }).await.unwrap();
    assert_eq!(finished.status, "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_a_tool_of_another_one() {
    let model = Double::new(|request| {
        let asked = request.messages.iter().any(|one| one.text().contains("What is 1 + 1"));
        Ok(match request.messages.last().unwrap() {
            Message::User { .. } if asked => ModelReply::text("2, says the adder"),
            Message::User { .. } => call("sum_ask", json!({"question": "What is 1 + 1?"})),
            other => ModelReply::text(format!("I heard: {}", other.text())),
        })
    });
    let boss = Agent::new("boss").model("double").tools(["sum_ask"]).handles("boss.ask");
    let world = World::new(model, [adder(), boss]).await;
    let (run, _) =
        world.ask("boss", Event::new("boss.ask").with_data(json!({"text": "Ask somebody."}))).await;
    assert!(run.answer.unwrap().as_str().unwrap().contains("2, says the adder"));
}

const PRINTED: &str = "
driver:
  id: email_assistant
  type: agent
  model: gpt-4
  tools: [email_read, email_send, calendar_check, context_write]
  system_prompt: |
    You are an email assistant. You help manage emails by:
    - Summarizing important messages
    - Drafting responses
    - Scheduling meetings
    - Maintaining context about ongoing conversations
  capabilities:
    - email.process
    - email.summarize
    - meeting.schedule
";

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_agent_works_and_says_what_it_lacks() {
    let agent = Agent::from_yaml("email.yaml", PRINTED).unwrap_or_else(|faults| panic!("{faults}"));
    let write = call("context_write", json!({"path": "/Mail/summary", "content": "All is well."}));
    let world = World::new(Double::says([write, ModelReply::text("Done.")]), [agent]).await;
    let (run, caused) =
        world.ask("email_assistant", Event::new("email.summarize").with_data(json!({"emails": []}))).await;
    assert_eq!(run.status, RunStatus::Completed);
    assert_eq!(run.missing.len(), 3);
    assert!(run.missing[0].starts_with("email_read: "), "{:?}", run.missing);
    assert_eq!(of_type(&caused, "agent.degraded").len(), 1);
    let written = world.app.context("local").read("/Mail/summary").await.unwrap().unwrap();
    assert_eq!(written.content.to_text(), "All is well.");
    let (_, caused) = world.ask("email_assistant", Event::new("email.process")).await;
    assert_eq!(of_type(&caused, "agent.degraded").len(), 1);
    let report = world.app.check().await.unwrap();
    let said = report.to_string();
    assert!(said.contains("agent `email_assistant` lacks the tool calendar_check"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_have_runs_of_their_own() {
    let world = World::new(Double::says([ModelReply::text("Hello.")]), [adder()]).await;
    for user in ["anna", "bert"] {
        let id: EventId = "same-id".parse().unwrap();
        let ask = Event::new("sum.ask").with_id(id.clone()).with_data(json!({"text": user}));
        let finished: AgentFinished = world.app.as_user(user).request(ask).await.unwrap();
        assert_eq!(finished.answer, "Hello.");
    }
    let of = |user: &str| AgentRuns::new(world.app.as_user(user), "adder");
    let (anna, bert) = (of("anna").list("", 10).await.unwrap(), of("bert").list("", 10).await.unwrap());
    assert_eq!((anna.len(), bert.len()), (1, 1));
    assert_ne!(anna, bert);
    assert!(of("bert").get(&anna[0]).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instruction_is_written_from_words_and_criticised_until_it_holds() {
    let model = Double::says([
        ModelReply::text("name: Sums\nplan:\n  - {id: add, emit: {type: math.ad, data: {a: 1, b: 2}}}\n"),
        ModelReply::text("name: Sums\nplan:\n  - {id: add, emit: {type: math.add, data: {a: one, b: 2}}}\n"),
        ModelReply::text(
            "Here:\n```yaml\nname: Sums\nplan:\n  - {id: add, emit: {type: math.add, data: {a: 1, b: 2}}}\n```\n",
        ),
    ]);
    let world = World::new(model, [planner("planner", "double")]).await;
    let draft: PlanDraft = world.app.request(PlanCreate { text: "Add one and two.".into() }).await.unwrap();
    assert_eq!((draft.id.as_str(), draft.name.as_str()), ("sums", "Sums"));
    let kept = world.app.context("local").read(&draft.path).await.unwrap().unwrap();
    assert_eq!(kept.metadata["draft"], true);
    Workflow::from_yaml("kept", &kept.content.to_text()).unwrap();
    let asked = world.model.asked();
    assert!(
        asked[0].messages[0].text().contains("- math.add: Add two numbers."),
        "{}",
        asked[0].messages[0].text()
    );
    assert!(asked[0].output.is_none() && asked[1].output.is_some());
    assert!(asked[1].messages.last().unwrap().text().contains("math.ad"));
    assert!(
        asked[2].messages.last().unwrap().text().contains("`a` of `math.add`"),
        "{}",
        asked[2].messages.last().unwrap().text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_four_rounds_a_bad_instruction_is_given_up() {
    let model = Double::new(|_| Ok(ModelReply::text("name: Nothing\nplan: []\n")));
    let world = World::new(model, [planner("planner", "double")]).await;
    let error = world.app.request::<PlanDraft>(PlanCreate { text: "Do nothing.".into() }).await.unwrap_err();
    assert!(error.to_string().contains("the plan has no steps"), "{error}");
    assert_eq!(world.model.asked().len(), 4);
    assert!(world.app.context("local").list("/Drafts").await.unwrap().is_empty());
}
