//! Deliveries: made in order, handed out once, kept until they are settled.

use super::BusUnderTest;
use super::tools::*;
use crate::bus::{Command, Entry, Hold, KnownDriver, NewDelivery, Place, Release, Route};
use crate::{Data, Decision, ErrorKind, LeaseState, Limits, Name, Timestamp};

pub(super) async fn deliveries_are_received_once_and_in_order<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    bus.attach().await?;
    let waiting = bus.clone();
    let waits = tokio::spawn(async move { waiting.receive(10).await });
    tokio::task::yield_now().await;
    append(&*bus, vec![Entry::new(event("a"), to(&["one", "two"]))]).await?;
    let lost = |error| broken("receive does not panic", format!("{error}"));
    let mut seen = soon(waits, "receive is woken by a commit").await?.map_err(lost)??;
    for _ in 0..50 {
        append(&*bus, vec![Entry::new(event("a"), to(&["one", "two"])), job("b")]).await?;
    }
    while seen.len() < 152 {
        let some = soon(bus.receive(7), "every delivery is received").await??;
        holds((1..=7).contains(&some.len()), "receive gives at least one and at most `max`", some.len())?;
        seen.extend(some);
    }
    let positions: Vec<u64> = seen.iter().map(|delivery| delivery.position).collect();
    let growing = positions.windows(2).all(|pair| pair[0] < pair[1]);
    holds(growing, "positions grow, and each delivery comes once", &positions)?;
    same(seen[0].driver.as_str(), "one", "the deliveries of an event come in the order of its drivers")?;
    same(&bus.pending(0, 1_000).await?, &seen, "what is received is what is pending")?;
    let more = tokio::time::timeout(std::time::Duration::from_millis(50), bus.receive(10)).await;
    holds(more.is_err(), "receive waits when everything was handed out", more)?;
    bus.detach().await?;
    refused(bus.receive(1).await, ErrorKind::Closed, "receive is closed after detach")
}

pub(super) async fn what_was_made_before_attach_is_pending<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    append(&*bus, vec![job("before"), job("before")]).await?;
    bus.attach().await?;
    append(&*bus, vec![job("after")]).await?;
    let received = soon(bus.receive(10), "a delivery made since attach is received").await??;
    same(received.len(), 1, "receive leaves out what was made before attach")?;
    same(received[0].event.event_type.as_str(), "after", "receive hands out what was made since attach")?;
    let pending = bus.pending(0, 10).await?;
    same(pending.len(), 3, "all open deliveries are pending")?;
    let rest = bus.pending(pending[0].position, 1).await?;
    same(rest, vec![pending[1].clone()], "they are read after a position, up to a limit")?;
    bus.detach().await?;
    bus.attach().await?;
    append(&*bus, vec![job("anew")]).await?;
    let received = soon(bus.receive(10), "a delivery made since attach is received").await??;
    same(received.len(), 1, "what an earlier processor did not fetch is not handed out to the next")
}

fn route(logged: &crate::bus::Logged, place: Place, waiting: bool) -> Command {
    Command::Route(Box::new(Route {
        sequence: logged.sequence,
        event: logged.event.clone(),
        place,
        audit: Vec::new(),
        limits: Some(Box::new(Limits { events: 7, ..Limits::default() })),
        waiting,
        checkpoint: None,
    }))
}

pub(super) async fn unrouted_events_are_routed_once<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let raw = || Entry::new(event("raw"), Place::Unrouted);
    append(&*bus, vec![raw(), raw(), raw()]).await?;
    let waiting = bus.unrouted(2).await?;
    same(waiting.iter().map(|one| one.sequence).collect(), vec![1, 2], "unrouted events, in order")?;
    same(bus.pending(0, 10).await?, vec![], "an unrouted event has no delivery")?;
    let receipt = bus.commit(route(&waiting[0], to(&["one", "two"]), true)).await?;
    same(receipt.tree.map(|tree| (tree.open, tree.state)), Some((2, LeaseState::Active)), "a tree")?;
    let pending = bus.pending(0, 10).await?;
    same(pending.iter().map(|one| one.sequence).collect(), vec![1, 1], "routing makes the deliveries")?;
    same(&pending[0].event, &waiting[0].event, "with the event")?;
    let lease = present(bus.lease(&user(), &waiting[0].event.id).await?, "routing opens a ledger")?;
    same((lease.limits.events, lease.events, lease.first), (7, 1, 1), "with its limits and its first event")?;
    refused(bus.commit(route(&waiting[0], to(&["one"]), true)).await, ErrorKind::Stale, "routed once")?;
    bus.commit(route(&waiting[1], to(&[]), true)).await?;
    same(bus.unrouted(10).await?.len(), 1, "an event without takers is routed too")?;
    same(bus.lease(&user(), &waiting[1].event.id).await?, None, "a root without work has no ledger")?;
    bus.commit(route(&waiting[0], to(&["late"]), false)).await?;
    same(bus.pending(0, 10).await?.len(), 3, "a driver that comes later gets events of the log")
}

pub(super) async fn a_delivery_keeps_its_failed_attempts<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let obligations = Some(Data::from(serde_json::json!({"model": "small"})));
    let place = Place::Routed(vec![NewDelivery { obligations, ..NewDelivery::to("worker") }]);
    let delivery = delivered(&*bus, Entry::new(event("job"), place)).await?;
    same((delivery.attempt, delivery.due, delivery.error.as_deref()), (0, None, None), "a new delivery")?;
    same(
        delivery.obligations.as_ref().map(Data::value),
        Some(serde_json::json!({"model": "small"})),
        "a delivery keeps its obligations",
    )?;
    let at = Timestamp::from_micros(4_000_000_000_000_000);
    let receipt = bus.commit(retry(&delivery, at)).await?;
    same(receipt.tree.map(|tree| tree.open), Some(1), "a retry leaves the delivery open")?;
    let again = bus.pending(0, 10).await?.remove(0);
    same(
        (again.position, again.attempt, again.due, again.error.as_deref()),
        (delivery.position, 1, Some(at), Some("not yet")),
        "a failed attempt keeps its number, its next time and its error",
    )?;
    bus.commit(done(&again, vec![])).await?;
    same(bus.pending(0, 10).await?, vec![], "a settled delivery is gone")?;
    refused(bus.commit(retry(&again, at)).await, ErrorKind::Stale, "a settled delivery is not retried")
}

pub(super) async fn a_reclaim_is_counted<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    append(&*bus, vec![job("a"), job("b")]).await?;
    let first = bus.pending(0, 1).await?.remove(0).position;
    let reclaim = |positions| Command::Reclaim { positions, alone: None };
    let receipt = bus.commit(reclaim(vec![first, 999])).await?;
    same(receipt.touched, 1, "a reclaim counts the deliveries that it finds")?;
    bus.commit(reclaim(vec![first])).await?;
    let counts: Vec<u32> = bus.pending(0, 10).await?.iter().map(|one| one.reclaims).collect();
    same(counts, vec![2, 0], "a reclaim is counted on its delivery alone")
}

pub(super) async fn drivers_are_known<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let know = |id: &'static str, version: &str| Command::Know(Name::literal(id), version.to_owned());
    for (id, version) in [("beta", "1.0.0"), ("alpha", "1.0.0"), ("beta", "2.0.0")] {
        bus.commit(know(id, version)).await?;
    }
    let mut drivers = bus.attach().await?.drivers;
    drivers.sort_by(|one, other| one.id.cmp(&other.id));
    let known =
        |id: &'static str, version: &str| KnownDriver { id: Name::literal(id), version: version.into() };
    same(drivers, vec![known("alpha", "1.0.0"), known("beta", "2.0.0")], "attach tells the known drivers")
}

pub(super) async fn a_logged_event_that_is_held_keeps_its_place<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    append(&*bus, vec![Entry::new(event("raw"), Place::Unrouted), job("after")]).await?;
    let logged = bus.unrouted(1).await?.remove(0);
    let decision = Some(Decision::new("policy", "ask first"));
    bus.commit(route(&logged, Place::Parked(Hold::Approval, decision), true)).await?;
    let parked = bus.parked(Hold::Approval, 10).await?;
    same(parked.len(), 1, "a logged event can be held when it is routed")?;
    same(bus.pending(0, 10).await?.len(), 1, "a held event has no delivery")?;
    let (user, id) = (user(), logged.event.id.clone());
    let entry = Some(Entry { minted: true, ..Entry::new(logged.event.clone(), to(&["worker"])) });
    let release = Release { user: user.clone(), id: id.clone(), entry, audit: Vec::new() };
    bus.commit(Command::Release(Box::new(release))).await?;
    same(log(&*bus).await?.len(), 2, "an event that was logged already is not logged again")?;
    let pending = bus.pending(0, 10).await?;
    same(pending[1].sequence, logged.sequence, "its deliveries name its place in the log")?;
    let lease = present(bus.lease(&user, &id).await?, "a tree with work has a ledger")?;
    same((lease.events, lease.open, lease.parked), (1, 1, 0), "and it draws once")
}
