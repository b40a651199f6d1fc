//! Search over one user's documents, and over the hundredth of them that another user may read, beside what SQLite and a plain
//! scan take for the same questions on the same file.

pub(super) mod corpus;

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use vextir::context::{Embedder, Level, Searching};
use vextir::{Context, HashingEmbedder, Hub, SearchOptions};

use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::resources::cpu_milliseconds;
use crate::trial::Trial;
use corpus::Corpus;

/// How many writers fill the hub.
const WRITERS: usize = 256;

/// How many folders the documents lie in; one of them is shared.
const FOLDERS: usize = 100;

/// How many different questions are asked of each kind.
const QUESTIONS: usize = 40;

/// How many hits are asked for.
const TOP: usize = 10;

/// All figures of searching.
pub(crate) fn search(trial: &Trial) -> Result<Vec<Measurement>> {
    let documents = if trial.quick { 2_000 } else { 100_000 };
    super::block_on(async {
        let hub = super::open(trial)?;
        let corpus = Corpus::new();
        fill(&hub, &corpus, documents).await?;
        let file = Connection::open(trial.folder.join("vextir.db"))?;
        let (ann, bob) = (hub.context("ann"), hub.context("bob"));
        let mut figures = words(&ann, &file, &corpus).await?;
        figures.extend(meaning(&ann, &bob, &file, &corpus, documents).await?);
        hub.close().await?;
        Ok(figures)
    })
}

/// Documents written one after the other, with the index and without it.
pub(crate) fn search_write(trial: &Trial) -> Result<Vec<Measurement>> {
    super::block_on(async {
        let corpus = Corpus::new();
        let mut figures = Vec::new();
        for (name, options) in [("indexed", SearchOptions::default()), ("plain", SearchOptions::off())] {
            let path = trial.folder.join(format!("{name}.db"));
            let hub = Hub::builder(path).search(options).open()?;
            let ann = hub.context("ann");
            let (began, mut written, mut warm) = (Instant::now(), 0_usize, None);
            while began.elapsed() < trial.warm_up() + trial.length() * 2 {
                ann.write(&path_of(written), corpus.text(written)).await?;
                written += 1;
                if warm.is_none() && began.elapsed() > trial.warm_up() {
                    warm = Some((Instant::now(), written));
                }
            }
            let (since, before) = warm.ok_or("it took too long")?;
            let rate = (written - before) as f64 / since.elapsed().as_secs_f64();
            figures.push(Measurement::new(name, Unit::PerSecond, rate));
            hub.close().await?;
        }
        Ok(figures)
    })
}

fn path_of(number: usize) -> String {
    format!("/f{}/d{number}", number % FOLDERS)
}

async fn fill(hub: &Hub, corpus: &Corpus, documents: usize) -> Result<()> {
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (ann, corpus) = (hub.context("ann"), corpus.clone());
            tokio::spawn(async move {
                for number in (writer..documents).step_by(WRITERS) {
                    ann.write(&path_of(number), corpus.text(number)).await?;
                }
                Ok::<(), vextir::Error>(())
            })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    let ann = hub.context("ann");
    ann.grant("/f7", "bob", Level::Read).await?;
    ann.search("x").fresh_within(Duration::from_secs(3_600)).await?;
    Ok(())
}

/// The top by words, and what SQLite alone takes to answer the same question.
async fn words(ann: &Context, file: &Connection, corpus: &Corpus) -> Result<Vec<Measurement>> {
    let mut raw =
        file.prepare("SELECT rowid FROM search_words WHERE search_words MATCH ?1 ORDER BY rank LIMIT 10")?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..4 {
        for question in 0..QUESTIONS {
            let (one, other) = corpus.pair(question);
            let text = format!("{one} {other} ");
            let began = cpu_milliseconds();
            let hits = ann.search(text).text_only().limit(TOP).await?;
            let took = cpu_milliseconds() - began;
            let began = cpu_milliseconds();
            let rows: Vec<i64> = raw
                .query_map([format!("\"{one}\" AND \"{other}\"")], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let took_raw = cpu_milliseconds() - began;
            assert!(
                hits.len() == rows.len() && rows.len() == TOP,
                "{one} {other}: {} {}",
                hits.len(),
                rows.len()
            );
            if round > 0 {
                ours.push(took * 1e3);
                theirs.push(took_raw * 1e3);
            }
        }
    }
    Ok(vec![
        Measurement::middle("words", Unit::Microseconds, &ours)?,
        Measurement::middle("words_raw", Unit::Microseconds, &theirs)?,
    ])
}

/// The top by meaning for who may read all and for who may read a hundredth, what a scan of all vectors takes, and how much of its
/// answer ours has.
async fn meaning(
    ann: &Context,
    bob: &Context,
    file: &Connection,
    corpus: &Corpus,
    documents: usize,
) -> Result<Vec<Measurement>> {
    let names = names(file)?;
    let search =
        |context: &Context, text: &str| -> Searching { context.search(text).meaning_only().limit(TOP) };
    search(ann, "x y").await?;
    let (mut all, mut some, mut scans) = (Vec::new(), Vec::new(), Vec::new());
    let (mut expected, mut found) = (0, 0);
    for question in 0..QUESTIONS {
        let text = corpus.half(question * documents / QUESTIONS);
        let began = cpu_milliseconds();
        let hits = search(ann, &text).await?;
        all.push((cpu_milliseconds() - began) * 1e3);
        let began = cpu_milliseconds();
        black_box(search(bob, &text).await?);
        some.push((cpu_milliseconds() - began) * 1e3);
        let began = cpu_milliseconds();
        let nearest = scan(file, &text).await?;
        scans.push((cpu_milliseconds() - began) * 1e3);
        for (row, nearness) in nearest {
            let name = names.get(&(row >> 8 & 0x7fff_ffff)).ok_or("a vector of no document")?;
            if nearness >= HashingEmbedder.floor() {
                expected += 1;
                found += usize::from(hits.iter().any(|hit| hit.path.ends_with(name.as_str())));
            }
        }
    }
    let recall = 100.0 * found as f64 / expected.max(1) as f64;
    Ok(vec![
        Measurement::middle("meaning", Unit::Microseconds, &all)?,
        Measurement::middle("meaning_hundredth", Unit::Microseconds, &some)?,
        Measurement::middle("scan", Unit::Microseconds, &scans)?,
        Measurement::new("recall", Unit::Percent, recall),
    ])
}

fn names(file: &Connection) -> Result<HashMap<i64, String>> {
    let mut names = file.prepare("SELECT id, '/' || name FROM node WHERE kind = 2")?;
    let rows = names.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The exact answer: every vector, read from the file and compared.
async fn scan(file: &Connection, text: &str) -> Result<Vec<(i64, f32)>> {
    let mut wanted = HashingEmbedder.embed(&[text.to_owned()]).await?.remove(0);
    let length = wanted.iter().map(|value| value * value).sum::<f32>().sqrt();
    wanted.iter_mut().for_each(|value| *value /= length);
    let mut vectors = file.prepare_cached("SELECT id, data FROM search_vector")?;
    let mut rows = vectors.query([])?;
    let mut best: Vec<(i64, f32)> = Vec::new();
    while let Some(row) = rows.next()? {
        let data = row.get_ref(1)?.as_blob()?;
        let (numbers, _) = data.as_chunks::<4>();
        let nearness = numbers.iter().zip(&wanted).map(|(one, other)| f32::from_le_bytes(*one) * other).sum();
        if best.len() < TOP || best.last().is_some_and(|(_, last)| nearness > *last) {
            let place = best.partition_point(|(_, other)| *other >= nearness);
            best.insert(place, (row.get(0)?, nearness));
            best.truncate(TOP);
        }
    }
    Ok(best)
}
