//! Holds a hub's file against what was acknowledged and what must have come of it.

use crate::Result;
use crate::campaign::Told;
use crate::promise::Promises;
use crate::work::{self, USERS};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::bus::{DeadLetter, Hold, Logged};
use vextir_core::{Event, EventBus, EventFilter, EventId, LeaseState, Name};

/// What a file says.
#[derive(Debug, Default)]
pub struct Found {
    /// Events that the emitters were told are stored.
    pub acknowledged: usize,
    /// Roots in the log.
    pub roots: usize,
    /// What came of them.
    pub outputs: usize,
    /// How many pairs of outputs were compared for their order.
    pub ordered: usize,
    /// How many events an operator approved.
    pub approved: usize,
    /// How many deliveries were dead letters because the process died whenever they ran.
    pub buried: usize,
    /// How many documents its handlers wrote.
    pub documents: usize,
    /// The promises that do not hold.
    pub promises: Promises,
}

impl Found {
    fn violation(&mut self, promise: &'static str, case: impl fmt::Display) {
        self.promises.violation(promise, case);
    }

    fn expect(&mut self, holds: bool, promise: &'static str, case: impl fmt::Display) {
        self.promises.expect(holds, promise, case);
    }
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

/// Checks the database itself.
pub(crate) fn database_is_whole(path: &Path, promises: &mut Promises) -> Result<()> {
    let integrity: String =
        rusqlite::Connection::open(path)?.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    promises.expect(integrity == "ok", "the database is whole", integrity);
    Ok(())
}

/// Looks into the hub of a file that is not in use.
pub(crate) fn opened(path: &Path, look: impl AsyncFnOnce(&Hub) -> Result<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Also what a sabotage dated back must be there to be looked at.
        let hub = Hub::builder(path).keep_for(Duration::MAX).open()?;
        let checked = look(&hub).await;
        hub.close().await?;
        checked
    })
}

/// The log by causal tree.
struct Trees<'a> {
    by_id: HashMap<&'a EventId, &'a Logged>,
    roots: Vec<&'a Logged>,
    members: HashMap<(&'a Name, &'a EventId), Vec<&'a Logged>>,
}

async fn hub_is_right(hub: &Hub, told: &Told, found: &mut Found) -> Result<()> {
    let log = read(hub).await?;
    let mut trees = Trees { by_id: HashMap::new(), roots: Vec::new(), members: HashMap::new() };
    for logged in &log {
        trees.by_id.insert(&logged.event.id, logged);
        if work::is_root(&logged.event) {
            trees.roots.push(logged);
        } else {
            trees.members.entry((&logged.event.user_id, logged.event.root())).or_default().push(logged);
        }
    }
    acknowledged_are_there(&trees, &told.acknowledged, found)?;
    let letters = hub.dead_letters(0, usize::MAX >> 1).await?;
    let buried = letters_are_right(&trees, &letters, &told.alone, found);
    for root in &trees.roots {
        let outputs = trees.members.remove(&(&root.event.user_id, &root.event.id)).unwrap_or_default();
        tree_is_right(root, &outputs, &trees.by_id, buried.contains(root.event.root()), found)?;
        ledger_is_right(hub, root, &outputs, found).await?;
        found.outputs += outputs.len();
    }
    for strays in trees.members.values() {
        found.violation("every event belongs to a tree of the log", &strays[0].event.id);
    }
    order_is_kept(&log, &trees.by_id, found)?;
    keys_are_in_order(&trees.roots, found)?;
    let audit = hub.audit(0, usize::MAX >> 1).await?;
    found.approved = audit.iter().filter(|(_, record)| record.act == "approve").count();
    documents_are_right(hub, &log, found).await?;
    nothing_waits(hub, found).await
}

async fn read(hub: &Hub) -> Result<Vec<Logged>> {
    let (mut log, mut after) = (Vec::new(), 0);
    loop {
        let page = hub.read(after, &EventFilter::all(), 10_000).await?;
        log.extend(page.events);
        if page.at_head {
            return Ok(log);
        }
        after = page.next;
    }
}

/// No acknowledged event is lost, none is stored twice, and none is skipped.
fn acknowledged_are_there(trees: &Trees<'_>, acknowledged: &[Vec<String>], found: &mut Found) -> Result<()> {
    let mut numbers: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for root in &trees.roots {
        let (emitter, n, _) = work::parts(&root.event)?;
        numbers.entry(emitter).or_default().push(n);
        let said = acknowledged.get(emitter).and_then(|ids| ids.get(usize::try_from(n).ok()?));
        let same = said.is_none_or(|id| *id == root.event.id.to_string());
        found.expect(same, "emit answers with the id that is stored", &root.event.id);
    }
    for (emitter, ids) in acknowledged.iter().enumerate() {
        let stored = numbers.entry(emitter).or_default();
        found.roots += stored.len();
        found.acknowledged += ids.len();
        stored.sort_unstable();
        for pair in stored.windows(2).filter(|pair| pair[0] == pair[1]) {
            found.violation("an event is stored once under its key or id", work::name(emitter, pair[0]));
        }
        for (n, id) in (0u64..).zip(ids) {
            let there = stored.binary_search(&n).is_ok();
            found.expect(
                there,
                "no acknowledged event is lost",
                format_args!("{} of {} ({id})", n, USERS[emitter]),
            );
        }
    }
    Ok(())
}

/// What came of one root is what must come of it: nothing is missing, nothing is doubled.
fn tree_is_right(
    root: &Logged,
    outputs: &[&Logged],
    by_id: &HashMap<&EventId, &Logged>,
    buried: bool,
    found: &mut Found,
) -> Result<()> {
    let mut missing: BTreeMap<(String, u64), i64> = BTreeMap::new();
    for (event_type, index) in work::expected(&root.event.event_type) {
        *missing.entry((event_type.to_owned(), index)).or_default() += 1;
    }
    for output in outputs {
        let event = &output.event;
        let index = if event.event_type == "error" { 0 } else { work::parts(event)?.2 };
        *missing.entry((event.event_type.to_string(), index)).or_default() -= 1;
        found.expect(id_is_derived(event, index, by_id), "an output's id names its cause", &event.id);
    }
    for ((event_type, index), count) in missing {
        if buried && (count > 0 || event_type == "error") {
            // What was buried leads to an error instead.
            continue;
        }
        let case = format_args!("{event_type} {index} of {} {}", root.event.event_type, root.event.id);
        found.expect(count <= 0, "what an event must lead to is there", case);
        found.expect(count >= 0, "no output is doubled", case);
    }
    Ok(())
}

fn id_is_derived(event: &Event, index: u64, by_id: &HashMap<&EventId, &Logged>) -> bool {
    let Some(cause) = event.correlation_id.as_ref().and_then(|id| by_id.get(id)) else { return false };
    // Only the items of a fan are several outputs of one delivery; an error is named after its delivery.
    let place = if event.event_type == "fan.item" { u32::try_from(index).unwrap_or(u32::MAX) } else { 0 };
    let handled = &cause.event;
    let id = EventId::derived(cause.logged_at, &handled.user_id, &handled.id, &event.source, place);
    // An eager handler runs before its event has a place in the log: its output is named by the time of that.
    matches!(&*event.event_type, "error" | "quick.done") || event.id == id
}

async fn ledger_is_right(hub: &Hub, root: &Logged, outputs: &[&Logged], found: &mut Found) -> Result<()> {
    let event = &root.event;
    let Some(lease) = hub.lease(&event.user_id, &event.id).await? else {
        found.violation("a tree with work has a ledger", &event.id);
        return Ok(());
    };
    let drawn = 1 + outputs.iter().filter(|output| output.event.event_type != "error").count();
    let case = format_args!("{} {}: {lease:?}, {drawn} events", event.event_type, event.id);
    found.expect((lease.open, lease.parked) == (0, 0), "a ledger at rest has nothing open", case);
    found.expect(lease.state == LeaseState::Active, "a tree within its limits is active", case);
    found.expect(lease.events == drawn as u64, "a ledger has drawn the events of its tree", case);
    Ok(())
}

/// Each bad job is a dead letter, once. Nothing else is, but for what was running whenever the process died: as
/// poison would, it ran alone three times and never came to its end. A kill can hit it as well, three times.
fn letters_are_right<'l>(
    trees: &Trees<'_>,
    letters: &'l [DeadLetter],
    alone: &HashMap<String, usize>,
    found: &mut Found,
) -> HashSet<&'l EventId> {
    let mut bad: HashMap<&EventId, usize> = HashMap::new();
    let mut all_buried = HashSet::new();
    for letter in letters {
        let case = format_args!("{} by {}: {}", letter.event.id, letter.driver, letter.reason);
        let buried = letter.reason.contains("the process died");
        let was_alone = alone.get(&letter.event.id.to_string()).copied().unwrap_or(0);
        found.expect(!buried || was_alone >= 3, "who is buried ran alone three times", case);
        if buried {
            all_buried.insert(letter.event.root());
            found.buried += 1;
        }
        found.expect(buried || letter.driver == "bad", "nothing fails for good but what must", case);
        *bad.entry(&letter.event.id).or_default() += 1;
    }
    for root in trees.roots.iter().filter(|root| root.event.event_type == "bad.job") {
        let count = bad.get(&root.event.id).copied().unwrap_or(0);
        found.expect(
            count == 1,
            "a failure is one dead letter",
            format_args!("{} has {count}", root.event.id),
        );
    }
    all_buried
}

/// What a driver made of the events of one key stands in the log in the order of those events.
fn order_is_kept(log: &[Logged], by_id: &HashMap<&EventId, &Logged>, found: &mut Found) -> Result<()> {
    let mut last: HashMap<(Name, Name, Name), u64> = HashMap::new();
    for logged in log.iter().filter(|logged| logged.event.event_type.starts_with("ordered.")) {
        let event = &logged.event;
        let Some(cause) = event.correlation_id.as_ref().and_then(|id| by_id.get(id)) else { continue };
        let Some(key) = cause.event.ordering_key.clone() else { continue };
        let before = last.entry((event.source.clone(), event.user_id.clone(), key)).or_default();
        found.ordered += usize::from(*before > 0);
        let case = format_args!("{} handled {} after {before}", event.source, cause.sequence);
        found.expect(cause.sequence > *before, "a driver keeps the order of each key", case);
        *before = cause.sequence;
    }
    Ok(())
}

/// An event that waits for an approval is passed by none of its key: they stand in the log as they were emitted.
fn keys_are_in_order(roots: &[&Logged], found: &mut Found) -> Result<()> {
    let mut last: HashMap<(&Name, &Name), u64> = HashMap::new();
    for root in roots {
        let event = &root.event;
        let Some(key) = &event.ordering_key else { continue };
        let (_, n, _) = work::parts(event)?;
        if let Some(before) = last.insert((&event.user_id, key), n) {
            let case = format_args!("{n} came after {before} under {key} of {}", event.user_id);
            found.expect(before < n, "nothing passes a held event of its key", case);
        }
    }
    Ok(())
}

/// What a handler wrote is there with its output, once, and not without it.
async fn documents_are_right(hub: &Hub, log: &[Logged], found: &mut Found) -> Result<()> {
    let mut expected: HashMap<(Name, String), Option<EventId>> = HashMap::new();
    for logged in log.iter().filter(|logged| work::WRITERS.contains(&logged.event.source.as_str())) {
        let event = &logged.event;
        let path = work::document(&event.source, work::parts(event)?);
        expected.insert((event.user_id.clone(), path), event.correlation_id.clone());
    }
    for (user, driver) in USERS.iter().flat_map(|user| work::WRITERS.map(|driver| (*user, driver))) {
        let context = hub.context(user);
        for item in context.list(&format!("/done/{driver}")).await? {
            let case = format!("{} of {user}", item.path);
            let cause = expected.remove(&(user.into(), item.path.clone()));
            found.expect(cause.is_some(), "no document is there without its output", &case);
            let document = context.read(&item.path).await?.ok_or("a document that is listed is not there")?;
            let once = document.content == work::LINE.into() && document.version == 1;
            found.expect(once, "what a handler writes is written once", &case);
            let by = context.history(&item.path, 1).await?.pop().map(|deed| deed.by.cause);
            found.expect(by == cause, "a document names the event that caused it", &case);
            found.documents += 1;
        }
    }
    for (user, path) in expected.keys() {
        found.violation("what a handler writes is there with its outputs", format_args!("{path} of {user}"));
    }
    Ok(())
}

async fn nothing_waits(hub: &Hub, found: &mut Found) -> Result<()> {
    let promise = "nothing waits after an orderly drain";
    for delivery in hub.pending(0, 100).await? {
        found.violation(promise, format_args!("{} for {}", delivery.event.id, delivery.driver));
    }
    for logged in hub.unrouted(100).await? {
        found.violation(promise, format_args!("{} unrouted", logged.event.id));
    }
    for hold in [Hold::Delayed, Hold::Approval, Hold::Lease, Hold::Key] {
        for parked in hub.parked(hold, 100).await? {
            found.violation(promise, format_args!("{} parked: {hold:?}", parked.event.id));
        }
    }
    let open = hub.status().borrow().open;
    found.expect(open == 0, promise, open);
    let unclean = hub.attach().await?.unclean;
    hub.detach().await?;
    found.expect(!unclean, "an orderly stop leaves no trace of a crash", unclean);
    Ok(())
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, roots, outputs, ordered, approved, documents, buried, promises } = self;
        write!(
            f,
            "{acknowledged} events acknowledged, {roots} stored, {outputs} outputs, {ordered} in order of a key, \
             {approved} approved, {documents} documents, {buried} killed too often: {promises}"
        )
    }
}
