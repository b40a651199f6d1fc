//! Plans as documents: below `/System/Plans`, the elements of long lists, what plans wait for and the versions of
//! instructions beside them.

use super::gate::Place;
use super::head::{Given, Read};
use super::payload::Parent;
use crate::workflow::run::{At, Part, PartKey, Run};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vextir::{Content, Ctx, Error, EventId, Name, Pattern, Result, Timestamp};

pub(super) const FOLDER: &str = "/System/Plans";

/// A run with what its document says beside it.
pub(super) struct Kept {
    pub(super) run: Run,
    pub(super) parent: Option<Parent>,
    /// The root of the causal tree in which it began.
    pub(super) root: Option<EventId>,
    /// The gates that it passes, or waits at.
    pub(super) gates: Vec<Place>,
    /// How its document was when it was read; nothing for a new run.
    pub(super) read: Read,
}

impl Kept {
    /// Whether this attempt is at work.
    pub(super) fn waits_at(&self, at: &At) -> bool {
        self.run.dag.nodes.get(&at.step).is_some_and(|node| node.is_at_work(at))
    }
}

pub(super) fn path(plan: &str) -> String {
    format!("{FOLDER}/{plan}")
}

fn part_path(plan: &str, key: &PartKey) -> String {
    format!("{FOLDER}/.parts/{plan}/{}-{}", key.step, key.number)
}

fn waiting_path(instruction: &str) -> String {
    format!("{FOLDER}/.waiting/{instruction}")
}

fn definition_path(hash: &str) -> String {
    format!("{FOLDER}/.instructions/{hash}")
}

pub(super) fn json_of<T: serde::Serialize>(value: &T) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::invalid(format!("no JSON form: {error}")))
}

pub(super) async fn read(cx: &Ctx, path: &str) -> Result<Option<Value>> {
    let document = cx.context().read(path).await?;
    Ok(document.and_then(|document| match document.content {
        Content::Json(value) => Some(value),
        Content::Text(_) => None,
    }))
}

pub(super) async fn save(cx: &Ctx, kept: &mut Kept) -> Result<()> {
    let plan = kept.run.id.clone();
    for (key, part) in kept.run.parts.take_changes() {
        let path = part_path(&plan, &key);
        match part {
            Some(part) => cx.context().write(&path, json_of(&*part)?).await.map(drop)?,
            None if cx.context().read(&path).await?.is_some() => cx.context().remove(&path).await?,
            None => {}
        }
    }
    super::head::save(cx, kept).await
}

pub(super) async fn load_parts(cx: &Ctx, run: &mut Run, wanted: BTreeSet<PartKey>) -> Result<()> {
    for key in wanted {
        let path = part_path(&run.id, &key);
        let value = read(cx, &path).await?.ok_or_else(|| Error::invalid(format!("{path} is gone")))?;
        let part: Part =
            serde_json::from_value(value).map_err(|error| Error::invalid(format!("{path}: {error}")))?;
        run.parts.load(key, Arc::new(part));
    }
    Ok(())
}

/// What is known of documents that do not change.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// For which users the text of an instruction was stored, when it was looked at last.
    texts: Mutex<BTreeMap<Name, Timestamp>>,
    /// What the runs that were read last were given, the latest first.
    given: Mutex<VecDeque<((Name, Name), Given)>>,
}

/// How long it is not looked at again, and for how many users that is known.
const LOOKED: Duration = Duration::from_secs(10);
const USERS: usize = 1_024;
/// For how many runs it is known what they were given.
const RUNS: usize = 16;

impl Stored {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Timestamp>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn given(&self, user: &Name, plan: &str) -> Option<Given> {
        let known = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|((of, run), _)| of == user && run == plan).map(|(_, given)| given.clone())
    }

    pub(super) fn know(&self, user: &Name, plan: &str, given: Given) {
        let mut known = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        known.truncate(RUNS - 1);
        known.push_front(((user.clone(), plan.into()), given));
    }

    /// Keeps the text of an instruction for the runs that begin with it.
    pub(super) async fn keep(&self, cx: &Ctx, hash: &str, text: &str) -> Result<()> {
        let (user, now) = (cx.user(), cx.now());
        if self.lock().get(user).is_some_and(|looked| *looked <= now && now.since(*looked) < LOOKED) {
            return Ok(());
        }
        let path = definition_path(hash);
        if cx.context().read(&path).await?.is_none() {
            return cx.context().write(&path, text).await.map(drop);
        }
        let mut stored = self.lock();
        if stored.len() >= USERS {
            stored.clear();
        }
        stored.insert(user.clone(), now);
        Ok(())
    }
}

pub(super) async fn definition(cx: &Ctx, hash: &str) -> Result<Option<String>> {
    let document = cx.context().read(&definition_path(hash)).await?;
    Ok(document.map(|document| document.content.to_text().into_owned()))
}

/// Notes that a plan waits for events of this pattern, or does no more. By leaf, so that plans do not disturb each other.
pub(super) async fn wait(
    cx: &Ctx,
    instruction: &str,
    plan: &Name,
    at: &At,
    pattern: Option<&Pattern>,
) -> Result<()> {
    let path = waiting_path(instruction);
    let key = format!("{plan}/{at}");
    let pattern = pattern.map_or(Value::Null, |pattern| json!(pattern.as_str()));
    if cx.context().read(&path).await?.is_none() {
        if pattern.is_null() {
            return Ok(());
        }
        return cx.context().write(&path, json!({key: pattern})).await.map(drop);
    }
    cx.context().patch(&path, json!({key: pattern})).await.map(drop)
}

/// A plan waits for nothing any more.
pub(super) async fn end_waits(cx: &Ctx, instruction: &str, plan: &Name) -> Result<()> {
    let path = waiting_path(instruction);
    let Some(Value::Object(waits)) = read(cx, &path).await? else { return Ok(()) };
    let of_plan = |key: &&String| key.split_once('/').is_some_and(|(of, _)| of == plan.as_str());
    let gone: Map<String, Value> =
        waits.keys().filter(of_plan).map(|key| (key.clone(), Value::Null)).collect();
    if gone.is_empty() {
        return Ok(());
    }
    cx.context().patch(&path, Value::Object(gone)).await.map(drop)
}

/// Which plans wait for an event of this type, and where.
pub(super) async fn waiting(cx: &Ctx, instruction: &str, event_type: &str) -> Result<Vec<(Name, String)>> {
    let value = read(cx, &waiting_path(instruction)).await?.unwrap_or_default();
    let Value::Object(waits) = value else { return Ok(Vec::new()) };
    Ok(matching(&waits, event_type))
}

fn matching(waits: &Map<String, Value>, event_type: &str) -> Vec<(Name, String)> {
    let fits = |pattern: &Value| {
        let pattern = pattern.as_str().and_then(|pattern| Pattern::new(Name::from(pattern)).ok());
        pattern.is_some_and(|pattern| pattern.matches(event_type))
    };
    let found = waits.iter().filter(|(_, pattern)| fits(pattern));
    found.filter_map(|(key, _)| key.split_once('/')).map(|(plan, at)| (plan.into(), at.to_owned())).collect()
}
