//! Rules of flow control that say too little, too much, or do not fit the handler.

use vextir::prelude::*;

/// A letter.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "mail.send")]
struct Send {
    to: String,
}

struct Mailer;

#[vextir::driver("mailer", flow)]
impl Mailer {
    #[on("a", flow(throttle = 10))]
    async fn no_span(&self, _event: Event) {}

    #[on("b", flow())]
    async fn nothing(&self, _event: Event) {}

    #[on("c", flow(concurrency = 2, singleton = "skip"))]
    async fn two_in_one(&self, _event: Event) {}

    #[on("d", flow(concurrency = 0))]
    async fn none(&self, _event: Event) {}

    #[on("e", flow(singleton = "ask"))]
    async fn unknown_twin(&self, _event: Event) {}

    #[on("f", flow(debouce = "1s"))]
    async fn unknown_rule(&self, _event: Event) {}

    #[on("g", flow(batch = 10, within = "1s"))]
    async fn one_at_a_time(&self, _event: Event) {}

    #[on]
    async fn several(&self, _mails: Vec<Send>) {}
}

fn main() {}
