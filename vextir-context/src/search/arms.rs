//! The three ways to find documents. Each asks for rights by itself, and goes on until it has enough that may be found.

use super::sieve::{Candidate, Sieve};
use super::signatures::Table;
use super::words::{Asked, fold};
use super::{entry, ids};
use crate::decode::get;
use crate::documents::node::{self, NodeId};
use crate::fault::OrFault;
use rusqlite::OptionalExtension;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use vextir_core::Result;

/// How many pieces are compared exactly at once. Each is a read of the file: those that are nearest by both bits hold
/// 99.5 % of the nearest ten among the 100,000 of the bench, which wants 99; 400 hold 99.8 %, and take longer.
const RESCORED: usize = 320;

/// How many pieces are looked at for them, when most may not be found.
const LOOKED_AT: usize = 20_000;

/// How many names are looked at.
const NAMES: usize = 400;

/// How many entries of folders are looked at whose name fits.
const BELOW: usize = 1_000;

/// What an arm found, best first, with where in the document: a part of its words, or a piece of its text.
pub(super) type Ranked = Vec<(Rc<Candidate>, i64)>;

/// By words: documents with all of them, and if these are not enough, those with some.
pub(super) fn by_words(
    sieve: &mut Sieve<'_, '_>,
    asked: &Asked,
    (enough, want): (usize, usize),
) -> Result<Ranked> {
    let mut found = Vec::new();
    let mut met = HashSet::new();
    for question in [asked.all(), asked.any()].into_iter().flatten() {
        if found.len() < enough {
            let mut lists = Vec::new();
            for stretch in sieve.stretches() {
                lists.push(matching(sieve, &question, stretch, want)?);
            }
            let mut rows: Vec<(f64, Rc<Candidate>, i64)> = lists.into_iter().flatten().collect();
            rows.sort_by(|one, other| one.0.total_cmp(&other.0));
            for (_, candidate, row) in rows {
                if met.insert(candidate.node) {
                    found.push((candidate, row));
                }
            }
        }
    }
    found.truncate(want);
    Ok(found)
}

/// The documents of one stretch of the index that fit, best first. What SQLite says about how well stays in here: it
/// counts documents of others.
fn matching(
    sieve: &mut Sieve<'_, '_>,
    question: &str,
    stretch: std::ops::RangeInclusive<i64>,
    want: usize,
) -> Result<Vec<(f64, Rc<Candidate>, i64)>> {
    let sql = "SELECT rowid, rank FROM search_words WHERE search_words MATCH ?1 AND rowid BETWEEN ?2 AND ?3
               ORDER BY rank";
    let hub = sieve.hub();
    let mut statement = hub.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query((question, stretch.start(), stretch.end())).or_fault()?;
    let (mut found, mut met) = (Vec::new(), HashSet::new());
    while found.len() < want
        && let Some(row) = rows.next().or_fault()?
    {
        let id: i64 = get(row, 0)?;
        if sieve.has(id)
            && met.insert(ids::node(id))
            && let Some(candidate) = sieve.admit(ids::node(id))?
        {
            found.push((get(row, 1)?, candidate, id));
        }
    }
    Ok(found)
}

/// By pieces of paths and titles: documents of which path and title together have all words somewhere.
pub(super) fn by_names(sieve: &mut Sieve<'_, '_>, asked: &Asked, want: usize) -> Result<Ranked> {
    let Some(question) = asked.in_names() else { return Ok(Vec::new()) };
    let hub = sieve.hub();
    let sql = "SELECT rowid FROM search_names WHERE search_names MATCH ?1 AND rowid BETWEEN ?2 AND ?3
               ORDER BY rank";
    let mut nodes = Vec::new();
    for stretch in sieve.stretches() {
        let mut statement = hub.prepare_cached(sql).or_fault()?;
        let mut rows = statement.query((&question, stretch.start(), stretch.end())).or_fault()?;
        // Only what the user may see counts: what others have crowds nothing out.
        let mut seen = 0;
        while seen < NAMES
            && let Some(row) = rows.next().or_fault()?
        {
            let id: i64 = get(row, 0)?;
            let node = ids::node(id);
            if sieve.has(id) && (sieve.admit(node)?.is_some() || sieve.admits_folder(node)?) {
                seen += 1;
                nodes.push(node);
            }
        }
    }
    let mut found: Vec<(usize, usize, Rc<Candidate>)> = Vec::new();
    for id in spread(sieve, nodes)? {
        let Some(candidate) = sieve.admit(id)? else { continue };
        let name = fold(candidate.path.rsplit('/').next().unwrap_or_default()).into_owned();
        let path = fold(&candidate.path).into_owned();
        let title = fold(&entry::title(hub, id)?).into_owned();
        let has = |word: &String| path.contains(word.as_str()) || title.contains(word.as_str());
        if asked.words.iter().all(has) {
            let outside = asked
                .words
                .iter()
                .filter(|word| !name.contains(word.as_str()) && !title.contains(word.as_str()));
            found.push((outside.count(), path.len(), candidate));
        }
    }
    found.sort_by(|one, other| (one.0, one.1, &one.2.path).cmp(&(other.0, other.1, &other.2.path)));
    Ok(found.into_iter().take(want).map(|(.., candidate)| (candidate, -1)).collect())
}

/// The documents among some nodes, and those in the folders among them, folder by folder.
fn spread(sieve: &mut Sieve<'_, '_>, nodes: Vec<NodeId>) -> Result<Vec<NodeId>> {
    let hub = sieve.hub();
    let mut documents = Vec::new();
    let mut met: HashSet<NodeId> = nodes.iter().copied().collect();
    let mut open = VecDeque::new();
    for id in nodes {
        match node::node(hub, id)? {
            Some(node) if node.is_document() => documents.push(id),
            Some(node) if node.removed.is_none() => open.push_back(id),
            _ => {}
        }
    }
    let mut left = BELOW;
    while left > 0
        && let Some(folder) = open.pop_front()
    {
        // A folder that may not be read may hold something that may: that is found by its own name.
        if !sieve.eyes.folder(folder)?.is_some_and(|place| place.is_readable()) {
            continue;
        }
        for child in node::children(hub, folder, "", left)? {
            left -= 1;
            if !met.insert(child.id) {
                continue;
            }
            if child.is_document() { documents.push(child.id) } else { open.push_back(child.id) }
        }
    }
    Ok(documents)
}

/// By meaning: the nearest pieces, each compared exactly.
pub(super) fn by_meaning(
    sieve: &mut Sieve<'_, '_>,
    table: &Table,
    (vector, floor): (&[f32], f32),
    want: usize,
) -> Result<Ranked> {
    let granted = sieve.eyes.granted()?;
    let (own, others, is_all_own) = (sieve.own, sieve.others.clone(), sieve.is_all_own());
    let is_looked_into =
        |tree| if own == Some(tree) { !is_all_own } else { others.binary_search(&tree).is_ok() };
    // This is asked for each row: a set would take longer than to compare it.
    let mut open: Vec<bool> = Vec::new();
    for (place, folder) in table.folders_of(is_looked_into) {
        open.resize(place as usize, false);
        open.push(sieve.admits_folder(folder)?);
    }
    let is_open = |row: i64, place: u32| {
        let tree = ids::tree(row);
        if own == Some(tree) && is_all_own {
            return true;
        }
        is_looked_into(tree)
            && (open.get(place as usize) == Some(&true)
                || !granted.is_empty() && granted.contains(&ids::node(row)))
    };
    let rows = table.nearest(vector, (RESCORED, LOOKED_AT), is_open);
    rescore(sieve, rows, (vector, floor), want)
}

/// Compares rows exactly, and gives the documents that may be found, nearest first. What the tables in memory let
/// through may be read; whether it is there, and is what is asked for, is seen last where that is rarely not so.
fn rescore(
    sieve: &mut Sieve<'_, '_>,
    rows: Vec<i64>,
    (vector, floor): (&[f32], f32),
    want: usize,
) -> Result<Ranked> {
    let mut rows = rows.into_iter();
    let mut near: Vec<(f32, i64)> = Vec::new();
    loop {
        let (before, mut left) = (near.len(), RESCORED);
        while left > 0
            && let Some(row) = rows.next()
        {
            if (sieve.is_plain() || sieve.admit(ids::node(row))?.is_some())
                && let Some(nearness) = nearness(sieve, row, vector)?
            {
                left -= 1;
                if nearness >= floor {
                    near.push((nearness, row));
                }
            }
        }
        near.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        let (mut found, mut met, mut is_missed) = (Vec::new(), HashSet::new(), false);
        for (_, row) in &near {
            if found.len() < want && met.insert(ids::node(*row)) {
                match sieve.admit(ids::node(*row))? {
                    Some(candidate) => found.push((candidate, *row)),
                    None => is_missed = true,
                }
            }
        }
        if found.len() >= want || !is_missed || near.len() == before {
            return Ok(found);
        }
    }
}

/// The cosine of a stored vector and another one.
fn nearness(sieve: &Sieve<'_, '_>, row: i64, vector: &[f32]) -> Result<Option<f32>> {
    sieve
        .hub()
        .prepare_cached("SELECT data FROM search_vector WHERE id = ?1")
        .and_then(|mut statement| {
            let dot = |row: &rusqlite::Row<'_>| {
                let data = row.get_ref(0)?.as_blob()?;
                let (numbers, _) = data.as_chunks::<4>();
                Ok(numbers
                    .iter()
                    .zip(vector)
                    .map(|(number, other)| f32::from_le_bytes(*number) * other)
                    .sum())
            };
            statement.query_row([row], dot).optional()
        })
        .or_fault()
}
