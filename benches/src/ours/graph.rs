//! The graph: one link at a time, links by the hundred, and what is two links away; the same one as `peers/grit` makes.

use std::time::Instant;

use vextir::context::graph::{Episode, Fact, Graph};
use vextir::{Hub, Synchronous};

use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// As in `peers/grit`.
const ENTITIES: usize = 2_000;
const LINKS: usize = 10_000;
const BATCH: usize = 100;

/// The hub does not wait for the disk here, because the peer does not.
pub(crate) fn graph(trial: &Trial) -> Result<Vec<Measurement>> {
    super::block_on(async {
        let path = trial.folder.join("vextir.db");
        let hub = Hub::builder(path).synchronous(Synchronous::Normal).open()?;
        let graph = hub.context("bench").graph();
        let (mut state, mut number) = (1, 0);
        for _ in 0..LINKS / BATCH {
            add(&graph, BATCH, &mut state, &mut number).await?;
        }
        let (started, mut walks, mut reached) = (Instant::now(), 0_usize, 0);
        while started.elapsed() < trial.length() {
            let seed = (walks * 7 % ENTITIES).to_string();
            reached += graph.neighbours(("thing", seed)).depth(2).await?.entities.len();
            walks += 1;
        }
        let walk = started.elapsed().as_secs_f64() * 1e6 / walks as f64;
        if reached < 10 * walks {
            return Err("the walks reach too little".into());
        }
        let mut figures = vec![Measurement::new("graph_walk", Unit::Microseconds, walk)];
        for (name, batch) in [("graph_add", 1), ("graph_add_batch", BATCH)] {
            let (started, mut added) = (Instant::now(), 0);
            while started.elapsed() < trial.length() {
                add(&graph, batch, &mut state, &mut number).await?;
                added += batch;
            }
            let rate = added as f64 / started.elapsed().as_secs_f64();
            figures.push(Measurement::new(name, Unit::PerSecond, rate));
        }
        hub.close().await?;
        Ok(figures)
    })
}

/// One episode with some links.
async fn add(graph: &Graph, links: usize, state: &mut usize, number: &mut usize) -> Result<()> {
    *number += 1;
    let mut episode = Episode::new("note", "bench").key(number.to_string());
    for _ in 0..links {
        let (from, to) = ends(state);
        episode = episode.fact(Fact::new(("thing", from.to_string()), "knows", ("thing", to.to_string())));
    }
    graph.ingest(episode).await?;
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
