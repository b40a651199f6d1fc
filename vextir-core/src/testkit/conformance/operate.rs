//! The operator's commands: cancel, redrive, discard.

use super::BusUnderTest;
use super::tools::*;
use crate::bus::{Command, Entry, EventBus, Hold, NewDelivery, Place};
use crate::{AuditRecord, Data, Decision, ErrorKind, EventFilter, LeaseState, Limits, Timestamp};
use std::sync::Arc;

fn far() -> Timestamp {
    Timestamp::from_micros(4_000_000_000_000_000)
}

pub(super) async fn cancel_drops_what_waits<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let other = delivered(&*bus, job("other")).await?;
    let delivery = delivered(&*bus, Entry::new(event("ask"), to(&["one", "two"]))).await?;
    let mut later = output(&delivery, 0, "later", Place::Parked(Hold::Delayed, None));
    later.event.edit().deliver_at = Some(far());
    let outputs = vec![
        later,
        output(&delivery, 1, "held", Place::Parked(Hold::Approval, None)),
        output(&delivery, 2, "next", to(&["one"])),
        output(&delivery, 3, "raw", Place::Unrouted),
    ];
    bus.commit(done(&delivery, outputs)).await?;
    let root = delivery.event.id.clone();
    let cancel = || Command::Cancel { user: user(), root: root.clone(), audit: Vec::new() };
    let receipt = bus.commit(cancel()).await?;
    same(receipt.touched, 5, "cancel counts what it drops: two deliveries, one unrouted, two parked")?;
    let lease = present(bus.lease(&user(), &root).await?, "a tombstone stays")?;
    same(
        (lease.state, lease.open, lease.parked),
        (LeaseState::Cancelled, 0, 0),
        "nothing of a cancelled tree is open",
    )?;
    same(bus.pending(0, 10).await?, vec![other], "cancel leaves other trees alone")?;
    same(bus.unrouted(10).await?, vec![], "cancel drops what waits to be routed")?;
    for hold in [Hold::Delayed, Hold::Approval] {
        same(bus.parked(hold, 10).await?, vec![], "cancel drops what is parked")?;
    }
    let (status, chores) = (*bus.status().borrow(), *bus.chores().borrow());
    same((status.open, chores.unrouted, chores.next_due), (1, 0, None), "status and chores follow a cancel")?;
    let extend =
        Command::Extend { user: user(), root: root.clone(), limits: Limits::default(), audit: Vec::new() };
    refused(bus.commit(extend).await, ErrorKind::Cancelled, "a cancelled tree is not extended")?;
    let unknown = Command::Cancel { user: user(), root: id("nothing"), audit: Vec::new() };
    refused(bus.commit(unknown).await, ErrorKind::NotFound, "a tree that is not there is not cancelled")?;
    same(bus.commit(cancel()).await?.touched, 0, "a second cancel finds nothing")
}

pub(super) async fn an_operators_act_is_audited_with_it<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let delivery = delivered(&*bus, job("ask")).await?;
    let root = delivery.event.id.clone();
    let audit = |act: &'static str| {
        vec![AuditRecord::about(&delivery.event, act, Decision::new("operator", "asked for"))]
    };
    let extend = |root, act| {
        let limits = Limits::default();
        Command::Extend { user: user(), root, limits, audit: audit(act) }
    };
    let cancel = |root, act| Command::Cancel { user: user(), root, audit: audit(act) };
    bus.commit(extend(root.clone(), "extend")).await?;
    bus.commit(cancel(root.clone(), "cancel")).await?;
    let unknown = id("nothing");
    let late = bus.commit(extend(root, "extend late")).await;
    refused(late, ErrorKind::Cancelled, "a cancelled tree is not extended")?;
    for command in [extend(unknown.clone(), "extend nothing"), cancel(unknown, "cancel nothing")] {
        refused(bus.commit(command).await, ErrorKind::NotFound, "a tree that is not there has no limits")?;
    }
    let acts: Vec<String> = bus.audit(0, 10).await?.iter().map(|(_, one)| one.act.to_string()).collect();
    let expected = ["extend", "cancel"].map(String::from).to_vec();
    same(acts, expected, "an act of the operator and its audit are one, and a refused one leaves neither")
}

pub(super) async fn a_settlement_after_cancel_drops_its_outputs<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    for outcome in ["done", "retry", "dead"] {
        let delivery = delivered(&*bus, job("ask")).await?;
        let root = delivery.event.id.clone();
        bus.commit(Command::Cancel { user: user(), root: root.clone(), audit: Vec::new() }).await?;
        let before = log(&*bus).await?.len();
        let outputs = vec![output(&delivery, 0, "late", to(&["worker"]))];
        let command = match outcome {
            "done" => done(&delivery, outputs),
            "retry" => retry(&delivery, far()),
            _ => dead(&delivery, outputs),
        };
        let Command::Settle(mut settlement) = command else { return Ok(()) };
        Arc::make_mut(&mut settlement).usage = vec![("tokens".into(), 60)];
        Arc::make_mut(&mut settlement).audit =
            vec![AuditRecord::about(&delivery.event, "deny", Decision::new("policy", outcome))];
        let receipt = bus.commit(Command::Settle(settlement)).await?;
        holds(receipt.dropped, "a settlement after a cancel says that it was dropped", outcome)?;
        same(log(&*bus).await?.len(), before, "a settlement after a cancel drops its outputs")?;
        same(bus.pending(0, 10).await?, vec![], "a settlement after a cancel leaves nothing open")?;
        same(bus.dead_letters(0, 10).await?, vec![], "a settlement after a cancel is no dead letter")?;
        let lease = present(bus.lease(&user(), &root).await?, "a tombstone stays")?;
        same(lease.units.get("tokens").copied(), Some(60), "what was used is counted after a cancel too")?;
        let audited = bus.audit(0, 10).await?;
        let last = audited.last().map(|(_, record)| record.decision.reason.clone());
        same(last.as_deref(), Some(outcome), "the audit is written after a cancel too")?;
    }
    Ok(())
}

/// Three dead letters; their positions.
async fn letters(bus: &dyn EventBus) -> Result<Vec<u64>, Broken> {
    let mut positions = Vec::new();
    for _ in 0..3 {
        let delivery = delivered(bus, job("ask")).await?;
        bus.commit(dead(&delivery, vec![])).await?;
        positions.push(delivery.position);
    }
    Ok(positions)
}

pub(super) async fn redrive_makes_new_deliveries_at_the_tail<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    bus.attach().await?;
    let mut positions = letters(&*bus).await?;
    let obligations = Some(Data::from(serde_json::json!({"model": "small"})));
    let place = Place::Routed(vec![NewDelivery { obligations, ..NewDelivery::to("worker") }]);
    let limited = delivered(&*bus, Entry::new(event("ask"), place)).await?;
    bus.commit(dead(&limited, vec![])).await?;
    positions.push(limited.position);
    let waits = delivered(&*bus, job("waits")).await?;
    soon(bus.receive(10), "deliveries are received").await??;
    let letter = bus.dead_letters(0, 1).await?.remove(0);
    let receipt = bus.commit(redrive(vec![positions[0], positions[3], 999, positions[0]])).await?;
    same(receipt.touched, 2, "redrive counts the letters that it finds")?;
    same(receipt.taken, vec![positions[0], positions[3]], "redrive says which letters it took, each once")?;
    let pending = bus.pending(0, 10).await?;
    same(pending.len(), 3, "a redriven letter is a delivery again")?;
    let again = &pending[1];
    holds(again.position > waits.position, "redrive joins at the tail", &pending)?;
    same(
        (&again.event, again.sequence, again.attempt, again.driver.as_str()),
        (&letter.event, letter.sequence, 0, "worker"),
        "a redriven delivery begins anew",
    )?;
    same(&pending[2].obligations, &limited.obligations, "what a policy demanded is not forgotten")?;
    let received = soon(bus.receive(10), "redriven deliveries are received").await??;
    same(received, pending[1..].to_vec(), "redriven deliveries are received")?;
    let left: Vec<u64> = bus.dead_letters(0, 10).await?.iter().map(|letter| letter.position).collect();
    same(left, positions[1..3].to_vec(), "a redriven letter is a letter no more")?;
    let lease = present(bus.lease(&user(), &again.event.id).await?, "a tree with work has a ledger")?;
    same((lease.open, lease.events), (1, 1), "redrive opens the delivery in the ledger, and draws nothing")?;
    let twice = bus.commit(redrive(positions[..1].to_vec())).await?;
    same((twice.touched, twice.taken), (0, vec![]), "redriven once")?;
    let acts: Vec<String> = bus.audit(0, 10).await?.iter().map(|(_, one)| one.act.to_string()).collect();
    same(acts, vec!["redrive".to_owned(); 2], "what was redriven is audited, what was not there is not")
}

pub(super) async fn a_letter_of_a_cancelled_tree_is_not_redriven<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let positions = letters(&*bus).await?;
    let root = bus.dead_letters(0, 1).await?.remove(0).event.id.clone();
    bus.commit(Command::Cancel { user: user(), root, audit: Vec::new() }).await?;
    let receipt = bus.commit(redrive(positions.clone())).await?;
    same(receipt.taken, positions[1..].to_vec(), "a letter of a cancelled tree is not redriven")?;
    let left: Vec<u64> = bus.dead_letters(0, 10).await?.iter().map(|letter| letter.position).collect();
    same(left, positions[..1].to_vec(), "a letter of a cancelled tree stays")?;
    let receipt = bus.commit(discard(positions.clone())).await?;
    same(receipt.taken, positions[..1].to_vec(), "a letter of a cancelled tree can be discarded")
}

pub(super) async fn a_letter_keeps_the_ledger_of_its_tree<S: BusUnderTest>(subject: S) -> Outcome {
    let Some(subject) = subject.forgetful().await else { return Ok(()) };
    let bus = subject.bus();
    let mut limited = job("ask");
    limited.limits = Some(Box::new(Limits { events: 7, ..Limits::default() }));
    let delivery = delivered(&*bus, limited).await?;
    bus.commit(dead(&delivery, vec![output(&delivery, 0, "error", to(&[]))])).await?;
    let root = delivery.event.id.clone();
    let before = present(bus.lease(&user(), &root).await?, "a tree with work has a ledger")?;
    let text = "x".repeat(4_000);
    for round in 0..20 {
        while round == 0 && bus.read(2, &EventFilter::all(), 1).await.is_ok() {
            let big = Entry::new(event("big").with_data(serde_json::json!(text)), to(&[]));
            append(&*bus, vec![big; 50]).await?;
        }
        append(&*bus, vec![Entry::new(event("small"), to(&[])); 50]).await?;
    }
    same(bus.lease(&user(), &root).await?, Some(before), "retention leaves the ledger of a letter's tree")?;
    bus.commit(redrive(vec![delivery.position])).await?;
    let lease = present(bus.lease(&user(), &root).await?, "a tree with work has a ledger")?;
    same((lease.limits.events, lease.events, lease.open), (7, 2, 1), "with its limits and draws")
}

pub(super) async fn discarded_letters_are_forgotten<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let positions = letters(&*bus).await?;
    let receipt = bus.commit(discard(vec![positions[1], 999, positions[1]])).await?;
    same(receipt.touched, 1, "discard counts the letters that it finds")?;
    same(receipt.taken, vec![positions[1]], "discard says which letters it took, each once")?;
    let left: Vec<u64> = bus.dead_letters(0, 10).await?.iter().map(|letter| letter.position).collect();
    same(left, vec![positions[0], positions[2]], "a discarded letter is gone, the others stay")?;
    same(bus.pending(0, 10).await?, vec![], "discard makes no delivery")?;
    let acts: Vec<String> = bus.audit(0, 10).await?.iter().map(|(_, one)| one.act.to_string()).collect();
    same(acts, vec!["discard".to_owned()], "what was discarded is audited, what was not there is not")
}
