//! Deliveries whose driver is not registered.

use super::BusUnderTest;
use super::tools::*;
use crate::bus::{Command, Delivery, Entry, EventBus};
use crate::{ErrorKind, EventFilter, Name, Timestamp};

fn gone() -> Name {
    Name::literal("gone")
}

/// An open delivery of the driver that is gone, tried once before.
async fn orphan(bus: &dyn EventBus) -> Result<Delivery, Broken> {
    let made = delivered(bus, Entry::new(event("ask"), to(&["gone"]))).await?;
    bus.commit(retry(&made, Timestamp::from_micros(4_000_000_000_000_000))).await?;
    let found = bus.pending(made.position - 1, 1).await?.pop();
    present(found, "a delivery that is tried again is open")
}

async fn unclaim(bus: &dyn EventBus, deliveries: &[&Delivery]) -> Result<usize, Broken> {
    let positions = deliveries.iter().map(|one| one.position).chain([999]).collect();
    Ok(bus.commit(Command::Unclaim(positions)).await?.touched)
}

async fn counts(bus: &dyn EventBus, of: &Delivery) -> Result<(u64, u64), Broken> {
    let lease = bus.lease(&user(), of.event.root()).await?;
    let lease = present(lease, "a tree with a delivery has a ledger")?;
    Ok((lease.open, lease.parked))
}

pub(super) async fn what_is_unclaimed_is_no_backlog<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let (one, two) = (orphan(&*bus).await?, orphan(&*bus).await?);
    let other = delivered(&*bus, job("ask")).await?;
    same(unclaim(&*bus, &[&one, &two]).await?, 2, "it is said how many were there")?;
    same(bus.pending(0, 10).await?, vec![other.clone()], "what is unclaimed is not pending")?;
    same(bus.status().borrow().open, 1, "what is unclaimed does not count as open")?;
    let counted: Vec<_> = bus.unclaimed().await?.into_iter().collect();
    same(counted, vec![(gone(), 2)], "what is unclaimed is counted by driver")?;
    same(bus.unclaimed_of(&gone(), 0, 10).await?, vec![one.clone(), two.clone()], "and listed in order")?;
    let rest = bus.unclaimed_of(&gone(), one.position, 1).await?;
    same(rest, vec![two], "after a position, up to a limit")?;
    same(bus.unclaimed_of(&user(), 0, 10).await?, vec![], "each driver apart")?;
    same(counts(&*bus, &one).await?, (0, 1), "in its tree it waits")?;
    refused(bus.commit(done(&one, vec![])).await, ErrorKind::Stale, "what is unclaimed is not settled")?;
    same(unclaim(&*bus, &[&one]).await?, 0, "set aside once")
}

pub(super) async fn a_claimed_delivery_is_as_it_was<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let one = orphan(&*bus).await?;
    let after = delivered(&*bus, job("ask")).await?;
    unclaim(&*bus, &[&one]).await?;
    let receipt = bus.commit(Command::Claim(vec![one.position, after.position, 999])).await?;
    same(receipt.touched, 1, "it is said how many were set aside")?;
    same(bus.pending(0, 10).await?, vec![one.clone(), after], "a claimed delivery has its old place")?;
    same(bus.unclaimed().await?.len(), 0, "and is not set aside any more")?;
    same(bus.status().borrow().open, 2, "it counts as open again")?;
    same(counts(&*bus, &one).await?, (1, 0), "also in its tree")?;
    bus.commit(done(&one, vec![])).await?;
    same(counts(&*bus, &one).await?, (0, 0), "a claimed delivery is settled as any other")
}

pub(super) async fn what_is_unclaimed_can_be_dropped<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let (one, two) = (orphan(&*bus).await?, orphan(&*bus).await?);
    unclaim(&*bus, &[&one, &two]).await?;
    same(bus.commit(discard(vec![one.position, 999])).await?.touched, 1, "discard counts what it finds")?;
    same(counts(&*bus, &one).await?, (0, 0), "what is discarded does not wait")?;
    let audit = bus.audit(0, 10).await?;
    let audited: Vec<_> = audit.iter().map(|(_, one)| (one.act.as_str(), one.event.clone())).collect();
    same(audited, vec![("discard", one.event.id.clone())], "a discard is audited")?;
    let cancel = Command::Cancel { user: user(), root: two.event.id.clone(), audit: Vec::new() };
    same(bus.commit(cancel).await?.touched, 1, "cancel drops what is unclaimed too")?;
    same(bus.unclaimed().await?.len(), 0, "nothing is left")?;
    let claim = Command::Claim(vec![one.position, two.position]);
    same(bus.commit(claim).await?.touched, 0, "what was dropped does not come back")
}

pub(super) async fn what_is_unclaimed_is_bounded<S: BusUnderTest>(subject: S) -> Outcome {
    let Some(subject) = subject.with_backlog(2).await else { return Ok(()) };
    let bus = subject.bus();
    let (one, two) = (orphan(&*bus).await?, orphan(&*bus).await?);
    unclaim(&*bus, &[&one, &two]).await?;
    let three = orphan(&*bus).await?;
    same(unclaim(&*bus, &[&three]).await?, 1, "one more than the limit")?;
    same(bus.unclaimed().await?.get("gone").copied(), Some(2), "no more wait than the limit says")?;
    same(bus.status().borrow().open, 0, "and the backlog is free")?;
    let letters = bus.dead_letters(0, 10).await?;
    let places: Vec<u64> = letters.iter().map(|letter| letter.position).collect();
    same(places, vec![three.position], "what is too much is a dead letter")?;
    holds(letters[0].reason.contains("gone"), "which names the driver", &letters[0].reason)?;
    same(counts(&*bus, &three).await?, (0, 0), "and waits no more")
}

pub(super) async fn what_is_unclaimed_survives<S: BusUnderTest>(subject: S) -> Outcome {
    if let Some(forgetful) = subject.forgetful().await {
        let bus = forgetful.bus();
        let one = orphan(&*bus).await?;
        unclaim(&*bus, &[&one]).await?;
        for _ in 0..400 {
            let big = event("big").with_data(serde_json::json!("x".repeat(4_000)));
            append(&*bus, vec![Entry::new(big, to(&[])); 50]).await?;
            if bus.read(0, &EventFilter::all(), 1).await.is_err() {
                break;
            }
        }
        same(bus.unclaimed_of(&gone(), 0, 10).await?, vec![one.clone()], "it outlives retention")?;
        same(counts(&*bus, &one).await?, (0, 1), "with its ledger")?;
    }
    let bus = subject.bus();
    let one = orphan(&*bus).await?;
    unclaim(&*bus, &[&one]).await?;
    drop(bus);
    let Some(subject) = subject.reopen().await else { return Ok(()) };
    let bus = subject.bus();
    same(bus.unclaimed_of(&gone(), 0, 10).await?, vec![one.clone()], "it outlives the process")?;
    bus.commit(Command::Claim(vec![one.position])).await?;
    same(bus.pending(0, 10).await?, vec![one], "and can be claimed")
}
