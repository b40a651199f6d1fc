//! The ledger of a causal tree: what was drawn, where it is held.

use super::BusUnderTest;
use super::tools::*;
use crate::bus::{Command, Delivery, Entry, EventBus, Held, Hold, Release};
use crate::{LeaseState, Limits, Name};
use std::sync::Arc;

pub(super) async fn a_ledger_counts_its_tree<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let receipt = append(&*bus, vec![Entry::new(event("idle"), to(&[]))]).await?;
    let idle = bus.lease(&user(), &receipt.appended[0].id).await?;
    same(idle, None, "a root that never had a delivery has no ledger")?;
    let limits = Some(Box::new(Limits { events: 77, ..Limits::default() }));
    let entry = Entry { limits, ..Entry::new(event("ask"), to(&["one", "two"])) };
    let receipt = append(&*bus, vec![entry]).await?;
    let root = receipt.appended[0].id.clone();
    let tree = present(receipt.tree, "a receipt tells of the tree that it began")?;
    same((tree.open, tree.state), (2, LeaseState::Active), "each delivery of the root is open")?;
    let [one, two] = <[Delivery; 2]>::try_from(bus.pending(0, 10).await?)
        .map_err(|other| broken("two drivers get two deliveries", format!("{other:?}")))?;
    bus.commit(done(&one, vec![output(&one, 0, "answer", to(&["one"]))])).await?;
    bus.commit(done(&two, vec![output(&two, 0, "answer", to(&[]))])).await?;
    let lease = present(bus.lease(&user(), &root).await?, "a tree with work has a ledger")?;
    same((&lease.root, &lease.user), (&root, &user()), "a ledger is of its root and its user")?;
    same(lease.limits.events, 77, "the root's limits are kept")?;
    same(
        (lease.events, lease.open, lease.parked),
        (3, 1, 0),
        "events drawn, deliveries open, events parked",
    )?;
    same((lease.first, lease.last), (2, 4), "the first and the last event of the tree")
}

pub(super) async fn other_units_are_recorded_beyond_their_limit<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let units = [(Name::literal("tokens"), 100)].into();
    let limits = Some(Box::new(Limits { units, ..Limits::default() }));
    let mut delivery = delivered(&*bus, Entry { limits, ..job("ask") }).await?;
    let root = delivery.event.id.clone();
    for (round, expected) in [(1u32, 60u64), (2, 120)] {
        let Command::Settle(mut settlement) =
            done(&delivery, vec![output(&delivery, 0, "ask", to(&["worker"]))])
        else {
            return Ok(());
        };
        Arc::make_mut(&mut settlement).usage = vec![("tokens".into(), 60), ("cents".into(), 1)];
        let receipt = bus.commit(Command::Settle(settlement)).await?;
        let lease = present(bus.lease(&user(), &root).await?, "a tree with work has a ledger")?;
        let used = (lease.units.get("tokens").copied(), lease.units.get("cents").copied());
        same(used, (Some(expected), Some(round.into())), "what was used is recorded, beyond the limit too")?;
        let held = lease.state == LeaseState::Held;
        same(held, round == 2, "the next event of a tree beyond its limit is held")?;
        same(receipt.appended[0].parked, round == 2, "the next event of a tree beyond its limit is held")?;
        delivery = match bus.pending(0, 1).await?.pop() {
            Some(next) => next,
            None => return same(round, 2, "a tree within its limits goes on"),
        };
    }
    same(bus.pending(0, 10).await?, vec![], "a held event has no delivery")
}

/// A tree of at most three events whose root was answered with five.
async fn held_tree(bus: &dyn EventBus) -> Result<Delivery, Broken> {
    let limits = Some(Box::new(Limits { events: 3, ..Limits::default() }));
    let delivery = delivered(bus, Entry { limits, ..job("burst") }).await?;
    let outputs = (0..5).map(|index| output(&delivery, index, "item", to(&["worker"]))).collect();
    let receipt = bus.commit(done(&delivery, outputs)).await?;
    let parked: Vec<bool> = receipt.appended.iter().map(|appended| appended.parked).collect();
    same(parked, vec![false, false, true, true, true], "at its limit a tree's further outputs are held")?;
    let notices: Vec<String> = receipt.notices.iter().map(|event| event.event_type.to_string()).collect();
    same(notices, vec!["lease.held".to_owned()], "the receipt has the notice")?;
    Ok(delivery)
}

pub(super) async fn a_tree_at_its_limit_is_held_and_says_so_once<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let delivery = held_tree(&*bus).await?;
    let root = delivery.event.id.clone();
    let lease = present(bus.lease(&user(), &root).await?, "a tree with work has a ledger")?;
    same(
        (lease.state, lease.events, lease.parked, lease.open),
        (LeaseState::Held, 3, 3, 2),
        "the settlement at the limit commits, and the ledger says what is held",
    )?;
    let held = bus.parked(Hold::Lease, 10).await?;
    same(held.len(), 3, "held events wait beside the log")?;
    same(held[0].hold, Hold::Lease, "and say why")?;
    holds(held[0].decision.is_some(), "and who decided it", &held[0])?;
    let next = bus.pending(0, 1).await?.remove(0);
    let receipt = bus.commit(done(&next, vec![output(&next, 0, "item", to(&["worker"]))])).await?;
    holds(receipt.notices.is_empty(), "a held tree says so once", &receipt.notices)?;
    let log = log(&*bus).await?;
    let notices: Vec<_> = log.iter().filter(|logged| logged.event.event_type == "lease.held").collect();
    same(notices.len(), 1, "a held tree says so once")?;
    let notice = &notices[0].event;
    same(notice.root(), &root, "the notice belongs to the tree")?;
    same(notice.data.value()["unit"].clone(), serde_json::json!("events"), "the notice names the unit")?;
    let unrouted: Vec<u64> = bus.unrouted(10).await?.iter().map(|logged| logged.sequence).collect();
    same(unrouted, vec![notices[0].sequence], "the notice waits to be routed")
}

pub(super) async fn an_extension_lets_held_events_go<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let delivery = held_tree(&*bus).await?;
    let root = delivery.event.id.clone();
    let limits = Limits { events: 5, ..Limits::default() };
    let extend = Command::Extend { user: user(), root: root.clone(), limits, audit: Vec::new() };
    let receipt = bus.commit(extend).await?;
    same(receipt.tree.map(|tree| tree.state), Some(LeaseState::Active), "an extended tree is active")?;
    let held = bus.parked(Hold::Lease, 10).await?;
    for (parked, goes) in held.iter().zip([true, true, false]) {
        let (user, id) = (user(), parked.event.id.clone());
        let entry = Some(Entry { minted: true, ..Entry::new(parked.event.clone(), to(&["worker"])) });
        let release = Release { user, id, entry, audit: Vec::new() };
        let receipt = bus.commit(Command::Release(Box::new(release))).await?;
        same(!receipt.appended[0].parked, goes, "held events go on up to the new limit")?;
    }
    let lease = present(bus.lease(&user(), &root).await?, "a tree with work has a ledger")?;
    same(
        (lease.state, lease.events, lease.parked, lease.open),
        (LeaseState::Held, 5, 1, 4),
        "at the new limit the tree is held again",
    )?;
    let unknown =
        Command::Extend { user: user(), root: id("nothing"), limits: Limits::default(), audit: Vec::new() };
    refused(bus.commit(unknown).await, crate::ErrorKind::NotFound, "a tree that is not there is not extended")
}

pub(super) async fn an_extension_that_does_not_suffice_changes_no_order<S: BusUnderTest>(
    subject: S,
) -> Outcome {
    let bus = subject.bus();
    let limits = Limits { events: 2, ..Limits::default() };
    let limited = Entry { limits: Some(Box::new(limits.clone())), ..job("burst") };
    let delivery = delivered(&*bus, limited).await?;
    let keyed = |mut entry: Entry| {
        entry.event = entry.event.with_ordering_key("k");
        entry
    };
    let items = ["one", "two", "three"].into_iter().zip(0..);
    let outputs = items.map(|(item, index)| keyed(output(&delivery, index, item, to(&["worker"])))).collect();
    bus.commit(done(&delivery, outputs)).await?;
    append(&*bus, vec![keyed(job("other"))]).await?;
    let behind = Held::Key(user(), "k".into());
    let held = bus.held(&behind, 10).await?;
    let root = delivery.event.id.clone();
    let before: Vec<_> = held.iter().map(|one| (one.event.clone(), one.hold, one.number)).collect();
    let waits = |held: &[crate::bus::Parked]| -> Vec<(String, Hold)> {
        held.iter().map(|one| (one.event.event_type.to_string(), one.hold)).collect()
    };
    let expected = [("two", Hold::Lease), ("three", Hold::Key), ("other", Hold::Key)];
    let expected = expected.map(|(item, hold)| (item.to_owned(), hold)).to_vec();
    same(waits(&held), expected, "behind an event at its tree's limit waits its key")?;
    bus.commit(Command::Extend { user: user(), root: root.clone(), limits, audit: Vec::new() }).await?;
    let entry = Some(Entry { minted: true, ..Entry::new(held[0].event.clone(), to(&["worker"])) });
    let release = Release { user: user(), id: held[0].event.id.clone(), entry, audit: Vec::new() };
    let receipt = bus.commit(Command::Release(Box::new(release))).await?;
    holds(receipt.appended[0].parked, "at its limit a tree's events are held", &receipt)?;
    let after = bus.held(&behind, 10).await?;
    let after: Vec<_> = after.into_iter().map(|one| (one.event, one.hold, one.number)).collect();
    same(after, before, "an event that its tree's lease still holds keeps its place before its key")?;
    let lease = present(bus.lease(&user(), &root).await?, "a tree with work has a ledger")?;
    same((lease.state, lease.parked), (LeaseState::Held, 2), "and is counted once")
}

pub(super) async fn the_kernels_own_events_draw_nothing<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let limits = Some(Box::new(Limits { events: 1, ..Limits::default() }));
    let delivery = delivered(&*bus, Entry { limits, ..job("ask") }).await?;
    let error = Entry { exempt: true, ..output(&delivery, 0, "error", to(&[])) };
    let receipt = bus.commit(dead(&delivery, vec![error])).await?;
    holds(!receipt.appended[0].parked, "the kernel's own events are never held", &receipt)?;
    let lease = present(bus.lease(&user(), &delivery.event.id).await?, "a tree with work has a ledger")?;
    same((lease.events, lease.state), (1, LeaseState::Active), "the kernel's own events draw nothing")
}
