//! The program that is killed: it asks agents, says what `emit` acknowledged, and cancels the runs that never end.

use super::journal::Journal;
use super::work::{self, Question};
use super::{USERS, tools};
use crate::Result;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::bus::Start;
use vextir_core::{EmitOptions, Processor, RetryPolicy, Tenant};
use vextir_drivers::agent::AgentRuns;
use vextir_drivers::context::ContextDriver;

/// How long the orderly stop at the end may take.
const DRAIN: Duration = Duration::from_secs(180);
/// No run begins while so much is at work: what was begun is to come to its end between two kills.
const BUSY: usize = 60;
/// Where the person who cancels has got to.
const SEEN: &str = "/seen";

async fn start(file: &Path) -> Result<Processor> {
    let (hub, journal) = (Hub::open(file)?, Journal::open(file)?);
    journal.begin(&hub, file).await?;
    let retry = RetryPolicy { base: Duration::from_millis(5), cap: Duration::from_millis(20) };
    let mut builder =
        Processor::builder(hub).retry(retry).driver(work::models(&journal)).driver(ContextDriver);
    for tool in tools::tools(&journal) {
        builder = builder.driver(tool);
    }
    for agent in work::agents() {
        builder = builder.driver(agent);
    }
    Ok(builder.start().await?)
}

/// Asks until it is killed. `next` has the number that each emitter begins with: all before it were acknowledged.
///
/// # Errors
/// Nothing but a kill should end it: whatever went wrong.
pub async fn load(file: &Path, next: Vec<u64>) -> Result<()> {
    let app = start(file).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for (emitter, from) in next.into_iter().enumerate() {
        tasks.spawn(emit(app.clone(), emitter, from));
        tasks.spawn(cancel(app.as_user(USERS[emitter])));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn emit(app: Processor, emitter: usize, from: u64) -> Result<()> {
    let tenant = app.as_user(USERS[emitter]);
    for n in from.. {
        while app.bus().status().borrow().open > BUSY {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let question = Question::of(emitter, n);
        let options = EmitOptions::new().key(question.tag.clone());
        let id = tenant.emit_with(question.event(), options).await?;
        // One write for the line: a kill cannot tear it.
        std::io::stdout().write_all(format!("ack {emitter} {n} {id}\n").as_bytes())?;
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..8_000))).await;
    }
    Ok(())
}

/// A user who cancels the runs that called a tool that never ends: each at least once.
async fn cancel(tenant: Tenant) -> Result<()> {
    let context = tenant.context();
    let start = match context.read(SEEN).await? {
        Some(seen) => Start::At(seen.content.to_text().parse()?),
        None => Start::Beginning,
    };
    let mut events = tenant.subscribe_from("never.do", start).await?;
    while let Some(event) = events.next().await {
        let event = event?;
        let run = event.metadata.get("run").ok_or("a tool's event without its run")?;
        AgentRuns::new(tenant.clone(), "worker").cancel(run).await?;
        context.write(SEEN, events.cursor().to_string()).await?;
    }
    Ok(())
}

/// Works off what is there, and stops in order.
///
/// # Errors
/// It takes too long, or the hub fails.
pub async fn drain(file: &Path) -> Result<()> {
    let app = start(file).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for user in USERS {
        tasks.spawn(cancel(app.as_user(user)));
    }
    let rest = async {
        loop {
            tokio::select! {
                Some(ended) = tasks.join_next() => ended??,
                () = app.idle() => {}
            }
            let status = *app.bus().status().borrow();
            if (status.open, status.waiting) == (0, 0) && open_run(&app).await?.is_none() {
                return Result::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    match tokio::time::timeout(DRAIN, rest).await {
        Ok(rest) => rest?,
        Err(_) => {
            let (status, run) = (*app.bus().status().borrow(), open_run(&app).await?);
            return Err(format!("work was still open after {DRAIN:?}: {status:?} {run:?}").into());
        }
    }
    tasks.shutdown().await;
    Ok(app.shutdown().await?)
}

/// A run that is not over.
async fn open_run(app: &Processor) -> Result<Option<Value>> {
    for user in USERS {
        let context = app.context(user);
        for item in context.list("/System/Agents").await? {
            let document = context.read(&item.path).await?;
            let run = document.and_then(|document| document.content.as_json().cloned()).unwrap_or_default();
            if ["working", "held"].iter().any(|open| run["status"] == *open) {
                return Ok(Some(run));
            }
        }
    }
    Ok(None)
}
