//! What goes into the log: whole, once, under its own id.

use super::BusUnderTest;
use super::tools::*;
use crate::bus::{Append, Checkpoint, Command, Entry, Place};
use crate::{AuditRecord, Data, Decision, ErrorKind, EventId, Name};

pub(super) async fn a_command_is_applied_whole_or_not_at_all<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let taken = event("taken").with_id(id("evt_1")).with_data(serde_json::json!(1));
    append(&*bus, vec![Entry::new(taken.clone(), to(&[]))]).await?;
    let other = taken.with_data(serde_json::json!(2));
    let command = Append {
        entries: vec![job("first"), Entry::new(other, to(&["worker"])), job("last")],
        checkpoints: vec![checkpoint("a", Some(1))],
        audit: vec![AuditRecord::about(&event("noted"), "deny", Decision::new("policy", "because"))],
    };
    refused(bus.commit(command.into()).await, ErrorKind::Conflict, "a batch with a bad entry is refused")?;
    let promise = "a refused command leaves nothing behind";
    same(types(&*bus).await?, vec!["taken".to_owned()], promise)?;
    same(bus.pending(0, 10).await?, vec![], promise)?;
    same(bus.checkpoints(&Name::literal("watcher"), "", 10).await?, vec![], promise)?;
    same(bus.audit(0, 10).await?, vec![], promise)?;
    same(bus.status().borrow().open, 0, promise)?;

    let command = Append {
        entries: vec![job("first"), job("second")],
        checkpoints: vec![checkpoint("a", Some(1))],
        audit: vec![AuditRecord::about(&event("noted"), "deny", Decision::new("policy", "because"))],
    };
    bus.commit(command.into()).await?;
    let promise = "an accepted command is applied whole";
    same(types(&*bus).await?.len(), 3, promise)?;
    same(bus.pending(0, 10).await?.len(), 2, promise)?;
    same(bus.checkpoints(&Name::literal("watcher"), "", 10).await?.len(), 1, promise)?;
    same(bus.audit(0, 10).await?.len(), 1, promise)
}

pub(super) async fn an_id_is_stored_once<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let ours = EventId::from_uuid_bytes([0x41; 16]);
    for own in [ours, id("evt_1")] {
        let entry = || Entry::new(event("once").with_id(own.clone()), to(&["worker"]));
        let first = append(&*bus, vec![entry()]).await?;
        let again = append(&*bus, vec![entry()]).await?;
        let (first, again) = (&first.appended[0], &again.appended[0]);
        holds(first.fresh, "an event with a new id is fresh", first)?;
        holds(!again.fresh, "an event whose id is stored is answered as a duplicate", again)?;
        same(again.sequence, first.sequence, "a duplicate is answered with the place of the first")?;
    }
    let later = event("later").with_id(id("evt_2"));
    let wait = || Entry::new(later.clone(), Place::Parked(crate::bus::Hold::Approval, None));
    append(&*bus, vec![wait()]).await?;
    let again = append(&*bus, vec![wait()]).await?;
    holds(again.appended[0].parked && !again.appended[0].fresh, "a parked event is stored once", &again)?;
    same(log(&*bus).await?.len(), 2, "a duplicate is not stored")?;
    same(bus.pending(0, 10).await?.len(), 2, "a duplicate makes no delivery")
}

pub(super) async fn an_id_with_other_content_is_refused<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let first = event("once").with_id(id("evt_1"));
    append(&*bus, vec![Entry::new(first.clone(), to(&[]))]).await?;
    let stamped = first
        .clone()
        .with_timestamp(crate::Timestamp::from_micros(7))
        .with_metadata("traceparent", "00-1-2-3");
    append(&*bus, vec![Entry::new(stamped, to(&[]))]).await?;
    let others = [
        first.clone().with_data(serde_json::json!(2)),
        first.clone().with_ordering_key("key"),
        first.clone().with_source("elsewhere"),
        first.clone().with_label("private"),
        first.with_priority(crate::Priority::Low),
    ];
    for other in others {
        let answer = bus.commit(Command::append(vec![Entry::new(other, to(&[]))])).await;
        refused(answer, ErrorKind::Conflict, "an id in use with other content is refused")?;
    }
    same(log(&*bus).await?.len(), 1, "a refused event is not stored")
}

pub(super) async fn a_foreign_id_belongs_to_its_user<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    for name in ["ann", "bob"] {
        let own = event("own").with_user(name).with_id(id("evt_1")).with_data(serde_json::json!(name));
        let receipt = append(&*bus, vec![Entry::new(own, to(&["worker"]))]).await?;
        holds(receipt.appended[0].fresh, "two users may use one foreign id", &receipt)?;
    }
    for name in ["ann", "bob"] {
        let found = present(bus.find(&name.into(), &id("evt_1")).await?, "each user finds its own event")?;
        same(found.event.data.value(), serde_json::json!(name), "a foreign id names its user's event")?;
        let lease = present(bus.lease(&name.into(), &id("evt_1")).await?, "each user has its own ledger")?;
        same(lease.user.as_str(), name, "a ledger belongs to the user of its root")?;
    }
    same(bus.find(&"eve".into(), &id("evt_1")).await?, None, "others do not find it")
}

pub(super) async fn an_emitters_key_names_one_event<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let keyed = |name: &str, data: u32| {
        let event = event("keyed").with_user(name).with_data(serde_json::json!(data));
        Entry { key: Some("order-7".into()), ..Entry::new(event, to(&["worker"])) }
    };
    let first = append(&*bus, vec![keyed("ann", 1)]).await?;
    let again = append(&*bus, vec![keyed("ann", 2)]).await?;
    same(&again.appended[0].id, &first.appended[0].id, "a key is answered with its first event")?;
    holds(!again.appended[0].fresh, "an event under a known key is a duplicate", &again)?;
    let other = append(&*bus, vec![keyed("bob", 1)]).await?;
    holds(other.appended[0].fresh, "keys belong to their user", &other)?;
    same(log(&*bus).await?.len(), 2, "one event for each user and key")?;
    let twice = append(&*bus, vec![keyed("cleo", 1), keyed("cleo", 2)]).await?.appended;
    same(
        &twice[1].id,
        &twice[0].id,
        "a key that stands twice in one command is answered with its first event",
    )?;
    same((twice[0].fresh, twice[1].fresh), (true, false), "which is stored once")?;
    same(log(&*bus).await?.len(), 3, "one event for each user and key, also within one command")
}

pub(super) async fn the_bus_gives_missing_ids_and_times<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let bare = || Entry::new(crate::Event::new("bare").with_user(user()), to(&[]));
    let mut ids = Vec::new();
    for _ in 0..10 {
        let receipt = append(&*bus, vec![bare(), bare()]).await?;
        ids.extend(receipt.appended.into_iter().map(|appended| appended.id));
    }
    holds(ids.iter().all(|id| !id.is_unset()), "a bus gives ids", &ids)?;
    holds(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]), "given ids grow", &ids)?;
    let log = log(&*bus).await?;
    let stored: Vec<EventId> = log.iter().map(|logged| logged.event.id.clone()).collect();
    same(stored, ids, "the receipt says the ids that were stored, in the order of the entries")?;
    let stamped = log.iter().all(|logged| !logged.event.timestamp.is_unset());
    holds(stamped, "a bus gives times", log.len())
}

fn checkpoint(key: &str, value: Option<u32>) -> Checkpoint {
    let value = value.map(|value| Data::from(serde_json::json!(value)));
    Checkpoint { driver: Name::literal("watcher"), key: key.to_owned(), value }
}

pub(super) async fn checkpoints_land_with_their_events<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let watcher = Name::literal("watcher");
    let write = |entries, checkpoints| bus.commit(Append { entries, checkpoints, audit: Vec::new() }.into());
    write(vec![job("seen")], vec![checkpoint("b", Some(1)), checkpoint("a", Some(2))]).await?;
    write(vec![], vec![checkpoint("c", Some(3))]).await?;
    let all = bus.checkpoints(&watcher, "", 10).await?;
    let expected = vec![checkpoint("a", Some(2)), checkpoint("b", Some(1)), checkpoint("c", Some(3))];
    same(all, expected, "checkpoints are read in the order of their keys")?;
    write(vec![], vec![checkpoint("a", Some(9)), checkpoint("b", None)]).await?;
    let all = bus.checkpoints(&watcher, "", 10).await?;
    let expected = vec![checkpoint("a", Some(9)), checkpoint("c", Some(3))];
    same(all, expected, "a checkpoint is replaced, and forgotten without a value")?;
    let after = bus.checkpoints(&watcher, "a", 1).await?;
    same(after, vec![checkpoint("c", Some(3))], "checkpoints are read after a key, up to a limit")?;
    same(bus.checkpoints(&Name::literal("other"), "", 10).await?, vec![], "they belong to their driver")
}

pub(super) async fn audit_is_kept_in_order<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let record = |reason: &str| AuditRecord::about(&event("noted"), "deny", Decision::new("policy", reason));
    bus.commit(Command::Audit(vec![record("one"), record("two")])).await?;
    bus.commit(Command::Audit(vec![record("three")])).await?;
    let all = bus.audit(0, 10).await?;
    let reasons: Vec<&str> = all.iter().map(|(_, record)| record.decision.reason.as_str()).collect();
    same(reasons, vec!["one", "two", "three"], "audit records keep their order")?;
    holds(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "their numbers grow", &all)?;
    holds(all.iter().all(|(_, record)| !record.at.is_unset()), "the log stamps them", &all)?;
    let rest = bus.audit(all[0].0, 1).await?;
    same(rest, vec![all[1].clone()], "they are read after a number, up to a limit")
}
