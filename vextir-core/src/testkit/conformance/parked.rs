//! Events that wait beside the log: for their time, for a person, behind another.

use super::BusUnderTest;
use super::tools::*;
use crate::bus::{Command, Entry, EventBus, Held, Hold, Parked, Place, Receipt, Release};
use crate::{AuditRecord, Decision, ErrorKind, Result, Timestamp};

async fn release(bus: &dyn EventBus, parked: &Parked, place: Option<Place>) -> Result<Receipt> {
    let entry = place.map(|place| Entry { minted: true, ..Entry::new(parked.event.clone(), place) });
    let record = AuditRecord::about(&parked.event, "approve", Decision::new("operator", "released"));
    let (user, id) = (parked.event.user_id.clone(), parked.event.id.clone());
    bus.commit(Command::Release(Box::new(Release { user, id, entry, audit: vec![record] }))).await
}

pub(super) async fn delayed_events_wait_in_the_order_of_their_time<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let at = |n: i64| Timestamp::from_micros(4_000_000_000_000_000 + n);
    for n in [3, 1, 2, 1] {
        let place = if n == 2 { Place::Unrouted } else { Place::Parked(Hold::Delayed, None) };
        let later = event("later").with_deliver_at(at(n));
        append(&*bus, vec![Entry::new(later, place)]).await?;
    }
    let past = event("past").with_deliver_at(Timestamp::from_micros(1));
    append(&*bus, vec![Entry::new(past, Place::Unrouted)]).await?;
    same(types(&*bus).await?, vec!["past".to_owned()], "a delayed event is not in the log before its time")?;
    let parked = bus.parked(Hold::Delayed, 10).await?;
    let due: Vec<_> = parked.iter().map(|parked| parked.event.deliver_at).collect();
    let expected = vec![Some(at(1)), Some(at(1)), Some(at(2)), Some(at(3))];
    same(due, expected, "delayed events are read in the order of their time")?;
    holds(parked[0].number < parked[1].number, "then in the order of their arrival", &parked)?;
    same(bus.parked(Hold::Delayed, 1).await?.len(), 1, "up to a limit")?;
    same(bus.parked(Hold::Approval, 10).await?, vec![], "each hold is read apart")?;
    let receipt = release(&*bus, &parked[0], Some(to(&["worker"]))).await?;
    let appended = &receipt.appended[0];
    holds(appended.fresh && !appended.parked, "a released event goes into the log", appended)?;
    same(appended.sequence, 2, "a released event gets its place when it is released")?;
    same(&bus.pending(0, 10).await?[0].event, &parked[0].event, "a released event is delivered")?;
    same(bus.chores().borrow().next_due, Some(at(1)), "chores say the next due time")
}

pub(super) async fn a_release_happens_once<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let decision = Decision::new("policy", "ask first");
    let place = Place::Parked(Hold::Approval, Some(decision.clone()));
    let receipt = append(&*bus, vec![Entry::new(event("risky"), place)]).await?;
    let root = receipt.appended[0].id.clone();
    let parked = bus.parked(Hold::Approval, 10).await?.remove(0);
    same(&parked.decision, &Some(decision), "a parked event says who decided it")?;
    let lease = present(bus.lease(&user(), &root).await?, "an event that waits has a ledger")?;
    same((lease.parked, lease.open, lease.first), (1, 0, 0), "the ledger counts what waits")?;
    release(&*bus, &parked, Some(to(&["worker"]))).await?;
    let lease = present(bus.lease(&user(), &root).await?, "a tree with work has a ledger")?;
    same((lease.parked, lease.open, lease.events), (0, 1, 1), "a release moves it from waiting to open")?;
    let again = release(&*bus, &parked, Some(to(&["worker"]))).await;
    refused(again, ErrorKind::NotFound, "an event is released once")?;
    same(bus.pending(0, 10).await?.len(), 1, "a released event is delivered once")?;
    same(bus.audit(0, 10).await?.len(), 1, "a release is audited, a refused one is not")
}

pub(super) async fn a_dropped_release_frees_the_ledger<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let place = || Place::Parked(Hold::Approval, None);
    append(&*bus, vec![Entry::new(event("risky"), place()), Entry::new(event("other"), place())]).await?;
    let parked = bus.parked(Hold::Approval, 10).await?;
    let receipt = release(&*bus, &parked[0], None).await?;
    same(receipt.tree.map(|tree| (tree.parked, tree.open)), Some((0, 0)), "a rejected event waits no more")?;
    same(bus.parked(Hold::Approval, 10).await?.len(), 1, "the others still wait")?;
    same(log(&*bus).await?, vec![], "a rejected event does not reach the log")?;
    let why = Decision::new("lease", "at its limit");
    release(&*bus, &parked[1], Some(Place::Parked(Hold::Lease, Some(why.clone())))).await?;
    let moved = bus.parked(Hold::Lease, 10).await?;
    same(moved.len(), 1, "an event can go from one wait into another")?;
    same(&moved[0].event, &parked[1].event, "an event can go from one wait into another")?;
    same(&moved[0].decision, &Some(why), "and says who decided that")?;
    let approved = Some(Decision::new("operator", "fine"));
    let wait_on = async |parked: &Parked, place, approved: &Option<Decision>| {
        let (user, id) = (parked.event.user_id.clone(), parked.event.id.clone());
        let entry = Entry { approved: approved.clone(), ..Entry::new(parked.event.clone(), place) };
        let release = Release { user, id, entry: Some(entry), audit: Vec::new() };
        bus.commit(Command::Release(Box::new(release))).await
    };
    wait_on(&moved[0], Place::Parked(Hold::Delayed, None), &approved).await?;
    let delayed = bus.parked(Hold::Delayed, 10).await?.remove(0);
    same(&delayed.approved, &approved, "who was approved keeps that in its old place")?;
    wait_on(&delayed, Place::Parked(Hold::Key, None), &delayed.approved).await?;
    let behind = bus.parked(Hold::Key, 10).await?.remove(0);
    same(&behind.approved, &approved, "and behind others")
}

pub(super) async fn held_events_are_found_by_what_they_belong_to<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let wait = |kind: &'static str, user: &str, key: &str, hold| {
        let event = event(kind).with_user(user).with_id(id(kind)).with_ordering_key(key);
        Entry::new(event, Place::Parked(hold, None))
    };
    let entries = vec![
        wait("a", "ann", "k", Hold::Approval),
        wait("b", "ann", "l", Hold::Lease),
        wait("c", "ann", "k", Hold::Key),
        wait("d", "ann", "k", Hold::Delayed),
        wait("a", "bob", "k", Hold::Approval),
    ];
    append(&*bus, entries).await?;
    let made = delivered(&*bus, Entry::new(event("ask").with_user("ann"), to(&["worker"]))).await?;
    let outputs = (0..2).map(|n| output(&made, n, "out", Place::Parked(Hold::Lease, None))).collect();
    bus.commit(done(&made, outputs)).await?;
    let ann = || crate::Name::literal("ann");
    let kinds = |held: Vec<Parked>| -> Vec<String> {
        held.iter().map(|one| format!("{}/{}", one.event.user_id, one.event.event_type)).collect()
    };
    let expected = [
        (Held::Event(ann(), id("a")), vec!["ann/a"]),
        (Held::Event(ann(), id("d")), vec![]),
        (Held::Tree(ann(), id("a")), vec!["ann/a"]),
        (Held::Tree(ann(), made.event.id.clone()), vec!["ann/out", "ann/out"]),
        (Held::Key(ann(), "k".into()), vec!["ann/a", "ann/c"]),
        (Held::User(ann()), vec!["ann/a", "ann/b", "ann/c", "ann/out", "ann/out"]),
        (Held::User("eve".into()), vec![]),
    ];
    for (which, expected) in expected {
        let expected: Vec<String> = expected.into_iter().map(String::from).collect();
        same(kinds(bus.held(&which, 10).await?), expected, "held events are found, in order of arrival")?;
    }
    same(bus.held(&Held::User(ann()), 2).await?.len(), 2, "up to a limit")
}

pub(super) async fn events_wait_behind_a_held_one_of_their_key<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let keyed = |kind: &'static str, user: &str, key: &str, place| {
        Entry::new(event(kind).with_user(user).with_ordering_key(key), place)
    };
    append(&*bus, vec![keyed("held", "ann", "k", Place::Parked(Hold::Approval, None))]).await?;
    let entries = vec![
        keyed("behind", "ann", "k", to(&["worker"])),
        keyed("other.key", "ann", "l", to(&["worker"])),
        keyed("other.user", "bob", "k", to(&["worker"])),
    ];
    let receipt = append(&*bus, entries).await?;
    let parked: Vec<bool> = receipt.appended.iter().map(|appended| appended.parked).collect();
    same(parked, vec![true, false, false], "an event waits behind a held one of its user and key")?;
    let behind = bus.parked(Hold::Key, 10).await?;
    same(behind.len(), 1, "it says that it waits for its key")?;
    let held = bus.parked(Hold::Approval, 10).await?.remove(0);
    release(&*bus, &held, Some(to(&["worker"]))).await?;
    release(&*bus, &behind[0], Some(to(&["worker"]))).await?;
    let log = types(&*bus).await?;
    let expected: Vec<String> = ["other.key", "other.user", "held", "behind"].map(String::from).into();
    same(log, expected, "released events keep the order of their key")?;
    let receipt = append(&*bus, vec![keyed("free", "ann", "k", to(&["worker"]))]).await?;
    holds(!receipt.appended[0].parked, "a key that is not held lets events pass", &receipt)
}

pub(super) async fn a_delayed_event_that_is_held_when_it_is_due_waits_behind_the_others<S: BusUnderTest>(
    subject: S,
) -> Outcome {
    let bus = subject.bus();
    let due = Timestamp::from_micros(4_000_000_000_000_000);
    let keyed = |kind: &'static str, place| Entry::new(event(kind).with_ordering_key("k"), place);
    let mut later = keyed("later", Place::Parked(Hold::Delayed, None));
    later.event.edit().deliver_at = Some(due);
    append(&*bus, vec![later]).await?;
    append(&*bus, vec![keyed("held", Place::Parked(Hold::Approval, None))]).await?;
    append(&*bus, vec![keyed("behind", to(&["worker"]))]).await?;
    let later = bus.parked(Hold::Delayed, 1).await?.remove(0);
    let root = later.event.id.clone();
    release(&*bus, &later, Some(Place::Parked(Hold::Approval, None))).await?;
    let held = bus.held(&Held::Key(user(), "k".into()), 10).await?;
    let order: Vec<&str> = held.iter().map(|one| &*one.event.event_type).collect();
    same(order, vec!["held", "behind", "later"], "a delayed event joins its key when it is due")?;
    same(held[2].hold, Hold::Approval, "it says why it waits now")?;
    same(bus.chores().borrow().next_due, None, "and is not delayed any more")?;
    let lease = present(bus.lease(&user(), &root).await?, "an event that waits has a ledger")?;
    same(lease.parked, 1, "and is counted once")
}
