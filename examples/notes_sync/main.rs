//! Run with `cargo run --example notes_sync`.
//!
//! Ann has her notes on a laptop and on a desktop; both are without a network for a day, and she writes on both. Then
//! they meet over TCP on this machine, and both have everything: edits of one text are put together, two new notes of one name
//! are both kept, and the history says who changed what. In the end bob's laptop gets what ann shares with him.

mod tcp;

use std::path::Path;
use vextir::context::ItemKind;
use vextir::prelude::*;
use vextir::{Context, Level, Peer, Principal, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|error| tcp::failed("a folder for the files", error))?;
    let open = |name: &str| Hub::open(Path::join(folder.path(), name));
    let (laptop, desktop) = (open("laptop.db")?, open("desktop.db")?);
    let (here, there) = (laptop.context("ann"), desktop.context("ann"));
    here.write("/Garden/plan", "beans\npeas\npotatoes\n").await?;
    meet(&laptop, &desktop, Peer::new("ann")).await?;

    println!("A day without a network.");
    here.write("/Garden/plan", "beans, two rows\npeas\npotatoes\n").await?;
    here.write("/Ideas", "on the laptop: a pond\n").await?;
    there.write("/Garden/plan", "beans\npeas\npotatoes\nonions\n").await?;
    there.write("/Ideas", "on the desktop: a hedge\n").await?;
    there.grant("/Garden", Principal::Agent("gardener".into()), Level::Write).await?;
    desktop
        .context("ann")
        .as_agent("gardener")
        .append("/Garden/plan", "garlic (says the gardener)\n")
        .await?;

    meet(&laptop, &desktop, Peer::new("ann")).await?;
    show("The laptop", &here).await?;
    show("The desktop", &there).await?;
    println!("\nWho changed /Garden/plan, last first:");
    for revision in here.history("/Garden/plan", 10).await? {
        let agent = revision.by.agent.map(|agent| format!(", by the agent {agent}")).unwrap_or_default();
        println!("  {:?} by {}{agent}", revision.what, revision.by.user);
    }

    here.grant("/Garden", Principal::User("bob".into()), Level::Write).await?;
    let phone = open("phone of bob.db")?;
    // Bob's phone believes ann's laptop what others did; the laptop believes the phone only what bob may do.
    tcp::meet(&laptop, Peer::new("bob"), &phone, Peer::new("bob").trusted()).await?;
    phone.context("bob").append("/Shared/ann/Garden/plan", "mint, says bob\n").await?;
    tcp::meet(&laptop, Peer::new("bob"), &phone, Peer::new("bob").trusted()).await?;
    show("Bob's phone", &phone.context("bob")).await?;
    show("The laptop", &here).await
}

/// Two replicas of one user meet.
async fn meet(one: &Hub, other: &Hub, user: Peer) -> Result<()> {
    let report = tcp::meet(one, user.clone(), other, user).await?;
    println!("They met: {} changes went one way, {} came the other way.", report.sent, report.received);
    Ok(())
}

/// Prints all notes of a user.
async fn show(title: &str, notes: &Context) -> Result<()> {
    println!("\n{title}:");
    let mut folders = vec!["/".to_owned()];
    while let Some(folder) = folders.pop() {
        for item in notes.list(&folder).await? {
            if item.kind == ItemKind::Folder {
                folders.push(item.path);
            } else if let Some(note) = notes.read(&item.path).await? {
                println!("  {}: {:?}", item.path, note.content.to_text());
            }
        }
    }
    Ok(())
}
