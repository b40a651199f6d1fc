//! The key goes to the service, and nowhere else: not into events, the hub's file, tapes, spans, errors or `Debug`.

use crate::hello;
use crate::server::{Answer, Server, said, status};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event as Log, Metadata, Subscriber};
use vextir_context::Hub;
use vextir_core::{EventFilter, Processor, RetryPolicy};
use vextir_drivers::agent::{ModelComplete, ModelRegistry, ModelSpec, Models, Tape};
use vextir_drivers::secret::SecretRef;

const KEY: &str = "sk-test-0123456789abcdef";

/// Keeps all that is logged, at every level, by every library.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Visit for Everything {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.lock().unwrap().push_str(&format!("{}={value:?} ", field.name()));
    }
}

impl Everything {
    fn line(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Self)) {
        self.0.lock().unwrap().push_str(&format!("\n{} {}: ", metadata.target(), metadata.name()));
        record(&mut self.clone());
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.line(attributes.metadata(), |all| attributes.record(all));
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Log<'_>) {
        self.line(event.metadata(), |all| event.record(all));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn has_key(bytes: &[u8]) -> bool {
    bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes())
}

/// Repeats the key, as careless services do, in every way to fail and to answer.
fn careless() -> Server {
    Server::start(|number, _| {
        let body = serde_json::json!({"error": {"message": format!("Incorrect key: {KEY}"), "code": KEY}});
        Answer::Raw(match number {
            1 => status("500 Oh", "", &body.to_string()),
            2 => status("429 Slow", "retry-after: 0\r\n", KEY),
            3 => status("401 No", "", &body.to_string()),
            4 => status("200 OK", &format!("content-type: text/html\r\nx: {KEY}\r\n"), KEY),
            5 => status("200 OK", "content-type: application/json\r\n", &format!("{{\"{KEY}\": ")),
            6 => status("307 There", &format!("location: http://x/{KEY}\r\n"), ""),
            _ => said("Good day", 1, 1),
        })
    })
}

#[tokio::test]
async fn the_key_is_nowhere_but_in_the_request() {
    let log = Everything::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let server = careless();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let hub = Hub::open(&path).unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, KEY).unwrap();
    let spec = ModelSpec::openai("gpt").with_endpoint(&server.base).with_key(SecretRef::file(&file));
    let tape = Tape::record(folder.path().join("run.tape")).unwrap();
    let registry = ModelRegistry::new().with("m", spec).on_tape(&tape);
    let models = Models::new(registry).record_contents(true);
    assert!(!has_key(format!("{models:?} {:?}", models.get("m")).as_bytes()));
    let retry = RetryPolicy { base: Duration::from_millis(1), cap: Duration::from_millis(5) };
    let app = Processor::builder(hub.clone()).retry(retry).driver(models).start().await.unwrap();
    let mut told = String::new();
    while server.asked().len() < 7 {
        let outputs = app.as_user("ann").process_event(ModelComplete::new("m", hello())).await.unwrap();
        told.push_str(&format!("{outputs:?}"));
    }
    for letter in app.dead_letters(0, 100).await.unwrap() {
        told.push_str(&format!("{letter:?}"));
    }
    for logged in app.bus().read(0, &EventFilter::all(), 1_000).await.unwrap().events {
        told.push_str(&logged.event.to_json());
    }
    app.shutdown().await.unwrap();
    hub.close().await.unwrap();
    assert!(server.asked().iter().all(|asked| has_key(asked.head.as_bytes())), "each request has the key");
    assert!(server.asked().iter().all(|asked| !asked.head.lines().next().unwrap().contains(KEY)));
    assert!(told.contains("model.completed") && told.contains("model.failed"), "{told}");
    assert!(!has_key(told.as_bytes()), "{told}");
    let log = log.0.lock().unwrap().clone();
    assert!(
        log.contains("gen_ai.operation.name=\"chat\"") && log.contains("error.type=\"unauthorized\""),
        "{log}"
    );
    assert!(log.contains("gen_ai.usage.output_tokens=1") && log.contains("gen_ai.input.messages="), "{log}");
    let at = log.find(KEY).map(|at| &log[at.saturating_sub(300)..at]);
    assert_eq!(at, None, "the log has the key");
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap().path();
        assert!(entry == file || !has_key(&std::fs::read(&entry).unwrap()), "{}", entry.display());
    }
}
