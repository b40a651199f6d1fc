//! grit-core: the same graph as `ours/graph.rs`; one link at a time, links by the hundred, and what is two links away.
//! Three lines of JSON.
//!
//! `vextir-peer-grit SECONDS FOLDER`

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use grit_core::{GraphOp, Grit, Options, Traversal, WriteItem};
use uuid::Uuid;

/// As in `ours/graph.rs`.
const ENTITIES: usize = 2_000;
const LINKS: usize = 10_000;
const BATCH: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [seconds, folder] = arguments.as_slice() else {
        return Err("usage: vextir-peer-grit SECONDS FOLDER".into());
    };
    let length = Duration::from_secs_f64(seconds.parse()?);
    let grit = Grit::open(Path::new(folder).join("grit.db"), Options::new("bench"))?;
    let ids: Vec<Uuid> = (0..ENTITIES).map(|_| grit.new_id()).collect();
    let nodes = ids.iter().enumerate().map(|(number, id)| {
        WriteItem::from(GraphOp::AddNode {
            id: *id,
            kind: "thing".into(),
            name: number.to_string(),
            summary: String::new(),
            attrs: serde_json::json!({}),
            group_id: String::new(),
        })
    });
    grit.apply_batch(nodes.collect())?;
    let mut state = 1;
    let link = |state: &mut usize| {
        let (from, to) = ends(state);
        GraphOp::AddEdge {
            id: grit.new_id(),
            src: ids[from],
            dst: ids[to],
            rel: "knows".into(),
            fact: String::new(),
            attrs: serde_json::json!({}),
            group_id: String::new(),
            valid_at: None,
            invalid_at: None,
        }
    };
    let mut left = LINKS;
    while left > 0 {
        let batch = (0..BATCH).map(|_| link(&mut state).into()).collect();
        grit.apply_batch(batch)?;
        left -= BATCH;
    }
    let wide = Traversal { depth: 2, max_nodes: 100_000, ..Traversal::default() };
    let mut seed = 0;
    let mut reached = 0;
    let walks = rate(length, || {
        let found = grit.traverse(&[ids[seed % ENTITIES]], &wide)?;
        (seed, reached) = (seed + 7, reached + found.nodes.len());
        Ok(1)
    })?;
    if reached < 10 * seed / 7 {
        return Err("the walks reach too little".into());
    }
    let single = rate(length, || grit.apply(link(&mut state)).map(|_| 1).map_err(Into::into))?;
    let batched = rate(length, || {
        let batch: Vec<WriteItem> = (0..BATCH).map(|_| link(&mut state).into()).collect();
        grit.apply_batch(batch)?;
        Ok(BATCH)
    })?;
    for (name, unit, value) in [
        ("grit_walk", "microseconds", 1e6 / walks),
        ("grit_add", "per_second", single),
        ("grit_add_batch", "per_second", batched),
    ] {
        println!(r#"{{"workload":"{name}","unit":"{unit}","value":{value:.1}}}"#);
    }
    Ok(())
}

/// The ends of the next link: the same ones in both programs.
fn ends(state: &mut usize) -> (usize, usize) {
    let mut next = || {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state % ENTITIES
    };
    (next(), next())
}

fn rate(
    length: Duration,
    mut step: impl FnMut() -> Result<usize, Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < length {
        count += step()?;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}
