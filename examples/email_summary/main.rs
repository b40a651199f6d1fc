//! Run with `cargo run --example email_summary`.
//!
//! The specification's first scenario, as it is printed there (`email_summary.yaml`). Its three steps have no ids, so they
//! are done one after the other, and each hands on what it gave: what was fetched is summarized, and the summary is said.
//! Nothing in the file says so; the drivers' schemas tell which field is missing. The mails are an mbox file and the
//! chat is a file of JSON lines, both in a temporary folder; the clock is moved by hand to the next eight o'clock.

#[path = "../office/chat.rs"]
mod chat;
#[path = "../office/folder.rs"]
mod folder;
#[path = "../office/journal.rs"]
mod journal;
#[path = "../office/mail.rs"]
mod mail;
#[path = "../office/progress.rs"]
mod progress;
#[path = "../office/slot.rs"]
mod slot;

use chat::Chat;
use jiff::tz::TimeZone;
use journal::Journal;
use mail::{Mail, Mailbox};
use progress::Progress;
use vextir::BoxError;
use vextir::drivers::workflow::Workflow;
use vextir::prelude::*;

/// Sum up mails.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "email.summarize")]
struct Summarize {
    emails: Vec<Mail>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "email.summary", category = "output")]
struct Summary {
    text: String,
}

/// In the place of an agent with a model.
struct Summarizer;

#[driver("summarizer", kind = "tool", effect = "reads")]
impl Summarizer {
    /// Who wrote about what, and the first sentence.
    #[on]
    async fn summarize(&self, ask: Summarize) -> Summary {
        let mut text = format!("{} mails since yesterday", ask.emails.len());
        for Mail { from, subject, text: body, .. } in &ask.emails {
            let first = body.split_inclusive(['.', '!', '?']).next().unwrap_or_default();
            let first: Vec<&str> = first.split_whitespace().collect();
            text += &format!("\n- {from}, {subject}: {}", first.join(" "));
        }
        Summary { text }
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let folder = folder::copy("email_summary")?;
    let place = |name: &str| folder.path().join(name);
    let instruction = Workflow::from_file(place("email_summary.yaml"))?;
    println!("{}", instruction.instruction().name);

    let clock = slot::before("2025-06-16T08:00:00Z".parse()?);
    let app = Processor::builder(Hub::open(place("vextir.db"))?)
        .clock(clock.clone())
        // The instruction names no time zone, so its days are those of UTC.
        .driver(Mailbox { folder: place("mail"), zone: TimeZone::UTC })
        .driver(Summarizer)
        .driver(Chat(Journal::new(place("chat.jsonl"))))
        .driver(instruction)
        .start()
        .await?;
    let mut progress = Progress::new(app.context("local")).await?;
    println!("It is {}.\n", slot::reach(&app, &clock).await?);
    let plan = progress.until_over().await?;
    app.shutdown().await?;

    println!("\nWhat the second step gave: {:#}", plan["dag"]["nodes"]["n2"]["output"]);
    println!("\nchat.jsonl:\n{}", std::fs::read_to_string(place("chat.jsonl"))?);
    Ok(())
}
