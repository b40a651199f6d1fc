//! The program that is killed: a processor on a hub's file, under load, that says what `emit` acknowledged.

use crate::{Result, work};
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::bus::Hold;
use vextir_core::{Clock, EmitOptions, Processor, RetryPolicy, SystemClock};

/// How long the orderly stop at the end may take.
const DRAIN: Duration = Duration::from_secs(120);

async fn start(file: &Path) -> Result<Processor> {
    let hub = Hub::builder(file).backlog(300).open()?;
    let retry = RetryPolicy { base: Duration::from_millis(5), cap: Duration::from_millis(20) };
    let mut builder = Processor::builder(hub).retry(retry).authorizer(work::Asks);
    for driver in work::drivers() {
        builder = builder.driver(driver);
    }
    Ok(builder.start().await?)
}

/// What an operator does: approves what is held.
async fn approve(app: &Processor) -> Result<()> {
    for held in app.bus().parked(Hold::Approval, 100).await? {
        app.approve(&held, "nothing against it").await?;
    }
    Ok(())
}

/// Emits until it is killed. `next` has the number that each emitter begins with: all before it were acknowledged.
///
/// # Errors
/// Nothing but a kill should end it: whatever went wrong.
pub async fn load(file: &Path, next: Vec<u64>) -> Result<()> {
    let app = start(file).await?;
    let mut emitters = tokio::task::JoinSet::new();
    for (emitter, from) in next.into_iter().enumerate() {
        let app = app.clone();
        emitters.spawn(async move {
            for n in from.. {
                let event = work::root(emitter, n, SystemClock.now())?;
                let mut options = EmitOptions::new();
                if emitter != work::WITH_IDS {
                    options = options.key(work::name(emitter, n));
                }
                let id = app.emit_with(event, options).await?;
                // One write for the line: a kill cannot tear it.
                std::io::stdout().write_all(format!("ack {emitter} {n} {id}\n").as_bytes())?;
                tokio::time::sleep(Duration::from_micros(fastrand::u64(0..4_000))).await;
            }
            Ok(())
        });
    }
    let operated = app.clone();
    emitters.spawn(async move {
        loop {
            approve(&operated).await?;
            tokio::time::sleep(Duration::from_micros(fastrand::u64(0..8_000))).await;
        }
    });
    while let Some(ended) = emitters.join_next().await {
        let ended: Result<()> = ended?;
        ended?;
    }
    Ok(())
}

/// Works off what is there, and stops in order.
///
/// # Errors
/// It takes too long, or the hub fails.
pub async fn drain(file: &Path) -> Result<()> {
    let app = start(file).await?;
    let rest = async {
        loop {
            app.idle().await;
            approve(&app).await?;
            let status = *app.bus().status().borrow();
            if (status.open, status.waiting) == (0, 0) {
                return Result::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DRAIN, rest).await.map_err(|_| "work was still open after two minutes")??;
    Ok(app.shutdown().await?)
}
