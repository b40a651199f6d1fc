//! One processor at a time, and what the next one finds.

use super::BusUnderTest;
use super::tools::*;
use crate::bus::{Append, Checkpoint, Command, Entry, Hold, Place};
use crate::{AuditRecord, Data, Decision, ErrorKind, EventFilter, Name};
use futures::FutureExt;

pub(super) async fn one_processor_at_a_time<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    bus.attach().await?;
    refused(bus.attach().await, ErrorKind::Locked, "a second processor is refused")?;
    refused(subject.bus().attach().await, ErrorKind::Locked, "on every handle")?;
    append(&*bus, vec![job("a")]).await?;
    same(soon(bus.receive(10), "a refused attach takes nothing away").await??.len(), 1, "nothing is taken")?;
    bus.detach().await?;
    bus.attach().await?;
    bus.detach().await?;
    Ok(())
}

pub(super) async fn an_orderly_stop_is_told_from_a_crash<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let first = bus.attach().await?;
    same((first.unclean, first.alone), (false, None), "a new bus is clean")?;
    bus.detach().await?;
    same(bus.attach().await?.unclean, false, "after detach the next processor finds an orderly stop")?;
    drop(bus);
    let Some(subject) = subject.reopen().await else { return Ok(()) };
    let bus = subject.bus();
    same(bus.attach().await?.unclean, true, "after a crash the next processor is told so")?;
    bus.detach().await?;
    drop(bus);
    let Some(subject) = subject.reopen().await else { return Ok(()) };
    same(subject.bus().attach().await?.unclean, false, "an orderly stop ends it")
}

pub(super) async fn an_abandoned_bus_is_free<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    bus.attach().await?;
    append(&*bus, vec![job("a")]).await?;
    same(soon(bus.receive(10), "a delivery is received").await??.len(), 1, "a delivery is received")?;
    // Polled once and then not for long: a dead processor that does not know it yet.
    let mut dead = bus.receive(10);
    holds(dead.as_mut().now_or_never().is_none(), "receive waits when everything was handed out", ())?;
    bus.abandon();
    same(bus.attach().await?.unclean, true, "an abandoned bus is free, and its next processor is told so")?;
    append(&*bus, vec![job("b")]).await?;
    let received = soon(bus.receive(10), "the next processor receives").await??;
    same(received.len(), 1, "the next processor receives what was made since it attached")?;
    same(bus.pending(0, 10).await?.len(), 2, "nothing is lost")?;
    refused(
        soon(dead, "who waited is told").await?,
        ErrorKind::Closed,
        "who waited gets nothing of the next",
    )?;
    bus.detach().await?;
    same(bus.attach().await?.unclean, false, "an orderly stop ends it")
}

pub(super) async fn what_ran_alone_is_remembered<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    bus.attach().await?;
    let suspect = delivered(&*bus, job("a")).await?.position;
    bus.commit(Command::Reclaim { positions: vec![suspect], alone: Some(suspect) }).await?;
    drop(bus);
    let Some(subject) = subject.reopen().await else { return Ok(()) };
    let bus = subject.bus();
    same(bus.attach().await?.alone, Some(suspect), "a crash leaves behind which delivery ran alone")?;
    same(bus.pending(0, 1).await?[0].reclaims, 1, "and how often it was reclaimed")?;
    bus.commit(Command::Reclaim { positions: Vec::new(), alone: None }).await?;
    drop(bus);
    let Some(subject) = subject.reopen().await else { return Ok(()) };
    same(subject.bus().attach().await?.alone, None, "until it is taken back")
}

/// Something of everything that a bus keeps.
async fn furnish(bus: &dyn crate::EventBus) -> Outcome {
    bus.attach().await?;
    let keyed = Entry { key: Some("order-7".into()), ..job("keyed") };
    let command = Append {
        entries: vec![keyed, job("dies"), job("fails"), Entry::new(event("raw"), Place::Unrouted)],
        checkpoints: vec![Checkpoint {
            driver: Name::literal("watcher"),
            key: "/a".into(),
            value: Some(Data::from(serde_json::json!(1))),
        }],
        audit: vec![AuditRecord::about(&event("noted"), "deny", Decision::new("policy", "because"))],
    };
    bus.commit(command.into()).await?;
    let held = Place::Parked(Hold::Approval, Some(Decision::new("policy", "ask first")));
    append(bus, vec![Entry::new(event("held"), held)]).await?;
    let open = bus.pending(0, 10).await?;
    bus.commit(dead(&open[1], vec![])).await?;
    bus.commit(retry(&open[2], crate::Timestamp::from_micros(9))).await?;
    bus.commit(Command::Know(Name::literal("worker"), "1.0.0".into())).await?;
    Ok(())
}

/// Everything that a bus shows, as text.
async fn portrait(bus: &dyn crate::EventBus) -> Result<Vec<String>, Broken> {
    let log = log(bus).await?;
    let mut all = vec![format!("{log:?}"), format!("{:?}", bus.pending(0, 100).await?)];
    all.push(format!("{:?}", bus.unrouted(100).await?));
    for hold in [Hold::Delayed, Hold::Approval, Hold::Lease, Hold::Key] {
        all.push(format!("{:?}", bus.parked(hold, 100).await?));
    }
    all.push(format!("{:?}", bus.dead_letters(0, 100).await?));
    all.push(format!("{:?}", bus.audit(0, 100).await?));
    all.push(format!("{:?}", bus.checkpoints(&Name::literal("watcher"), "", 100).await?));
    all.push(format!("{}", bus.incarnation()));
    all.push(format!("{:?} {:?}", *bus.status().borrow(), *bus.chores().borrow()));
    for logged in &log {
        all.push(format!("{:?}", bus.lease(&logged.event.user_id, &logged.event.id).await?));
    }
    Ok(all)
}

pub(super) async fn everything_survives_when_the_bus_is_durable<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    furnish(&*bus).await?;
    let before = portrait(&*bus).await?;
    drop(bus);
    let Some(subject) = subject.reopen().await else { return Ok(()) };
    let bus = subject.bus();
    let after = portrait(&*bus).await?;
    for (after, before) in after.into_iter().zip(before) {
        same(after, before, "what was committed survives the process")?;
    }
    let found = bus.attach().await?;
    same(found.drivers.len(), 1, "known drivers survive the process")?;
    append(&*bus, vec![job("next")]).await?;
    let last = bus.read(4, &EventFilter::all(), 10).await?.events;
    same(last.iter().map(|logged| logged.sequence).collect(), vec![5], "sequences go on where they were")?;
    let received = soon(bus.receive(10), "new deliveries are received").await??;
    same(received.len(), 1, "old deliveries are not received")?;
    let highest = bus.pending(0, 100).await?.last().map(|delivery| delivery.position);
    same(highest, Some(received[0].position), "positions go on where they were")?;
    let keyed = Entry { key: Some("order-7".into()), ..job("keyed") };
    let receipt = append(&*bus, vec![keyed]).await?;
    holds(!receipt.appended[0].fresh, "emitters' keys survive the process", receipt)
}
