//! Run with `cargo run --example memory`.
//!
//! A memory of what was seen. A driver takes mails into the graph of their reader; then the graph tells who works
//! where, who did at Easter, what was known in March, and how two people are connected. At the end one source is
//! forgotten, and only what came from it alone goes.

use vextir::context::graph::{EntityKey, Episode, Fact, Graph};
use vextir::prelude::*;

/// A mail, with what a parser (or a model) found in it.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "mail.received", category = "input")]
struct Mail {
    account: String,
    id: String,
    sent: String,
    from: String,
    employer: String,
    text: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "mail.remembered", category = "output")]
struct Remembered {
    id: String,
}

struct Memory;

#[driver("memory", kind = "tool")]
impl Memory {
    /// What is ingested is committed with the event that says so, or not at all.
    #[on]
    async fn remember(&self, mail: Mail, cx: &Ctx) -> vextir::Result<Remembered> {
        let sender = EntityKey::new("email", mail.from);
        let episode = Episode::new("mail", mail.account)
            .key(mail.id.clone())
            .at(mail.sent.parse()?)
            .text(mail.text)
            .fact(Fact::new(("mail", mail.id.clone()), "sent_by", &sender))
            .fact(Fact::new(&sender, "works_for", ("company", mail.employer)));
        cx.context().graph().ingest(episode).await?;
        Ok(Remembered { id: mail.id })
    }
}

#[tokio::main]
async fn main() -> vextir::Result<()> {
    let app = Processor::builder(Hub::in_memory()?).driver(Memory).start().await?;
    let graph = app.context("local").graph();
    graph.declare_single("works_for", true).await?;
    let mails = [
        (
            "work",
            "3",
            "2025-06-02T08:00:00Z",
            "bob@example.org",
            "Initech",
            "New job! Ask carol@example.org.",
        ),
        ("work", "1", "2025-01-10T08:00:00Z", "bob@example.org", "Acme", "Hello, this is Bob of Acme."),
        ("home", "2", "2025-05-01T08:00:00Z", "carol@example.org", "Acme", "Bob is leaving, see [[/Party]]."),
    ];
    for (account, id, sent, from, employer, text) in mails.map(|mail| {
        let (account, id, sent, from, employer, text) = mail;
        (account.into(), id.into(), sent.into(), from.into(), employer.into(), text.into())
    }) {
        let mail = Mail { account, id, sent, from, employer, text };
        let _: Remembered = app.request(mail).await?;
    }

    println!("Now:       {}", employer(&graph).await?);
    println!("At Easter: {}", employer(&graph.valid_at("2025-04-20T00:00:00Z".parse()?)).await?);
    println!("Before:    {}", employer(&graph.valid_at("2025-01-01T00:00:00Z".parse()?)).await?);
    println!("Known in March: {}", employer(&graph.known_at("2025-03-01T00:00:00Z".parse()?)).await?);

    let ways = graph.paths(("email", "bob@example.org"), ("email", "carol@example.org"), 4).await?;
    for way in &ways.paths {
        let steps: Vec<String> =
            way.iter().map(|link| format!("{} {}", link.subject, link.relation)).collect();
        println!("Bob and Carol: {}", steps.join(", "));
    }
    if let Some(forgotten) = graph.forget("work").await? {
        let (episodes, links) = (forgotten.episodes.len(), forgotten.links.len());
        println!("Forgotten: {episodes} mails, and {links} links that only they say");
    }
    println!("Left:      {} links around Acme", graph.neighbours(("company", "Acme")).await?.links.len());
    app.shutdown().await
}

/// Where Bob works, as this view of the graph knows.
async fn employer(graph: &Graph) -> vextir::Result<String> {
    let around = graph.neighbours(("email", "bob@example.org")).over(["works_for"]).depth(1).await?;
    Ok(around.entities.first().map_or("nobody knows".to_owned(), |(company, _)| company.key.clone()))
}
