//! Many at once, and calls that nobody waits for.

use super::BusUnderTest;
use super::tools::*;
use crate::bus::{Command, Entry, EventBusExt, Hold, Parked, Place, Release};
use crate::{ErrorKind, Event};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const TASKS: u64 = 64;
const EACH: u64 = 25;

pub(super) async fn a_full_backlog_is_busy<S: BusUnderTest>(subject: S) -> Outcome {
    let Some(subject) = subject.with_backlog(4).await else { return Ok(()) };
    let bus = subject.bus();
    same(bus.status().borrow().limit, 4, "the status says the limit")?;
    let mut taken = 0;
    while taken < 5 {
        match bus.commit(Command::append(vec![job("a")])).await {
            Ok(_) => taken += 1,
            Err(error) if error.kind() == ErrorKind::Busy => break,
            Err(error) => return Err(error.into()),
        }
    }
    same(taken, 4, "a full backlog refuses an append as busy")?;
    same(log(&*bus).await?.len(), 4, "what is refused as busy is not stored")?;
    same(bus.status().borrow().has_room(), false, "the status says that there is no room")?;
    let waiting = bus.clone();
    let waits = tokio::spawn(async move { waiting.emit(Event::new("b")).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    holds(!waits.is_finished(), "emit waits while the backlog is full", ())?;
    let next = bus.pending(0, 1).await?.remove(0);
    let outputs = (0..3).map(|index| output(&next, index, "out", to(&[]))).collect();
    bus.commit(done(&next, outputs)).await?;
    let lost = |error| broken("emit does not panic", format!("{error}"));
    soon(waits, "emit goes on when there is room").await?.map_err(lost)??;
    let next = bus.pending(0, 1).await?.remove(0);
    let outputs = (0..8).map(|index| output(&next, index, "out", to(&["worker"]))).collect();
    bus.commit(done(&next, outputs)).await?;
    holds(bus.status().borrow().open > 4, "a settlement is never refused as busy", *bus.status().borrow())
}

pub(super) async fn what_waits_is_bounded_and_counted_by_who_made_it<S: BusUnderTest>(subject: S) -> Outcome {
    let Some(subject) = subject.with_backlog(2).await else { return Ok(()) };
    let bus = subject.bus();
    let waits = || Place::Parked(Hold::Approval, None);
    let delivery = delivered(&*bus, job("ask")).await?;
    let outputs = (0..3).map(|index| output(&delivery, index, "risky", waits())).collect();
    bus.commit(done(&delivery, outputs)).await?;
    let counts = || (bus.status().borrow().waiting, bus.status().borrow().made);
    same(
        counts(),
        (3, 3),
        "a settlement is never refused as busy, and the status says what handlers let wait",
    )?;
    same(bus.status().borrow().has_room_to_wait(), false, "and that there is no room for more")?;
    for _ in 0..2 {
        append(&*bus, vec![Entry::new(event("risky"), waits())]).await?;
    }
    same(counts(), (5, 3), "what handlers made leaves the room of what comes from outside")?;
    let more = bus.commit(Command::append(vec![Entry::new(event("risky"), waits())])).await;
    refused(more, ErrorKind::Busy, "which is bounded too")?;
    let release = |parked: &Parked| {
        let (user, id) = (user(), parked.event.id.clone());
        bus.commit(Command::Release(Box::new(Release { user, id, entry: None, audit: Vec::new() })))
    };
    let held = bus.parked(Hold::Approval, 10).await?;
    release(&held[0]).await?;
    release(&held[4]).await?;
    same(counts(), (3, 2), "what is released makes room")?;
    append(&*bus, vec![Entry::new(event("risky"), waits())]).await?;
    let (user, root) = (user(), delivery.event.id.clone());
    bus.commit(Command::Cancel { user, root, audit: Vec::new() }).await?;
    same(counts(), (2, 0), "and what is cancelled")
}

pub(super) async fn what_waits_behind_a_key_is_bounded_too<S: BusUnderTest>(subject: S) -> Outcome {
    let Some(subject) = subject.with_backlog(2).await else { return Ok(()) };
    let bus = subject.bus();
    let keyed = |place| Command::append(vec![Entry::new(event("step").with_ordering_key("k"), place)]);
    bus.commit(keyed(Place::Parked(Hold::Approval, None))).await?;
    bus.commit(keyed(to(&["worker"]))).await?;
    same(bus.parked(Hold::Key, 10).await?.len(), 1, "an event waits behind a held one of its key")?;
    refused(bus.commit(keyed(to(&["worker"]))).await, ErrorKind::Busy, "where no more than the limit do")?;
    refused(bus.commit(keyed(Place::Unrouted)).await, ErrorKind::Busy, "routed or not")?;
    same(bus.status().borrow().waiting, 2, "and what is refused is not stored")?;
    let other = Entry::new(event("step").with_ordering_key("l"), to(&["worker"]));
    let receipt = append(&*bus, vec![job("step"), other]).await?;
    let parked = receipt.appended.iter().any(|appended| appended.parked);
    same(parked, false, "what need not wait is taken as before")
}

pub(super) async fn commits_from_many_tasks_are_all_there_in_order<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    bus.attach().await?;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let bus = bus.clone();
        tasks.spawn(async move {
            let mut last = 0;
            for n in 0..EACH {
                let data = serde_json::json!([task, n]);
                let entry = Entry::new(event("job").with_data(data), to(&["worker"]));
                let receipt = append(&*bus, vec![entry]).await?;
                let sequence = receipt.appended[0].sequence;
                holds(sequence > last, "one emitter's events keep their order", (last, sequence))?;
                last = sequence;
                let seen = bus.status().borrow().head;
                holds(seen >= sequence, "a commit is visible when it returns", (seen, sequence))?;
            }
            Ok::<(), Broken>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| broken("a commit does not panic", format!("{error}")))??;
    }
    let log = log(&*bus).await?;
    let sequences: Vec<u64> = log.iter().map(|logged| logged.sequence).collect();
    same(sequences, (1..=TASKS * EACH).collect(), "every commit is in the log, without a gap")?;
    let mut by_task: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for logged in &log {
        let (task, n): (u64, u64) = logged.event.data.decode()?;
        by_task.entry(task).or_default().push(n);
    }
    for order in by_task.into_values() {
        same(order, (0..EACH).collect(), "one emitter's events keep their order")?;
    }
    let mut received = Vec::new();
    while received.len() < log.len() {
        let some = soon(bus.receive(100), "every delivery is received").await??;
        received.extend(some.into_iter().map(|delivery| (delivery.position, delivery.sequence)));
    }
    let in_order = received.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1);
    holds(in_order, "deliveries are received in commit order", received)
}

pub(super) async fn a_listing_is_short_only_at_its_end<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let promise = "a listing has as many as asked for, unless there are no more";
    for _ in 0..25 {
        let mut entries = vec![job("job"); 100];
        entries.extend(vec![Entry::new(event("raw"), Place::Unrouted); 100]);
        append(&*bus, entries).await?;
    }
    let pending = bus.pending(0, 2_048).await?;
    same(pending.len(), 2_048, promise)?;
    let after = pending.last().map_or(0, |last| last.position);
    same(bus.pending(after, 2_048).await?.len(), 452, promise)?;
    same(bus.unrouted(2_048).await?.len(), 2_048, promise)?;
    for delivery in &pending[..1_200] {
        bus.commit(dead(delivery, Vec::new())).await?;
    }
    same(bus.dead_letters(0, 1_100).await?.len(), 1_100, promise)
}

pub(super) async fn one_settlement_of_many_wins<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let mut expected = BTreeSet::new();
    for n in 0..8 {
        let delivery = delivered(&*bus, job("ask")).await?;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (bus, delivery) = (bus.clone(), delivery.clone());
            tasks.spawn(async move {
                let outputs = vec![output(&delivery, 0, "answer", to(&["worker"]))];
                bus.commit(done(&delivery, outputs)).await
            });
        }
        let mut won = 0;
        while let Some(ended) = tasks.join_next().await {
            match ended.map_err(|error| broken("a commit does not panic", format!("{error}")))? {
                Ok(_) => won += 1,
                answer => refused(answer, ErrorKind::Stale, "the others are stale")?,
            }
        }
        same(won, 1, "of many settlements of one delivery one wins")?;
        expected.insert(2 * n + 2);
    }
    let log = log(&*bus).await?;
    let answers = log.iter().filter(|logged| logged.event.event_type == "answer");
    let answers: BTreeSet<u64> = answers.map(|logged| logged.sequence).collect();
    same(answers, expected, "outputs are stored once")
}

pub(super) async fn a_dropped_commit_is_whole_or_nothing<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    for n in 0..100u64 {
        let data = serde_json::json!(n);
        let entry = || Entry::new(event("job").with_data(data.clone()), to(&["worker"]));
        let commit = bus.commit(Command::append(vec![entry(), entry(), entry()]));
        // Given up before it was polled, after some polls, or when it was done.
        let limit = Duration::from_micros(n * 5);
        let _ = tokio::time::timeout(limit, drop_after(commit, n % 4)).await;
    }
    // A commit that comes later sees what became of the dropped ones.
    append(&*bus, vec![job("end")]).await?;
    let log = log(&*bus).await?;
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for logged in log.iter().filter(|logged| logged.event.event_type == "job") {
        *counts.entry(logged.event.data.as_json().to_owned()).or_default() += 1;
    }
    holds(
        counts.values().all(|count| *count == 3),
        "a dropped commit happened whole or not at all",
        &counts,
    )?;
    same(bus.pending(0, 10_000).await?.len(), log.len(), "and so did its deliveries")?;
    let sequences: Vec<u64> = log.iter().map(|logged| logged.sequence).collect();
    same(sequences, (1..=log.len() as u64).collect(), "a dropped commit leaves no gap")
}

/// Polls at most so many times, then drops; zero stands for no limit.
async fn drop_after<F: Future>(work: F, polls: u64) -> Option<F::Output> {
    let mut work = Box::pin(work);
    let mut left = if polls == 0 { u64::MAX } else { polls - 1 };
    std::future::poll_fn(move |cx| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(cx).map(Some)
    })
    .await
}
