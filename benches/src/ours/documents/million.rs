//! A million documents: opening them, what they take of memory, and a grant on the root of all of them.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vextir::context::{Actor, Change, Intent};
use vextir::{Category, ContextStore, Data, Event, Hub, Level, Processor, SearchOptions};

use super::super::search::corpus::Corpus;
use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::resources::resident_mebibytes;
use crate::trial::Trial;

/// How many folders they lie in, a hundred in each of a hundred.
const FOLDERS: usize = 100;

/// How many are written in one commit.
const BATCH: usize = 500;

/// How many grants are made.
const GRANTS: usize = 50;

/// As long as the payload of the limits.
const PAYLOAD: &str = r#"{"location":"Oslo","celsius":21.5}"#;

fn documents(trial: &Trial) -> usize {
    if trial.quick { 20_000 } else { 1_000_000 }
}

fn path_of(number: usize) -> String {
    format!("/a{}/b{}/d{number}", number % FOLDERS, number / FOLDERS % FOLDERS)
}

/// With the index of words, without vectors.
fn open(trial: &Trial) -> Result<Hub> {
    let path = trial.folder.join("vextir.db");
    Ok(Hub::builder(path).search(SearchOptions::default().without_meaning()).open()?)
}

/// Fills the hub, in a process of its own. No figure comes of it but the rate.
pub(crate) fn million_filled(trial: &Trial) -> Result<Vec<Measurement>> {
    super::super::block_on(async {
        let (hub, corpus, all) = (open(trial)?, Corpus::new(), documents(trial));
        let (ann, began) = (Actor::user("ann"), Instant::now());
        for first in (0..all).step_by(BATCH) {
            let write = |number| Change::new(path_of(number), Intent::Write(corpus.text(number).into()));
            hub.change(&ann, (first..(first + BATCH).min(all)).map(write).collect()).await?;
        }
        hub.context("ann").search("x").fresh_within(Duration::from_secs(3_600)).await?;
        let rate = all as f64 / began.elapsed().as_secs_f64();
        hub.close().await?;
        Ok(vec![Measurement::new("filled", Unit::PerSecond, rate)])
    })
}

/// The hub is filled by another process. Then: `Hub::open`, the median of five; what is resident after reads, searches
/// and writes all over it; and the longest of the emits that go on one after the other while the root folder is granted
/// to one user after the other, beside the longest in as many stretches of the same length without a grant.
pub(crate) fn million_documents(trial: &Trial) -> Result<Vec<Measurement>> {
    let mut filling = Command::new(std::env::current_exe()?);
    filling.args(["--child", "million_filled", "--folder"]).arg(&trial.folder);
    if trial.quick {
        filling.arg("--quick");
    }
    let output = filling.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let trial = trial.clone();
    super::super::block_on(async move {
        tokio::spawn(async move { measured(&trial).await.map_err(|error| error.to_string()) })
            .await?
            .map_err(Into::into)
    })
}

async fn measured(trial: &Trial) -> Result<Vec<Measurement>> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        let hub = open(trial)?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        hub.close().await?;
    }
    let hub = open(trial)?;
    used(&hub, documents(trial)).await?;
    let resident = resident_mebibytes()?;
    let (with, without) = stalled(&hub).await?;
    hub.close().await?;
    Ok(vec![
        Measurement::middle("million_open", Unit::Milliseconds, &times)?,
        Measurement::new("million_resident", Unit::Mebibytes, resident),
        Measurement::new("million_stall", Unit::Milliseconds, with),
        Measurement::new("million_calm", Unit::Milliseconds, without),
    ])
}

/// What users do: reads, searches, lists and writes, each somewhere else.
async fn used(hub: &Hub, all: usize) -> Result<()> {
    let (ann, corpus) = (hub.context("ann"), Corpus::new());
    for round in 0..2_000 {
        let path = path_of(round * 7_919 % all);
        ann.read(&path).await?.ok_or("a document is missing")?;
        if round % 10 == 0 {
            ann.append(&path, " more").await?;
        }
        if round % 20 == 0 {
            let (one, other) = corpus.pair(round / 20 % 40);
            ann.search(format!("{one} {other} ")).await?;
            ann.list(&path[..path.rfind('/').unwrap_or_default()]).await?;
        }
    }
    Ok(())
}

/// The longest emit, in milliseconds, beside grants and without.
async fn stalled(hub: &Hub) -> Result<(f64, f64)> {
    let app = Processor::builder(hub.clone()).start().await?;
    let ended = Arc::new(AtomicBool::new(false));
    let (emitter, enough) = (app.clone(), ended.clone());
    let emits = tokio::spawn(async move {
        let (data, mut emits) = (Data::from_json(PAYLOAD)?, Vec::new());
        while !enough.load(Ordering::Relaxed) {
            let began = Instant::now();
            let fact = Event::new("bench.fact").with_category(Category::Output).with_data(data.clone());
            emitter.emit(fact).await?;
            emits.push((began, Instant::now()));
        }
        Ok::<_, vextir::Error>(emits)
    });
    let (ann, mut grants): (_, Vec<(Instant, Instant)>) = (hub.context("ann"), Vec::new());
    tokio::time::sleep(Duration::from_millis(500)).await;
    for number in 0..GRANTS {
        let began = Instant::now();
        ann.grant("/", format!("user{number}").as_str(), Level::Read).await?;
        // What a grant leaves to be done in slices is part of it.
        let length = began.elapsed() + Duration::from_millis(20);
        tokio::time::sleep_until((began + length).into()).await;
        grants.push((began, began + length));
        tokio::time::sleep(length).await;
    }
    ended.store(true, Ordering::Relaxed);
    let emits = emits.await??;
    app.shutdown().await?;
    let (mut beside, mut apart) = (Duration::ZERO, Duration::ZERO);
    // The start of the processor is no part of it.
    let warm = grants.first().map_or_else(Instant::now, |grant| grant.0);
    for (began, done) in emits.into_iter().filter(|(began, _)| *began >= warm) {
        let is_beside = grants.iter().any(|grant| began < grant.1 && done > grant.0);
        let longest = if is_beside { &mut beside } else { &mut apart };
        *longest = done.duration_since(began).max(*longest);
    }
    Ok((beside.as_secs_f64() * 1e3, apart.as_secs_f64() * 1e3))
}
