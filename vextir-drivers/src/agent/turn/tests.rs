use super::{Given, Next, Outcome, Replied, ask, replied, tool_ended};
use crate::agent::run::AgentRun;
use crate::agent::spec::{AgentCapability, AgentSpec};
use crate::agent::toolbox::{SEARCH, Tool, Toolbox};
use crate::agent::{Message, ModelErrorClass, ModelReply, ToolCall, ToolChoice, ToolSpec};
use serde_json::{Value, json};

fn toolbox(names: &[&str]) -> Toolbox {
    let tool = |name: &&str| {
        let schema =
            json!({"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}});
        let spec = ToolSpec { name: (*name).to_owned(), description: format!("Does {name}."), schema };
        ((*name).to_owned(), Tool::new(spec, name.replace('_', ".").into(), false, true))
    };
    Toolbox { tools: names.iter().map(tool).collect(), missing: Vec::new() }
}

struct World {
    spec: AgentSpec,
    toolbox: Toolbox,
    run: AgentRun,
}

impl World {
    fn new(names: &[&str]) -> Self {
        let mut spec = AgentSpec::new("a");
        spec.capabilities = vec![AgentCapability::new("ask")];
        let mut run = AgentRun::new("a-1".into(), "a".into(), "evt_1".parse().unwrap(), "ask".into());
        run.messages = vec![Message::user("what?")];
        Self { spec, toolbox: toolbox(names), run }
    }

    fn with<T>(&mut self, step: impl FnOnce(&mut AgentRun, Given<'_>) -> T) -> T {
        step(&mut self.run, Given { spec: &self.spec, toolbox: &self.toolbox, critic: None, manifests: &[] })
    }

    fn reply(&mut self, reply: ModelReply) -> Next {
        self.with(|run, given| replied(run, given, Replied::Reply(reply)))
    }

    fn last(&self) -> &str {
        self.run.messages.last().unwrap().text()
    }
}

fn call(id: &str, name: &str, arguments: Value) -> ModelReply {
    ModelReply::calls([ToolCall::new(id, name, arguments)])
}

#[test]
fn a_conversation_goes_from_the_question_over_tools_to_the_answer() {
    let mut world = World::new(&["context_read"]);
    let Next::Ask(request) = world.with(ask) else { panic!("nothing asked") };
    assert_eq!(request.tools.len(), 1);
    let two = ["x", "y"].map(|id| ToolCall::new(id, "context_read", json!({"path": format!("/{id}")})));
    assert_eq!(world.reply(ModelReply::calls(two)), Next::Call(vec![0, 1]));
    let end = |world: &mut World, index, text: &str, labels: &[vextir::Name]| {
        world.with(|run, given| tool_ended(run, given, index, Outcome::Answered(text.into()), labels))
    };
    assert_eq!(end(&mut world, 1, "two", &["untrusted".into()]), Next::Wait);
    // What comes twice counts once.
    assert_eq!(end(&mut world, 1, "again", &[]), Next::Wait);
    let Next::Ask(request) = end(&mut world, 0, "one", &[]) else { panic!("nothing asked") };
    let tail: Vec<&str> = request.messages.iter().rev().take(2).map(Message::text).collect();
    assert!(tail[0].ends_with("\ntwo") && tail[0].contains("no instruction"), "{tail:?}");
    assert_eq!(tail[1], "one");
    assert!(world.run.labels.contains("untrusted"));
    assert_eq!(world.reply(ModelReply::text(" It is so. ")), Next::Answer(json!("It is so.")));
    assert_eq!((world.run.turn, world.run.used.tools), (2, 2));
}

#[test]
fn what_the_model_gets_wrong_is_corrected_a_bounded_number_of_times() {
    let mut world = World::new(&["context_read"]);
    world.with(ask);
    for (wrong, said) in [
        (call("1", "context_raed", json!({"path": "/x"})), "did you mean `context_read`?"),
        (call("2", "context_read", json!({"path": 7})), "7 is not of type \"string\""),
        (call("3", "context_read", json!("{\"path\": ")), "the arguments are no JSON"),
    ] {
        assert!(matches!(world.reply(wrong), Next::Ask(_)));
        assert!(world.last().contains(said), "{}", world.last());
    }
    let Next::Fail(reason) = world.reply(call("4", "context_read", json!([]))) else { panic!("it goes on") };
    assert!(reason.contains("4 times in a row"), "{reason}");
}

#[test]
fn a_right_call_forgives_the_wrong_ones_before() {
    let mut world = World::new(&["context_read"]);
    world.with(ask);
    for _ in 0..10 {
        assert!(matches!(world.reply(call("1", "nothing", json!({}))), Next::Ask(_)));
        assert_eq!(world.reply(call("2", "context_read", json!({"path": "/x"}))), Next::Call(vec![0]));
        world.with(|run, given| tool_ended(run, given, 0, Outcome::Failed("no".into()), &[]));
        assert_eq!(world.last(), "error: no");
    }
}

#[test]
fn the_last_turn_has_to_answer() {
    let mut world = World::new(&["context_read"]);
    world.spec.bounds.turns = 2;
    world.with(ask);
    world.reply(call("1", "context_read", json!({"path": "/x"})));
    let Next::Ask(last) =
        world.with(|run, given| tool_ended(run, given, 0, Outcome::Answered("x".into()), &[]))
    else {
        panic!("nothing asked")
    };
    assert_eq!(last.tool_choice, ToolChoice::None);
    let next = world.reply(call("2", "context_read", json!({"path": "/x"})));
    assert!(matches!(next, Next::Fail(reason) if reason.contains("2 calls of the model")));
    assert_eq!(world.run.used.tools, 1, "nothing is called that nobody would hear of");
    // What it wanted is lost, and it goes on with a turn more.
    let Next::Ask(again) = world.with(super::again) else { panic!("nothing asked") };
    assert_eq!(world.run.turn, 3);
    assert_eq!(again.tool_choice, ToolChoice::None);
}

#[test]
fn an_answer_has_the_form_that_is_declared() {
    let mut world = World::new(&[]);
    let schema = json!({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}});
    world.spec.capabilities[0].output = Some(schema.clone());
    let Next::Ask(request) = world.with(ask) else { panic!("nothing asked") };
    assert_eq!(request.output.unwrap().schema, schema);
    for wrong in ["seven", "{\"n\": \"seven\"}", ""] {
        assert!(matches!(world.reply(ModelReply::text(wrong)), Next::Ask(_)), "{wrong}");
    }
    assert_eq!(world.reply(ModelReply::text("```json\n{\"n\": 7}\n```")), Next::Answer(json!({"n": 7})));
}

#[test]
fn a_conversation_that_is_too_long_is_shortened_and_asked_again() {
    let mut world = World::new(&[]);
    world.run.messages = (0..40).map(|_| Message::user("x".repeat(4_000))).collect();
    world.with(ask);
    let size = |run: &AgentRun| run.messages.iter().map(Message::estimate).sum::<u64>();
    let too_long =
        || Replied::Failed { class: Some(ModelErrorClass::ContextTooLong), message: "too long".into() };
    let mut before = size(&world.run);
    for _ in 0..3 {
        assert!(matches!(world.with(|run, given| replied(run, given, too_long())), Next::Ask(_)));
        assert!(size(&world.run) < before);
        before = size(&world.run);
    }
    assert!(matches!(world.with(|run, given| replied(run, given, too_long())), Next::Fail(_)));
}

#[test]
fn with_many_tools_the_model_looks_for_them() {
    let names: Vec<String> = (0..30).map(|n| format!("tool_{n}")).chain(["mail_send".to_owned()]).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = World::new(&names);
    let Next::Ask(request) = world.with(ask) else { panic!("nothing asked") };
    assert_eq!(request.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), [SEARCH]);
    let Next::Ask(request) = world.reply(call("1", SEARCH, json!({"query": "send mails"}))) else {
        panic!("nothing asked")
    };
    assert!(request.tools.iter().any(|tool| tool.name == "mail_send"));
    assert!(request.tools.len() < 8);
    assert!(world.last().contains("Does mail_send."), "{}", world.last());
}

#[test]
fn too_many_calls_at_once_are_refused_and_ids_are_told_apart() {
    let mut world = World::new(&["context_read"]);
    world.spec.bounds.parallel = 2;
    world.with(ask);
    let calls = (0..4).map(|_| ToolCall::new("same", "context_read", json!({"path": "/x"})));
    assert_eq!(world.reply(ModelReply::calls(calls)), Next::Call(vec![0, 1]));
    let ids: std::collections::BTreeSet<&str> =
        world.run.calls.iter().map(|called| called.call.id.as_str()).collect();
    assert_eq!(ids.len(), 4);
    assert!(world.run.calls[2].answer.as_ref().unwrap().contains("at most 2"));
}
