//! What is reserved in the ledger of a causal tree: with a delivery, until it is over.

use super::BusUnderTest;
use super::tools::*;
use crate::bus::{Command, Delivery, Entry, EventBus, Hold, NewDelivery, Place, Release, Route};
use crate::{EventId, Lease, LeaseState, Limits, Name, Timestamp};
use std::sync::Arc;

const TOKENS: Name = Name::literal("tokens");

/// To the driver `worker`, for so many tokens.
fn for_tokens(tokens: u64) -> Place {
    let reserve = [(TOKENS, tokens)].into();
    Place::Routed(vec![NewDelivery { reserve, ..NewDelivery::to("worker") }])
}

/// The delivery of a root that reserves so many of the hundred tokens that its tree has.
async fn reserved(bus: &dyn EventBus, tokens: u64) -> Result<Delivery, Broken> {
    let limits = Limits { units: [(TOKENS, 100)].into(), ..Limits::default() };
    let limits = Some(Box::new(limits));
    delivered(bus, Entry { limits, ..Entry::new(event("ask"), for_tokens(tokens)) }).await
}

/// The same settlement with so many tokens used.
fn used(command: Command, tokens: u64) -> Command {
    let Command::Settle(mut settlement) = command else { return command };
    Arc::make_mut(&mut settlement).usage = vec![(TOKENS, tokens)];
    Command::Settle(settlement)
}

async fn ledger(bus: &dyn EventBus, root: &EventId) -> Result<Lease, Broken> {
    present(bus.lease(&user(), root).await?, "a tree with work has a ledger")
}

/// Checks how many tokens a tree has used, and how many are reserved.
#[track_caller]
fn tokens(lease: &Lease, expected: (u64, u64), promise: &'static str) -> Outcome {
    let of = |units: &std::collections::BTreeMap<Name, u64>| units.get(&TOKENS).copied().unwrap_or(0);
    same((of(&lease.units), of(&lease.reserved)), expected, promise)
}

/// The only open delivery, read from the bus as the next process would.
async fn only(bus: &dyn EventBus) -> Result<Delivery, Broken> {
    present(bus.pending(0, 10).await?.pop(), "a delivery is open")
}

pub(super) async fn a_reservation_counts_until_its_delivery_is_over<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let delivery = reserved(&*bus, 60).await?;
    let root = delivery.event.id.clone();
    same(delivery.reserve.get(&TOKENS).copied(), Some(60), "a delivery says what is reserved for it")?;
    tokens(&ledger(&*bus, &root).await?, (0, 60), "it is reserved with the delivery")?;
    bus.commit(used(retry(&delivery, Timestamp::UNSET), 5)).await?;
    tokens(&ledger(&*bus, &root).await?, (5, 60), "a retry keeps it")?;
    bus.commit(used(done(&only(&*bus).await?, vec![]), 20)).await?;
    let lease = ledger(&*bus, &root).await?;
    tokens(&lease, (25, 0), "what was used takes the place of what was reserved")?;
    holds(lease.reserved.is_empty(), "nothing is left of a reservation that was given back", &lease)
}

pub(super) async fn a_reservation_survives<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let delivery = reserved(&*bus, 60).await?;
    let another = reserved(&*bus, 40).await?;
    bus.commit(dead(&another, vec![])).await?;
    let root = delivery.event.id.clone();
    drop(bus);
    let Some(subject) = subject.reopen().await else { return Ok(()) };
    let bus = subject.bus();
    tokens(&ledger(&*bus, &root).await?, (0, 60), "a reservation outlives the process")?;
    bus.commit(used(done(&only(&*bus).await?, vec![]), 20)).await?;
    tokens(&ledger(&*bus, &root).await?, (20, 0), "and is given back by the next one")?;
    bus.commit(redrive(vec![another.position])).await?;
    tokens(&ledger(&*bus, &another.event.id).await?, (0, 40), "a letter knows what it reserves")
}

pub(super) async fn whatever_ends_a_delivery_gives_back<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let delivery = reserved(&*bus, 60).await?;
    let root = delivery.event.id.clone();
    bus.commit(used(dead(&delivery, vec![]), 5)).await?;
    tokens(&ledger(&*bus, &root).await?, (5, 0), "a dead letter gives back")?;
    bus.commit(redrive(vec![delivery.position])).await?;
    tokens(&ledger(&*bus, &root).await?, (5, 60), "a redrive reserves again")?;
    bus.commit(Command::Unclaim(vec![only(&*bus).await?.position])).await?;
    tokens(&ledger(&*bus, &root).await?, (5, 60), "what waits for its driver keeps what is reserved")?;
    let aside = bus.unclaimed_of(&"worker".into(), 0, 10).await?;
    bus.commit(discard(aside.iter().map(|one| one.position).collect())).await?;
    tokens(&ledger(&*bus, &root).await?, (5, 0), "what is discarded gives back")?;
    let delivery = reserved(&*bus, 60).await?;
    let root = delivery.event.id.clone();
    bus.commit(Command::Cancel { user: user(), root: root.clone(), audit: Vec::new() }).await?;
    tokens(&ledger(&*bus, &root).await?, (0, 0), "a cancelled tree reserves nothing")?;
    bus.commit(used(done(&delivery, vec![]), 20)).await?;
    tokens(&ledger(&*bus, &root).await?, (20, 0), "what was used is recorded after a cancel too")
}

pub(super) async fn a_tree_that_cannot_pay_is_held_until_it_can<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let root = reserved(&*bus, 100).await?;
    let tree = root.event.id.clone();
    let outputs = (0..3).map(|index| output(&root, index, "ask", for_tokens(45))).collect();
    let receipt = bus.commit(used(done(&root, outputs), 10)).await?;
    let parked: Vec<bool> = receipt.appended.iter().map(|appended| appended.parked).collect();
    same(parked, vec![false, false, true], "what a tree cannot pay is held")?;
    let notice = present(receipt.notices.first(), "a held tree says so")?;
    same(notice.data.value()["unit"].clone(), serde_json::json!("tokens"), "the notice names the unit")?;
    let lease = ledger(&*bus, &tree).await?;
    tokens(&lease, (10, 90), "what is held reserves nothing")?;
    same((lease.state, lease.open, lease.parked), (LeaseState::Held, 2, 1), "the tree is held")?;
    let [one, two] = <[Delivery; 2]>::try_from(bus.pending(0, 10).await?)
        .map_err(|other| broken("what can be paid is delivered", format!("{other:?}")))?;
    let quiet = vec![output(&one, 0, "note", to(&[]))];
    let receipt = bus.commit(used(done(&one, quiet), 40)).await?;
    holds(receipt.appended[0].parked && !receipt.resumed, "with too little room it stays held", &receipt)?;
    let receipt = bus.commit(used(done(&two, vec![]), 5)).await?;
    holds(receipt.resumed, "with room again it goes on by itself, and the receipt says so", &receipt)?;
    same(receipt.tree.map(|tree| tree.state), Some(LeaseState::Active), "with room again it goes on")?;
    for parked in bus.parked(Hold::Lease, 10).await? {
        let place = if parked.event.event_type == "ask" { for_tokens(45) } else { to(&[]) };
        let entry = Some(Entry { minted: true, ..Entry::new(parked.event.clone(), place) });
        let release = Release { user: user(), id: parked.event.id.clone(), entry, audit: Vec::new() };
        let receipt = bus.commit(Command::Release(Box::new(release))).await?;
        holds(!receipt.appended[0].parked, "what was held fits", &receipt)?;
    }
    tokens(&ledger(&*bus, &tree).await?, (55, 45), "what goes on reserves")
}

pub(super) async fn an_event_that_is_routed_later_reserves_then<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let limits = Some(Box::new(Limits { units: [(TOKENS, 100)].into(), ..Limits::default() }));
    let route_next = {
        let bus = bus.clone();
        async move |tokens: u64| {
            let logged = present(bus.unrouted(1).await?.pop(), "an unrouted event waits")?;
            let route = Route {
                sequence: logged.sequence,
                event: logged.event.clone(),
                place: for_tokens(tokens),
                audit: Vec::new(),
                limits: limits.clone(),
                waiting: true,
                checkpoint: None,
            };
            bus.commit(Command::Route(Box::new(route))).await?;
            Ok::<EventId, Broken>(logged.event.id.clone())
        }
    };
    append(&*bus, vec![Entry::new(event("ask"), Place::Unrouted)]).await?;
    let root = route_next(100).await?;
    tokens(&ledger(&*bus, &root).await?, (0, 100), "what fits is reserved")?;
    bus.commit(done(&only(&*bus).await?, vec![])).await?;
    append(&*bus, vec![Entry::new(event("ask"), Place::Unrouted)]).await?;
    let root = route_next(101).await?;
    let lease = ledger(&*bus, &root).await?;
    same((lease.state, lease.open, lease.parked), (LeaseState::Held, 0, 1), "what does not fit is held")?;
    let held = bus.parked(Hold::Lease, 10).await?;
    same(held.len(), 1, "what does not fit waits for its tree's lease")?;
    let limits = Limits { units: [(TOKENS, 101)].into(), ..Limits::default() };
    bus.commit(Command::Extend { user: user(), root: root.clone(), limits, audit: Vec::new() }).await?;
    let entry = Some(Entry { minted: true, ..Entry::new(held[0].event.clone(), for_tokens(101)) });
    let release = Release { user: user(), id: root.clone(), entry, audit: Vec::new() };
    bus.commit(Command::Release(Box::new(release))).await?;
    tokens(&ledger(&*bus, &root).await?, (0, 101), "an extended tree can pay")?;
    let delivery = only(&*bus).await?;
    bus.commit(done(&delivery, vec![])).await?;
    tokens(&ledger(&*bus, &root).await?, (0, 0), "and gives back")
}
