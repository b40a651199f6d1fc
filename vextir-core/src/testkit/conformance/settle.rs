//! The end of a delivery: everything that it caused, in one commit, once.

use super::BusUnderTest;
use super::tools::*;
use crate::bus::{Command, Delivery, Entry, Outcome as Ending, Settlement};
use crate::context::Intent;
use crate::{AuditRecord, Change, Decision, ErrorKind, Event, EventId};
use std::sync::Arc;

pub(super) async fn success_is_one_commit<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    bus.attach().await?;
    let delivery = delivered(&*bus, job("ask")).await?;
    soon(bus.receive(10), "a delivery is received").await??;
    let outputs =
        vec![output(&delivery, 0, "answer", to(&["reader"])), output(&delivery, 1, "note", to(&[]))];
    let ids: Vec<EventId> = outputs.iter().map(|entry| entry.event.id.clone()).collect();
    let Command::Settle(mut settlement) = done(&delivery, outputs) else { return Ok(()) };
    Arc::make_mut(&mut settlement).usage = vec![("tokens".into(), 60)];
    Arc::make_mut(&mut settlement).audit =
        vec![AuditRecord::about(&delivery.event, "limit", Decision::new("policy", "because"))];
    let receipt = bus.commit(Command::Settle(settlement)).await?;
    let appended: Vec<EventId> = receipt.appended.iter().map(|appended| appended.id.clone()).collect();
    same(appended, ids.clone(), "the receipt tells where the outputs went")?;
    same(receipt.dropped, false, "nothing was dropped")?;
    same(types(&*bus).await?, vec!["ask".into(), "answer".into(), "note".into()], "outputs are in the log")?;
    let note = &log(&*bus).await?[2].event;
    same(&note.correlation_id, &Some(delivery.event.id.clone()), "an output keeps its cause")?;
    same((note.root(), note.depth), (&delivery.event.id, 1), "an output keeps its root and its depth")?;
    let pending = bus.pending(0, 10).await?;
    same(pending.len(), 1, "the delivery is acknowledged, those of its outputs are made")?;
    same(pending[0].driver.as_str(), "reader", "the deliveries of outputs are made")?;
    let received = soon(bus.receive(10), "the deliveries of outputs are received").await??;
    same(received, pending, "the deliveries of outputs are received")?;
    same(bus.audit(0, 10).await?.len(), 1, "the audit is written with it")?;
    let lease = present(bus.lease(&user(), &delivery.event.id).await?, "a tree with work has a ledger")?;
    same(lease.units.get("tokens").copied(), Some(60), "usage is written with it")?;
    let tree = present(receipt.tree, "a settlement tells of its tree")?;
    same((tree.open, tree.last), (1, 3), "the tree after the settlement")
}

pub(super) async fn a_refused_settlement_leaves_nothing<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let taken = event("taken").with_id(id("evt_1"));
    append(&*bus, vec![Entry::new(taken, to(&[]))]).await?;
    let delivery = delivered(&*bus, job("ask")).await?;
    let mut clash = output(&delivery, 1, "other", to(&[]));
    clash.minted = false;
    clash.event.edit().id = id("evt_1");
    let outputs = vec![output(&delivery, 0, "answer", to(&["reader"])), clash];
    let Command::Settle(mut settlement) = done(&delivery, outputs) else { return Ok(()) };
    Arc::make_mut(&mut settlement).usage = vec![("tokens".into(), 60)];
    let answer = bus.commit(Command::Settle(settlement)).await;
    refused(answer, ErrorKind::Conflict, "an output under an id in use with other content is refused")?;
    let promise = "a refused settlement leaves nothing behind";
    same(types(&*bus).await?, vec!["taken".into(), "ask".into()], promise)?;
    same(bus.pending(0, 10).await?, vec![delivery.clone()], promise)?;
    let lease = present(bus.lease(&user(), &delivery.event.id).await?, "a tree with work has a ledger")?;
    same((lease.open, lease.events, lease.units.len()), (1, 1, 0), promise)?;
    bus.commit(done(&delivery, vec![output(&delivery, 0, "answer", to(&[]))])).await?;
    same(types(&*bus).await?.len(), 3, "what was refused can be settled otherwise")
}

pub(super) async fn changes_of_documents_land_with_their_settlement<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let impossible = Change { expected: Some(99), ..Change::new("/notes", Intent::Append("one".into())) };
    let possible = Change::new("/notes", Intent::Append("one".into()));
    for change in [impossible, possible] {
        let (before, delivery) = (types(&*bus).await?.len(), delivered(&*bus, job("ask")).await?);
        let outputs = vec![output(&delivery, 0, "answer", to(&[]))];
        let mut settlement =
            Settlement::of(&delivery, Ending::Done { outputs, changes: vec![change.clone()] });
        settlement.usage = vec![("tokens".into(), 60)];
        let answer = bus.commit(settlement.into()).await;
        let lease = present(bus.lease(&user(), &delivery.event.id).await?, "a tree with work has a ledger")?;
        let (after, pending) = (types(&*bus).await?.len() - before, bus.pending(0, 10).await?);
        let seen = (after, pending.contains(&delivery), lease.open, lease.units.len());
        match answer {
            Ok(_) => same(seen, (2, false, 0, 1), "what is settled with changes is settled whole")?,
            Err(_) => {
                same(seen, (1, true, 1, 0), "a settlement whose changes are refused leaves nothing behind")?
            }
        }
        holds(
            change.expected.is_none() || pending.len() == 1,
            "a change that does not fit is refused",
            seen,
        )?;
    }
    Ok(())
}

pub(super) async fn changes_of_an_eager_handler_land_with_its_event<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let ask = event("ask").with_id(EventId::from_uuid_bytes([0x43; 16]));
    let delivery = eager_delivery(&ask);
    let changes = vec![Change::new("/notes", Intent::Append("one".into()))];
    let eager = vec![Settlement::of(&delivery, Ending::Done { outputs: Vec::new(), changes })];
    let entry = Entry { eager, minted: true, ..Entry::new(ask, to(&["quick"])) };
    let stored = usize::from(bus.commit(Command::append(vec![entry])).await.is_ok());
    same(log(&*bus).await?.len(), stored, "an event whose eager handler's changes are refused is refused")?;
    same(bus.pending(0, 10).await?, vec![], "with its deliveries")
}

pub(super) async fn a_delivery_is_settled_once<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let delivery = delivered(&*bus, job("ask")).await?;
    let outputs = || vec![output(&delivery, 0, "answer", to(&["reader"]))];
    bus.commit(done(&delivery, outputs())).await?;
    let promise = "a settlement of what is not open is stale";
    refused(bus.commit(done(&delivery, outputs())).await, ErrorKind::Stale, promise)?;
    refused(bus.commit(dead(&delivery, outputs())).await, ErrorKind::Stale, promise)?;
    let promise = "a stale settlement changes nothing";
    same(types(&*bus).await?, vec!["ask".into(), "answer".into()], promise)?;
    same(bus.pending(0, 10).await?.len(), 1, promise)?;
    same(bus.dead_letters(0, 10).await?, vec![], promise)?;
    let lease = present(bus.lease(&user(), &delivery.event.id).await?, "a tree with work has a ledger")?;
    same((lease.open, lease.events), (1, 2), promise)
}

pub(super) async fn a_dead_delivery_is_a_letter<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let first = delivered(&*bus, job("ask")).await?;
    let second = delivered(&*bus, job("ask")).await?;
    let error = Entry { exempt: true, ..output(&first, u32::MAX, "error", to(&[])) };
    let receipt = bus.commit(dead(&first, vec![error])).await?;
    same(receipt.tree.map(|tree| tree.open), Some(0), "a dead delivery is not open")?;
    bus.commit(dead(&second, vec![])).await?;
    let letters = bus.dead_letters(0, 10).await?;
    let positions: Vec<u64> = letters.iter().map(|letter| letter.position).collect();
    same(positions, vec![first.position, second.position], "dead letters are read in order")?;
    let letter = &letters[0];
    same(&letter.event, &first.event, "a letter keeps its event, whole")?;
    same(
        (letter.driver.as_str(), letter.sequence, letter.attempts, letter.reason.as_str()),
        ("worker", first.sequence, 1, "never"),
        "a letter says whose, how often and why",
    )?;
    holds(!letter.at.is_unset(), "a letter says when", letter)?;
    let rest = bus.dead_letters(first.position, 1).await?;
    same(rest.len(), 1, "letters are read after a position, up to a limit")?;
    same(types(&*bus).await?.last().map(String::as_str), Some("error"), "its error event is in the log")?;
    same(bus.pending(0, 10).await?, vec![], "a dead delivery is not pending")
}

pub(super) async fn an_output_known_by_its_own_id_is_not_doubled<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    for _ in 0..2 {
        let delivery = delivered(&*bus, job("fetch")).await?;
        let mut mail = output(&delivery, 0, "mail", to(&["reader"]));
        mail.minted = false;
        mail.event.edit().id = id("msg-1");
        let fresh = output(&delivery, 1, "fetched", to(&[]));
        bus.commit(done(&delivery, vec![mail, fresh])).await?;
    }
    let count = |log: &[String], kind: &str| log.iter().filter(|one| *one == kind).count();
    let log = types(&*bus).await?;
    same(count(&log, "mail"), 1, "an output under an own id that is stored already is stored once")?;
    same(count(&log, "fetched"), 2, "the other outputs are stored")?;
    same(bus.pending(0, 10).await?.len(), 1, "and delivered once")
}

/// The delivery of an event that is not stored yet.
fn eager_delivery(event: &Event) -> Delivery {
    Delivery { logged_at: event.timestamp, ..Delivery::new("quick".into(), event.clone()) }
}

pub(super) async fn eager_settlements_land_with_their_event<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    bus.attach().await?;
    let own = EventId::from_uuid_bytes([0x42; 16]);
    let ask = event("ask").with_id(own.clone());
    let delivery = eager_delivery(&ask);
    let outputs = vec![output(&delivery, 0, "answer", to(&["reader"]))];
    let outcome = Ending::Done { outputs, changes: Vec::new() };
    let eager = vec![Settlement::of(&delivery, outcome)];
    let entry = Entry { eager, minted: true, ..Entry::new(ask, to(&["quick", "slow"])) };
    let receipt = append(&*bus, vec![entry]).await?;
    same(
        (receipt.appended.len(), receipt.outputs.len()),
        (1, 1),
        "a receipt tells entries and outputs apart",
    )?;
    same(types(&*bus).await?, vec!["ask".into(), "answer".into()], "event and answer land together")?;
    let drivers: Vec<String> =
        bus.pending(0, 10).await?.iter().map(|delivery| delivery.driver.to_string()).collect();
    same(drivers, vec!["slow".into(), "reader".into()], "what was handled eagerly is not delivered")?;
    let received = soon(bus.receive(10), "the other deliveries are received").await??;
    same(received, bus.pending(0, 10).await?, "what was handled eagerly is not received")?;
    let lease = present(bus.lease(&user(), &own).await?, "a tree with work has a ledger")?;
    same((lease.events, lease.open), (2, 2), "an eager tree is counted like any other")
}
