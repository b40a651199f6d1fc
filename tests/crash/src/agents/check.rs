//! Holds a hub's file, and the journal of what was asked outside, against the questions and what must have come of each.

use super::USERS;
use super::journal::{self, Calls};
use super::work::{self, Expected, Question};
use crate::Result;
use crate::campaign::Told;
use crate::check::{database_is_whole, opened};
use crate::promise::Promises;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;
use vextir_context::Hub;
use vextir_core::bus::Hold;
use vextir_core::{Event, EventBus, EventFilter};

/// What a file says.
#[derive(Debug, Default)]
pub struct Found {
    /// Questions that the emitters were told are stored.
    pub acknowledged: usize,
    /// Runs, those inside of others included, by how they ended.
    pub ended: BTreeMap<String, usize>,
    /// Calls of the model.
    pub models: usize,
    /// Calls of the tool that adds.
    pub tools: usize,
    /// Of both, those that were made again because a kill came before their answer was safe.
    pub again: usize,
    /// Runs in which something died with the process whenever it ran.
    pub buried: usize,
    /// The promises that do not hold.
    pub promises: Promises,
}

/// What there is of one user.
#[derive(Default)]
struct Shelf {
    /// The questions by their tag, with the events that ask them.
    asked: BTreeMap<String, (Question, Event)>,
    /// The documents of runs, by the event that began them.
    runs: HashMap<String, Vec<Value>>,
    /// Answers of agents, by run.
    answers: HashMap<String, Vec<Value>>,
    /// How often each run said that it is over.
    finished: HashMap<String, usize>,
    /// What models answered, by run.
    replies: HashMap<String, Vec<Value>>,
    /// What the tool that adds left, by tag.
    effects: BTreeMap<String, Vec<String>>,
    /// Causal trees of what was buried.
    buried: HashSet<String>,
}

/// Opens a file that is not in use, and checks it against what the program said and noted.
///
/// # Errors
/// The file or its journal cannot be opened or read at all.
pub fn file(path: &Path, told: &Told) -> Result<Found> {
    let mut found = Found::default();
    database_is_whole(path, &mut found.promises)?;
    let calls = Calls::read(&journal::beside(path), &mut found.promises)?;
    (found.models, found.tools, found.again) = (calls.count("model/"), calls.count("tool/"), calls.again());
    opened(path, async |hub| hub_is_right(hub, told, &calls, &mut found).await)?;
    Ok(found)
}

async fn hub_is_right(hub: &Hub, told: &Told, calls: &Calls, found: &mut Found) -> Result<()> {
    let log = read(hub).await?;
    answers_were_asked_for(&log, calls, found);
    for (emitter, user) in USERS.iter().enumerate() {
        let mut shelf = shelf(hub, &log, user, told, found).await?;
        let acknowledged = told.acknowledged.get(emitter).map(Vec::as_slice).unwrap_or_default();
        found.acknowledged += acknowledged.len();
        for (n, id) in (0u64..).zip(acknowledged) {
            let tag = work::tag(emitter, n);
            let same = shelf.asked.get(&tag).is_some_and(|(_, event)| event.id.to_string() == *id);
            found.promises.expect(same, "no acknowledged question is lost", format_args!("{tag} {id}"));
        }
        let pages = pages(hub, user, found).await?;
        for (question, event) in std::mem::take(&mut shelf.asked).into_values() {
            question_is_right(&mut shelf, &question, &event, pages.contains(&question.tag), found);
        }
        for (tag, done) in &shelf.effects {
            found.promises.violation("nothing is done that nobody asks for", format_args!("{tag}: {done:?}"));
        }
    }
    nothing_waits(hub, found).await
}

async fn read(hub: &Hub) -> Result<Vec<Event>> {
    let (mut log, mut after) = (Vec::new(), 0);
    loop {
        let page = hub.read(after, &EventFilter::all(), 10_000).await?;
        log.extend(page.events.into_iter().map(|logged| logged.event));
        if page.at_head {
            return Ok(log);
        }
        after = page.next;
    }
}

/// Each answer in the log is the only one to its call, and the call was made.
fn answers_were_asked_for(log: &[Event], calls: &Calls, found: &mut Found) {
    let mut seen = HashSet::new();
    for key in log.iter().filter_map(journal::answered) {
        found.promises.expect(calls.made.contains_key(&key), "what is answered was asked", &key);
        found.promises.expect(seen.insert(key.clone()), "a call has one answer in the log", &key);
    }
}

async fn shelf(hub: &Hub, log: &[Event], user: &str, told: &Told, found: &mut Found) -> Result<Shelf> {
    let (mut shelf, context) = (Shelf::default(), hub.context(user));
    for item in context.list("/System/Agents").await? {
        let document = context.read(&item.path).await?.ok_or("a document that is listed is not there")?;
        let Some(run) = document.content.as_json() else { continue };
        let cause = run["cause"].as_str().unwrap_or_default().to_owned();
        shelf.runs.entry(cause).or_default().push(run.clone());
    }
    for folder in context.list("/done").await? {
        let tag = name_of(&folder.path);
        for item in context.list(&folder.path).await? {
            let document = context.read(&item.path).await?.ok_or("a document that is listed is not there")?;
            let once = document.content == work::LINE.into() && document.version == 1;
            found.promises.expect(once, "what a tool does is done once", &item.path);
            shelf.effects.entry(tag.clone()).or_default().push(name_of(&item.path));
        }
    }
    for event in log.iter().filter(|event| event.user_id == user) {
        note(&mut shelf, event, found);
    }
    for letter in hub.dead_letters(0, usize::MAX >> 1).await? {
        if letter.event.user_id == user && letter.reason.contains("the process died") {
            let alone = told.alone.get(&letter.event.id.to_string()).copied().unwrap_or(0);
            let case = format_args!("{} {}", letter.event.event_type, letter.event.id);
            found.promises.expect(alone >= 3, "who is buried ran alone three times", case);
            shelf.buried.insert(letter.event.root().to_string());
            found.buried += 1;
        }
    }
    Ok(shelf)
}

fn name_of(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn note(shelf: &mut Shelf, event: &Event, found: &mut Found) {
    if let Some(question) = work::asked(event) {
        let twice = shelf.asked.insert(question.tag.clone(), (question, event.clone()));
        found.promises.expect(twice.is_none(), "a question is asked once", &event.id);
    }
    let data = event.data.value();
    let run = |from: &Value| from.as_str().unwrap_or_default().to_owned();
    match event.event_type.as_str() {
        "agent.finished" => *shelf.finished.entry(run(&data["run"])).or_default() += 1,
        "model.completed" => shelf.replies.entry(run(&data["run"])).or_default().push(data),
        kind if kind.ends_with(".ask.result") => {
            let run = event.metadata.get("run").cloned().unwrap_or_default();
            shelf.answers.entry(run.to_string()).or_default().push(data);
        }
        _ => {}
    }
}

/// The documents that agents wrote themselves.
async fn pages(hub: &Hub, user: &str, found: &mut Found) -> Result<HashSet<String>> {
    let (context, mut pages) = (hub.context(user), HashSet::new());
    for item in context.list("/pages").await? {
        let document = context.read(&item.path).await?.ok_or("a document that is listed is not there")?;
        let tag = name_of(&item.path);
        let once = document.content == tag.as_str().into() && document.version == 1;
        found.promises.expect(once, "what an agent writes is written once", &item.path);
        pages.insert(tag);
    }
    Ok(pages)
}

/// A question has one run, which ended as it must and did what it must.
fn question_is_right(shelf: &mut Shelf, question: &Question, event: &Event, page: bool, found: &mut Found) {
    let expected = work::expected(question);
    let buried = shelf.buried.contains(&event.root().to_string());
    let runs = shelf.runs.remove(&event.id.to_string()).unwrap_or_default();
    let done = shelf.effects.remove(&question.tag).unwrap_or_default();
    let case = format!("{} {}: {} runs, {done:?}", question.kind, question.tag, runs.len());
    let free = buried || expected.status == "cancelled";
    let known = done.iter().all(|name| expected.effects.contains(name));
    found.promises.expect(known, "nothing is done that no turn says", &case);
    let all = done.len() == expected.effects.len();
    found.promises.expect(all || free, "what a turn says is done", &case);
    let wrote = page == (question.kind == "parallel");
    found.promises.expect(wrote || free, "what a turn says is written", &case);
    for inner in &expected.inner {
        let there = free || shelf_has(shelf, inner);
        found.promises.expect(there, "an agent that asks others is answered", &case);
    }
    let [run] = runs.as_slice() else {
        return found.promises.expect(buried && runs.is_empty(), "a question has one run", &case);
    };
    let status = run["status"].as_str().unwrap_or_default();
    *found.ended.entry(status.to_owned()).or_default() += 1;
    let case = format!("{case}: {run}");
    let over = ["completed", "failed", "cancelled"].contains(&status);
    found.promises.expect(over, "no run is left at work", &case);
    found.promises.expect(buried || status == expected.status, "a run ends as it must", &case);
    answer_is_right(shelf, run, &expected, buried, found);
    usage_is_right(shelf, run, &expected, buried, found);
}

/// Whether an inner question was answered.
fn shelf_has(shelf: &Shelf, question: &Question) -> bool {
    let text = work::expected(question).answer;
    shelf.answers.values().flatten().any(|answer| answer["text"].as_str() == text.as_deref())
}

fn answer_is_right(shelf: &Shelf, run: &Value, expected: &Expected, buried: bool, found: &mut Found) {
    let name = run["run"].as_str().unwrap_or_default();
    let answers = shelf.answers.get(name).map(Vec::as_slice).unwrap_or_default();
    let completed = run["status"] == "completed";
    let case = format!("{name} {}: {answers:?}", run["status"]);
    let one = answers.len() == usize::from(completed);
    found.promises.expect(one, "a run answers once if it completes, and never otherwise", &case);
    if let ([answer], Some(text), false) = (answers, &expected.answer, buried) {
        found.promises.expect(
            answer["text"] == *text,
            "a run answers what it must",
            format_args!("{case}: {text}"),
        );
    }
    let finished = shelf.finished.get(name).copied().unwrap_or(0);
    found.promises.expect(
        finished == 1,
        "a run says once that it is over",
        format_args!("{case}: {finished}"),
    );
}

/// What a run says that it used is what its answers of models say, and these are one for each turn.
fn usage_is_right(shelf: &Shelf, run: &Value, expected: &Expected, buried: bool, found: &mut Found) {
    let name = run["run"].as_str().unwrap_or_default();
    let replies = shelf.replies.get(name).map(Vec::as_slice).unwrap_or_default();
    let turns: HashSet<u64> = replies.iter().filter_map(|reply| reply["turn"].as_u64()).collect();
    let case = format!("{name} {}: {} turns, {} answers", run["status"], run["turn"], replies.len());
    found.promises.expect(turns.len() == replies.len(), "a turn has one answer of a model", &case);
    let sum =
        |of: &dyn Fn(&Value) -> &Value| replies.iter().filter_map(|reply| of(reply).as_u64()).sum::<u64>();
    let used = json!([
        sum(&|reply| &reply["reply"]["usage"]["input"]),
        sum(&|reply| &reply["reply"]["usage"]["output"]),
        sum(&|reply| &reply["cost"])
    ]);
    let said = json!([run["used"]["input"], run["used"]["output"], run["used"]["micro_usd"]]);
    // A run that is cancelled, or buried, does not hear of the answer that was on its way.
    let heard = said == used || run["status"] == "cancelled" || buried;
    found.promises.expect(
        heard,
        "a run has used what its answers cost",
        format_args!("{case}: {said} of {used}"),
    );
    if run["status"] == "completed" && !buried {
        found.promises.expect(replies.len() == expected.turns, "a run has as many turns as it must", &case);
    }
}

async fn nothing_waits(hub: &Hub, found: &mut Found) -> Result<()> {
    let promise = "nothing waits after an orderly drain";
    for delivery in hub.pending(0, 100).await? {
        found.promises.violation(promise, format_args!("{} for {}", delivery.event.id, delivery.driver));
    }
    for hold in [Hold::Delayed, Hold::Approval, Hold::Lease, Hold::Key] {
        for parked in hub.parked(hold, 100).await? {
            found.promises.violation(promise, format_args!("{} parked: {hold:?}", parked.event.id));
        }
    }
    let open = hub.status().borrow().open;
    found.promises.expect(open == 0, promise, open);
    Ok(())
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, ended, models, tools, again, buried, promises } = self;
        write!(f, "{acknowledged} questions acknowledged, runs by their end: ")?;
        for (status, count) in ended {
            write!(f, "{count} {status}, ")?;
        }
        write!(
            f,
            "{models} calls of the model and {tools} of the tool, {again} of them again for a kill, \
             {buried} killed too often: {promises}"
        )
    }
}
