//! Who is asked, how often, and who instead.

use crate::server::{Answer, Server, said, status};
use crate::{asking, hello, model};
use std::time::Duration;
use vextir_core::prelude::*;
use vextir_core::{
    AuthorizeRequest, Authorizer, Data, Decision, ErrorKind, MemoryBus, Processor, Verdict, async_trait,
};
use vextir_drivers::agent::{
    ModelComplete, ModelCompleted, ModelErrorClass, ModelFailed, ModelRegistry, ModelSpec, ToolSpec,
};
use vextir_drivers::secret::SecretRef;

/// The answer to one question to `first`.
async fn answer(models: ModelRegistry, ask: ModelComplete) -> vextir_core::Result<ModelCompleted> {
    let app = asking(models).start().await.unwrap();
    app.as_user("ann").request_within(Duration::from_secs(30), ask).await
}

/// What `first` fails with for good.
async fn failed(models: ModelRegistry, ask: ModelComplete) -> ModelFailed {
    let app = asking(models).start().await.unwrap();
    app.as_user("ann").request_within(Duration::from_secs(30), ask).await.unwrap()
}

fn first() -> ModelComplete {
    ModelComplete::new("first", hello())
}

/// Two models: the second is asked when the first does not answer.
fn two(one: &Server, two: &Server) -> ModelRegistry {
    ModelRegistry::new().with("first", model(one).with_fallbacks(["second"])).with("second", model(two))
}

#[tokio::test]
async fn an_answer_says_who_gave_it_for_whom_and_at_what_cost() {
    let server = Server::always(said("Good day", 1_000, 500));
    let models = ModelRegistry::new().with("first", model(&server).with_price(0.03, 0.06));
    let answer = answer(models, first().for_agent("helper", "run_1", 2)).await.unwrap();
    assert_eq!((answer.reply.text.as_str(), answer.cost, answer.attempts), ("Good day", 60_000, 1));
    assert_eq!((answer.model.as_str(), answer.agent.as_deref()), ("first", Some("helper")));
    assert_eq!((answer.run.as_deref(), answer.turn), (Some("run_1"), Some(2)));
}

#[tokio::test]
async fn what_passes_by_is_asked_again() {
    let server = Server::start(|number, _| match number {
        1 => Answer::Raw(status("503 Busy", "retry-after: 0\r\n", "")),
        _ => Answer::Raw(said("Good day", 1, 1)),
    });
    let models = ModelRegistry::new().with("first", model(&server));
    assert_eq!(answer(models, first()).await.unwrap().reply.text, "Good day");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn each_model_gets_two_tries_and_then_the_next_is_asked() {
    let (bad, good) = (Server::always(status("500 Oh", "", "")), Server::always(said("Good day", 1, 1)));
    let answered = answer(two(&bad, &good), first()).await.unwrap();
    assert_eq!((answered.model.as_str(), answered.attempts), ("second", 2));
    assert_eq!((bad.asked().len(), good.asked().len()), (2, 1));

    let worse = Server::always(status("500 Oh", "", ""));
    let error = answer(two(&bad, &worse), first()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert!(error.to_string().contains("the model second"), "{error}");
    assert_eq!((bad.asked().len(), worse.asked().len()), (4, 2));
}

#[tokio::test]
async fn what_is_the_models_own_fault_is_asked_of_the_next_at_once() {
    let good = Server::always(said("Good day", 1, 1));
    let long = r#"{"error": {"code": "context_length_exceeded", "message": "too long"}}"#;
    for line in ["401 No", "404 Where", "400 Bad"] {
        let bad = Server::always(status(line, "", if line == "400 Bad" { long } else { "" }));
        let answered = answer(two(&bad, &good), first()).await.unwrap();
        assert_eq!((answered.model.as_str(), bad.asked().len()), ("second", 1), "{line}");
    }
    let keyless = SecretRef::env("VEXTIR_TEST_NO_SUCH_KEY");
    let models = ModelRegistry::new()
        .with("first", model(&good).with_key(keyless).with_fallbacks(["second"]))
        .with("second", model(&good));
    assert_eq!(answer(models, first()).await.unwrap().model, "second");
}

#[tokio::test]
async fn what_no_model_answers_is_told_with_its_class() {
    let good = Server::always(said("Good day", 1, 1));
    let bad = Server::always(status("400 Bad", "", r#"{"error": {"message": "no such field"}}"#));
    let told = failed(two(&bad, &good), first().for_agent("helper", "run_1", 2)).await;
    assert_eq!((told.class, good.asked().len()), (ModelErrorClass::BadRequest, 0));
    assert_eq!((told.model.as_deref(), told.agent.as_deref()), (Some("first"), Some("helper")));
    assert!(told.message.contains("no such field"), "{}", told.message);

    let long = Server::always(status("413 Long", "", ""));
    let keyless = Server::always(status("401 No", "", ""));
    let told = failed(two(&long, &keyless), first()).await;
    assert_eq!((told.class, told.model.as_deref()), (ModelErrorClass::ContextTooLong, Some("first")));
}

#[tokio::test]
async fn a_question_that_no_model_can_answer_is_told_what_there_is() {
    let server = Server::always(said("Good day", 1, 1));
    let models = ModelRegistry::new().with("first", model(&server).with_capabilities(["chat"]));
    let told = failed(models.clone(), ModelComplete::new("frist", hello())).await;
    assert_eq!(told.class, ModelErrorClass::UnknownModel);
    assert!(told.message.contains("did you mean `first`?"), "{}", told.message);
    let look =
        ToolSpec { name: "look".into(), description: String::new(), schema: json!({"type": "object"}) };
    let told = failed(models.clone(), ModelComplete::new("first", hello().with_tools([look]))).await;
    assert!(told.message.contains("`function_calling`"), "{}", told.message);

    let app = asking(models).start().await.unwrap();
    let raw = Event::new("model.complete").with_data(json!({"model": "frist", "messages": []}));
    let error = app.emit(raw.with_user("ann")).await.unwrap_err();
    assert!(error.to_string().contains("did you mean `first`?"), "{error}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn text_is_heard_as_it_comes() {
    let server = Server::always(said("Good day", 1, 1));
    let app = asking(ModelRegistry::new().with("first", model(&server))).start().await.unwrap();
    let mut signals = app.signals();
    let _: ModelCompleted = app.as_user("ann").request(first().for_agent("helper", "r", 1)).await.unwrap();
    let mut heard = String::new();
    while let Ok(signal) = signals.try_recv() {
        let data = signal.data.value();
        assert_eq!(
            (signal.name.as_str(), &data["agent"], &data["run"]),
            ("token", &json!("helper"), &json!("r"))
        );
        heard.push_str(data["text"].as_str().unwrap());
    }
    assert_eq!(heard, "Good day");
}

#[tokio::test]
async fn a_call_that_is_cancelled_ends() {
    let server = Server::start(|_, _| Answer::Silent(String::new()));
    let app = asking(ModelRegistry::new().with("first", model(&server))).start().await.unwrap();
    let root = app.as_user("ann").emit(first()).await.unwrap();
    while server.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    app.cancel(&root).await.unwrap();
    server.until_gone(1).await;
}

#[tokio::test]
async fn no_more_calls_run_at_a_time_than_a_model_takes() {
    let server = Server::start(|_, _| Answer::Silent(String::new()));
    let spec = model(&server).with_concurrency(2);
    let app = asking(ModelRegistry::new().with("first", spec)).start().await.unwrap();
    let mut roots = Vec::new();
    for _ in 0..5 {
        roots.push(app.as_user("ann").emit(first()).await.unwrap());
    }
    while server.asked().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // A third one would have come by now.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.asked().len(), 2);
    for root in roots {
        app.cancel(&root).await.unwrap();
    }
    server.until_gone(2).await;
}

/// Demands cheap models.
#[derive(Debug)]
struct Thrifty(serde_json::Value);

#[async_trait]
impl Authorizer for Thrifty {
    async fn authorize(&self, _: &AuthorizeRequest<'_>) -> vextir_core::Result<Verdict> {
        Ok(Verdict::Limit(Decision::new("thrift", "save"), Data::from(self.0.clone())))
    }
}

#[tokio::test]
async fn where_a_policy_demands_it_the_cheapest_is_asked() {
    for demand in [json!("restrict_to_cheap_models"), json!({"action": "restrict_to_cheap_models"})] {
        let (dear, cheap) = (Server::always(said("Dear", 1, 1)), Server::always(said("Cheap", 1, 1)));
        let models = ModelRegistry::new()
            .with("first", model(&dear).with_price(0.03, 0.06))
            .with("small", model(&cheap).with_price(0.001, 0.001))
            .with("dumb", ModelSpec::own().with_capabilities(["guess"]));
        let app = Processor::builder(MemoryBus::new())
            .driver(vextir_drivers::agent::Models::new(models))
            .authorizer(Thrifty(demand))
            .start()
            .await
            .unwrap();
        let answer: ModelCompleted = app.as_user("ann").request(first()).await.unwrap();
        assert_eq!((answer.model.as_str(), answer.reply.text.as_str()), ("small", "Cheap"));
        assert!(dear.asked().is_empty());
    }
}
