//! A model inside of a handler of one's own, as the specification's research agent has it.

use crate::server::{Answer, Server, said, status};
use crate::{asking, model};
use vextir_core::prelude::*;
use vextir_core::{BoxError, ErrorKind, Name};
use vextir_drivers::agent::{Message, ModelHandle, ModelRegistry, ModelRequest, ModelWanted};

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "research.request")]
struct Research {
    query: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "research.result")]
struct Found {
    text: String,
}

struct Researcher {
    model: ModelHandle,
}

#[driver("research_agent", kind = "agent")]
impl Researcher {
    /// Looks into something.
    #[on]
    async fn research(&self, ask: Research, cx: &Ctx) -> Result<Found, BoxError> {
        let messages = [Message::system("You are a research assistant."), Message::user(ask.query)];
        let reply = self.model.complete(cx, ModelRequest::new(messages)).await?;
        Ok(Found { text: reply.text })
    }
}

fn question() -> Research {
    Research { query: "Why?".into() }
}

#[tokio::test]
async fn a_handler_asks_a_model_and_its_tree_pays() {
    let server = Server::start(|number, _| match number {
        1 => Answer::Raw(status("503 Busy", "", "")),
        _ => Answer::Raw(said("Because", 10, 5)),
    });
    let models = ModelRegistry::new().with("gpt-4", model(&server).with_price(0.01, 0.02));
    let researcher = Researcher { model: models.get("gpt-4").unwrap() };
    let app = asking(models).driver(researcher).start().await.unwrap();
    let ann = app.as_user("ann");
    let found: Found = ann.request(question()).await.unwrap();
    assert_eq!((found.text.as_str(), server.asked().len()), ("Because", 2));

    let root = ann.emit(question()).await.unwrap();
    app.idle().await;
    let units = ann.lease(&root).await.unwrap().unwrap().units;
    let expected =
        [("micro_usd", 200), ("tokens", 15), ("tokens/agent/research_agent", 15), ("tokens/gpt-4", 15)];
    assert_eq!(units, expected.map(|(unit, amount)| (Name::from(unit), amount)).into());
}

#[tokio::test]
async fn what_no_model_answers_fails_the_handler_for_good() {
    let server = Server::always(status("401 No", "", ""));
    let models = ModelRegistry::new().with("gpt-4", model(&server));
    let wanted = vextir_drivers::agent::ModelChoice::Wanted(ModelWanted::default());
    let researcher = Researcher { model: models.choose(wanted).unwrap() };
    let app = asking(models.clone()).driver(researcher).start().await.unwrap();
    let error = app.as_user("ann").request::<Found>(question()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert!(error.to_string().contains("status 401"), "{error}");
    assert_eq!(server.asked().len(), 1);
    assert_eq!(models.get("gpt-5").unwrap_err().kind(), ErrorKind::NotFound);
}
