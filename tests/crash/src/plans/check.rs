//! Holds a hub's file against the runs that were begun and what must have come of each.

use super::USERS;
use super::work::{self, Expected};
use crate::Result;
use crate::campaign::Told;
use crate::check::{database_is_whole, opened};
use crate::promise::Promises;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;
use vextir_context::Hub;
use vextir_core::bus::Hold;
use vextir_core::{Event, EventBus, EventFilter};

/// What a file says.
#[derive(Debug, Default)]
pub struct Found {
    /// Runs that the emitters were told are stored.
    pub acknowledged: usize,
    /// Runs, those inside of others and those by the clock included.
    pub plans: usize,
    /// Slots of the schedule.
    pub slots: usize,
    /// Steps whose effect is there.
    pub effects: usize,
    /// Runs in which something died with the process whenever it ran.
    pub buried: usize,
    /// The promises that do not hold.
    pub promises: Promises,
}

/// What there is of one user.
struct Shelf {
    /// By the event that began them.
    plans: HashMap<String, Value>,
    /// What was done, by run.
    effects: BTreeMap<String, Vec<(String, bool)>>,
    /// How often each run said that it is over.
    finished: HashMap<String, usize>,
    /// What of the log began runs, by tag.
    begun: HashMap<String, String>,
    /// Slots of the schedule, with the events that stand for them.
    slots: Vec<(String, String)>,
    /// Causal trees of what was buried.
    buried: HashSet<String>,
    /// The root of each event.
    roots: HashMap<String, String>,
}

/// Opens a file that is not in use, and checks it against what the program said.
///
/// # Errors
/// The file cannot be opened or read at all.
pub fn file(path: &Path, told: &Told) -> Result<Found> {
    let mut found = Found::default();
    database_is_whole(path, &mut found.promises)?;
    opened(path, async |hub| hub_is_right(hub, told, &mut found).await)?;
    Ok(found)
}

async fn hub_is_right(hub: &Hub, told: &Told, found: &mut Found) -> Result<()> {
    let log = read(hub).await?;
    for (emitter, user) in USERS.iter().enumerate() {
        let mut shelf = shelf(hub, &log, user, told, found).await?;
        found.plans += shelf.plans.len();
        let acknowledged = told.acknowledged.get(emitter).map(Vec::as_slice).unwrap_or_default();
        found.acknowledged += acknowledged.len();
        runs_are_right(&mut shelf, emitter, acknowledged, found);
        slots_are_right(&mut shelf, found);
        for (tag, done) in &shelf.effects {
            found.promises.violation("nothing is done that no run asks for", format_args!("{tag}: {done:?}"));
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

async fn shelf(hub: &Hub, log: &[Event], user: &str, told: &Told, found: &mut Found) -> Result<Shelf> {
    let mut shelf = Shelf {
        plans: HashMap::new(),
        effects: BTreeMap::new(),
        finished: HashMap::new(),
        begun: HashMap::new(),
        slots: Vec::new(),
        buried: HashSet::new(),
        roots: HashMap::new(),
    };
    let context = hub.context(user);
    for item in context.list("/System/Plans").await? {
        let Some(document) = context.read(&item.path).await? else { continue };
        let Some(plan) = document.content.as_json() else { continue };
        let cause = plan["trigger"]["id"].as_str().unwrap_or_default().to_owned();
        let twice = shelf.plans.insert(cause, plan.clone());
        found.promises.expect(twice.is_none(), "an event begins one run", &item.path);
    }
    for folder in context.list("/done").await? {
        let tag = folder.path.rsplit('/').next().unwrap_or_default().to_owned();
        for item in context.list(&folder.path).await? {
            let document = context.read(&item.path).await?.ok_or("a document that is listed is not there")?;
            let once = document.content == work::LINE.into() && document.version == 1;
            let name = item.path.rsplit('/').next().unwrap_or_default().to_owned();
            shelf.effects.entry(tag.clone()).or_default().push((name, once));
        }
    }
    for event in log.iter().filter(|event| event.user_id == user) {
        note(&mut shelf, event);
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

fn note(shelf: &mut Shelf, event: &Event) {
    let (id, data) = (event.id.to_string(), event.data.value());
    shelf.roots.insert(id.clone(), event.root().to_string());
    match event.event_type.as_str() {
        "plan.finished" => {
            *shelf.finished.entry(data["plan"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        "instruction.tick.run" => {
            let slot = event.metadata.get("slot").cloned().unwrap_or_default();
            shelf.slots.push((slot, id));
        }
        kind => {
            let tag = match kind {
                "back.begin" => &data["tag"],
                kind if event.root_id.is_none() && kind.ends_with(".run") => &data["inputs"]["tag"],
                _ => return,
            };
            if let Some(tag) = tag.as_str() {
                shelf.begun.insert(tag.to_owned(), id);
            }
        }
    }
}

/// Each run that was acknowledged is there, and each that is there did what it must.
fn runs_are_right(shelf: &mut Shelf, emitter: usize, acknowledged: &[String], found: &mut Found) {
    for (n, id) in (0u64..).zip(acknowledged) {
        let tag = work::tag(emitter, n);
        let same = shelf.begun.get(&tag) == Some(id);
        found.promises.expect(same, "no acknowledged run is lost", format_args!("{tag} {id}"));
    }
    let begun: Vec<(String, String)> =
        shelf.begun.iter().map(|(tag, id)| (tag.clone(), id.clone())).collect();
    for (tag, id) in begun {
        let n = tag.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or_default();
        let kind = work::kind(emitter, n);
        let expected = work::expected(kind, &tag);
        run_is_right(shelf, kind, &tag, &id, &expected, found);
        let inside = shelf.plans.iter().filter(|(cause, _)| shelf.roots.get(*cause) == Some(&id)).count();
        let case = format_args!("{kind} {tag}: {inside}");
        // What is cancelled before it began never does.
        let never = kind == "stopped" && inside == 1;
        let right = inside == 1 + expected.inside || never || shelf.buried.contains(&id);
        found.promises.expect(right, "a run that asks for others asks for each once", case);
    }
    for (cause, plan) in &shelf.plans {
        let over = !plan["ended"].is_null();
        let case = format_args!("{} by {cause}: {}", plan["id"], plan["status"]);
        found.promises.expect(over, "each run ends", case);
        let count = shelf.finished.get(plan["id"].as_str().unwrap_or_default()).copied().unwrap_or(0);
        found.promises.expect(count == 1, "a run says once that it is over", format_args!("{case}: {count}"));
    }
}

fn run_is_right(shelf: &mut Shelf, kind: &str, tag: &str, id: &str, expected: &Expected, found: &mut Found) {
    let buried = shelf.roots.get(id).is_some_and(|root| shelf.buried.contains(root));
    let mut done = shelf.effects.remove(&tag.replace('/', "_")).unwrap_or_default();
    done.sort();
    let (names, once): (Vec<String>, Vec<bool>) = done.into_iter().unzip();
    let case = format!("{kind} {tag}: {names:?} {once:?}");
    found.promises.expect(once.iter().all(|once| *once), "what a step does is done once", &case);
    found.effects += names.len();
    let mut wanted = expected.effects.clone();
    wanted.sort();
    if buried {
        let known = names.iter().all(|name| wanted.contains(name));
        return found.promises.expect(known, "nothing is done that no step says", case);
    }
    found.promises.expect(names == wanted, "each step is done", &case);
    let Some(plan) = shelf.plans.get(id) else {
        return found.promises.violation("each run that was asked for is there", case);
    };
    let case = format!("{kind} {tag}: {plan}");
    found.promises.expect(plan["status"] == expected.status, "a run ends as it must", &case);
    if expected.status == "completed" {
        let last = plan["dag"]["nodes"].as_object().into_iter().flatten();
        let outputs: Vec<&Value> = last.map(|(_, node)| &node["output"]).collect();
        found.promises.expect(outputs.contains(&&expected.output), "a run gives what it must", &case);
    }
}

/// Each slot of the schedule fired once, and began a run as long as the instruction had its schedule.
fn slots_are_right(shelf: &mut Shelf, found: &mut Found) {
    let (mut seen, mut forgotten) = (HashSet::new(), false);
    let mut slots = std::mem::take(&mut shelf.slots);
    slots.sort();
    for (slot, id) in slots {
        found.promises.expect(seen.insert(slot.clone()), "a slot fires once", &slot);
        if !shelf.plans.contains_key(&id) {
            forgotten |= !shelf.buried.contains(&id);
            continue;
        }
        found.promises.expect(!forgotten, "a slot begins a run", &slot);
        found.slots += 1;
        let tag = format!("{}-{id}", work::TICK);
        run_is_right(shelf, work::TICK, &tag, &id, &ticked(&tag), found);
    }
}

fn ticked(tag: &str) -> Expected {
    work::expected(work::TICK, tag)
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
        let Self { acknowledged, plans, slots, effects, buried, promises } = self;
        write!(
            f,
            "{acknowledged} runs acknowledged, {plans} run, {slots} of them by the clock, {effects} steps done, \
             {buried} killed too often: {promises}"
        )
    }
}
