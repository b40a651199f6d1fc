//! Branches: who began one is told, once, when everything in it is over.

use super::BusUnderTest;
use super::tools::*;
use crate::bus::{
    Admission, Command, Delivery, Entry, EventBus, Hold, NewDelivery, Outcome as Ending, Place, Release,
    Settlement,
};
use crate::{
    Branch, BranchEnded, BranchHeld, DeliveryFailed, ErrorKind, Event, EventId, Flow, FlowKey, Name, Payload,
    Timestamp, Twin,
};

const RUNNER: Name = Name::literal("runner");

/// An output that begins a branch; `runner` is told of its end.
fn branch(delivery: &Delivery, index: u32, place: Place) -> Entry {
    let mut entry = output(delivery, index, "step", place);
    let id = entry.event.id.clone();
    entry.event.edit().branch_id = Some(id);
    entry.branch = Some(Box::new(Branch::new(&entry.event, &delivery.event, RUNNER)));
    entry
}

/// A run whose handler has begun one branch, and the branch's delivery.
async fn begun(bus: &dyn EventBus) -> Result<Delivery, Broken> {
    let run = delivered(bus, job("run")).await?;
    let step = branch(&run, 0, to(&["worker"]));
    let id = step.event.id.clone();
    bus.commit(done(&run, vec![step])).await?;
    open_at(bus, &id).await
}

/// The open delivery of an event.
async fn open_at(bus: &dyn EventBus, id: &EventId) -> Result<Delivery, Broken> {
    let open = bus.pending(0, 100).await?;
    present(
        open.into_iter().find(|delivery| delivery.event.id == *id),
        "a routed output has an open delivery",
    )
}

/// What `runner` was told and has not handled yet.
async fn told(bus: &dyn EventBus) -> Result<Vec<(Delivery, BranchEnded)>, Broken> {
    let open = bus.pending(0, 100).await?;
    let news = open.into_iter().filter(|delivery| delivery.driver == RUNNER);
    news.map(|delivery| Ok((delivery.clone(), delivery.event.decode()?))).collect()
}

async fn nothing_told(bus: &dyn EventBus, promise: &'static str) -> Outcome {
    let told = told(bus).await?;
    holds(told.is_empty(), promise, &told)
}

/// The only news.
async fn news(bus: &dyn EventBus, promise: &'static str) -> Result<(Delivery, BranchEnded), Broken> {
    let mut told = told(bus).await?;
    same(told.len(), 1, promise)?;
    present(told.pop(), promise)
}

pub(super) async fn a_branch_ends_when_everything_in_it_is_over<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let step = begun(&*bus).await?;
    nothing_told(&*bus, "a branch with an open delivery is not over").await?;
    bus.commit(retry(&step, Timestamp::UNSET)).await?;
    nothing_told(&*bus, "a retry ends no branch").await?;
    let step = open_at(&*bus, &step.event.id).await?;
    let answer = output(&step, 0, "answer", to(&[]));
    let mut later = output(&step, 1, "more", Place::Parked(Hold::Delayed, None));
    later.event.edit().deliver_at = Some(Timestamp::from_micros(1));
    let expected = vec![answer.event.id.clone(), later.event.id.clone()];
    bus.commit(done(&step, vec![answer, later.clone()])).await?;
    nothing_told(&*bus, "what waits for its time is not over").await?;
    let entry = Entry { minted: true, ..Entry::new(later.event.clone(), to(&["worker"])) };
    let release = Release { user: user(), id: later.event.id.clone(), entry: Some(entry), audit: Vec::new() };
    bus.commit(Command::Release(Box::new(release))).await?;
    nothing_told(&*bus, "what was released is not over").await?;
    bus.commit(done(&open_at(&*bus, &later.event.id).await?, vec![])).await?;
    let (delivery, ended) = news(&*bus, "the end is told with the commit of the last of it").await?;
    same((ended.branch, ended.failed), (step.event.id.clone(), 0), "it is told which branch ended")?;
    same(ended.answers, expected, "the answers are named in their order")?;
    same(delivery.event.root().clone(), step.event.root().clone(), "the news belongs to the same tree")?;
    same(delivery.event.branch_id.clone(), None, "and to no branch that is over")?;
    bus.commit(done(&delivery, vec![])).await?;
    nothing_told(&*bus, "it is told once").await?;
    let lease = present(bus.lease(&user(), step.event.root()).await?, "the tree has a ledger")?;
    holds(lease.is_quiet(), "the news is over like every delivery", &lease)
}

pub(super) async fn a_branch_that_nobody_handles_ends_at_once<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let run = delivered(&*bus, job("run")).await?;
    bus.commit(done(&run, vec![branch(&run, 0, to(&[])), branch(&run, 1, to(&[]))])).await?;
    same(told(&*bus).await?.len(), 2, "a branch without work is over with the commit that begins it")
}

pub(super) async fn a_branch_counts_in_the_branch_around_it<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let outer = begun(&*bus).await?;
    let inner = branch(&outer, 0, to(&["worker"]));
    let id = inner.event.id.clone();
    bus.commit(done(&outer, vec![inner])).await?;
    nothing_told(&*bus, "a branch with another in it is not over").await?;
    bus.commit(done(&open_at(&*bus, &id).await?, vec![])).await?;
    let (delivery, ended) = news(&*bus, "the inner one is over first").await?;
    same(ended.branch, id, "the inner one is over first")?;
    same(
        delivery.event.branch_id.clone(),
        Some(outer.event.id.clone()),
        "its news belongs to the outer one",
    )?;
    bus.commit(done(&delivery, vec![])).await?;
    let (_, ended) = news(&*bus, "the outer one is over when the news of the inner one is").await?;
    same(ended.branch, outer.event.id.clone(), "the outer one is over when the news of the inner one is")
}

pub(super) async fn a_branch_tells_what_failed<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let step = begun(&*bus).await?;
    let error = Entry { exempt: true, ..output(&step, 0, "error", to(&[])) };
    bus.commit(dead(&step, vec![error.clone()])).await?;
    let (delivery, ended) = news(&*bus, "a letter ends its branch").await?;
    same(
        (ended.failed, ended.answers),
        (1, vec![error.event.id.clone()]),
        "failures are counted, and named",
    )?;
    bus.commit(done(&delivery, vec![])).await?;
    bus.commit(redrive(vec![step.position])).await?;
    let again = open_at(&*bus, &step.event.id).await?;
    bus.commit(done(&again, vec![])).await?;
    nothing_told(&*bus, "what is redriven after the end of its branch is told to nobody").await
}

pub(super) async fn the_end_of_a_branch_comes_in_turn<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let mut run = job("run");
    run.event.edit().ordering_key = Some("one".into());
    let run = delivered(&*bus, run).await?;
    bus.commit(done(&run, vec![branch(&run, 0, to(&[]))])).await?;
    let (delivery, _) = news(&*bus, "a branch without work is over at once").await?;
    let promise = "the news has the ordering key of the event whose handler began the branch";
    same(delivery.event.ordering_key.as_deref(), Some("one"), promise)
}

pub(super) async fn a_branch_survives<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let step = begun(&*bus).await?;
    let answer = output(&step, 0, "answer", to(&["worker"]));
    let id = answer.event.id.clone();
    bus.commit(done(&step, vec![answer])).await?;
    drop(bus);
    let Some(subject) = subject.reopen().await else { return Ok(()) };
    let bus = subject.bus();
    bus.commit(done(&open_at(&*bus, &id).await?, vec![])).await?;
    let (_, ended) = news(&*bus, "a branch outlives the process").await?;
    same((ended.branch, ended.answers), (step.event.id.clone(), vec![id]), "with what came out of it")
}

/// A tree of its own, as a handler plants it.
fn planted(id: &str) -> Entry {
    let mut event: Event = event("firing").with_id(super::tools::id(id));
    event.edit().branch_id = Some(event.id.clone());
    let branch = Some(Box::new(Branch::new(&event, &event, RUNNER)));
    Entry { branch, ..Entry::new(event, Place::Routed(vec![NewDelivery::to("worker")])) }
}

pub(super) async fn a_planted_tree_has_a_ledger_of_its_own<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let timer = delivered(&*bus, job("timer")).await?;
    bus.commit(done(&timer, vec![planted("slot-1")])).await?;
    let lease = present(bus.lease(&user(), &id("slot-1")).await?, "a planted event is the root of a tree")?;
    same((lease.open, lease.events), (1, 1), "the tree has a ledger of its own")?;
    let lease =
        present(bus.lease(&user(), &timer.event.id).await?, "the tree that it was planted from has one")?;
    holds(lease.is_quiet(), "and is not kept open by it", &lease)?;
    let timer = delivered(&*bus, job("timer")).await?;
    bus.commit(done(&timer, vec![planted("slot-1")])).await?;
    let firings = types(&*bus).await?.iter().filter(|one| *one == "firing").count();
    same(firings, 1, "the same firing is planted once")?;
    let firing = open_at(&*bus, &id("slot-1")).await?;
    bus.commit(done(&firing, vec![])).await?;
    let (delivery, ended) = news(&*bus, "who planted it is told of its end").await?;
    same((ended.branch, ended.cancelled), (id("slot-1"), false), "who planted it is told of its end")?;
    same(delivery.event.root_id.clone(), None, "in a tree of its own")
}

pub(super) async fn a_branch_that_is_over_is_told_of_again<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let timer = delivered(&*bus, job("timer")).await?;
    bus.commit(done(&timer, vec![planted("slot-3")])).await?;
    let firing = open_at(&*bus, &id("slot-3")).await?;
    bus.commit(done(&firing, vec![])).await?;
    let (delivery, _) = news(&*bus, "who planted it is told of its end").await?;
    bus.commit(done(&delivery, vec![])).await?;
    let timer = delivered(&*bus, job("timer")).await?;
    bus.commit(done(&timer, vec![planted("slot-3")])).await?;
    let promise = "who begins a branch that is over is told so at once";
    let (delivery, ended) = news(&*bus, promise).await?;
    same(ended.branch, id("slot-3"), promise)?;
    bus.commit(done(&delivery, vec![])).await?;
    let firings = types(&*bus).await?.iter().filter(|one| *one == "firing").count();
    same(firings, 1, "and nothing happens a second time")?;
    nothing_told(&*bus, "it is told once").await
}

pub(super) async fn a_cancelled_branch_is_told_where_it_is_a_tree<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let step = begun(&*bus).await?;
    let cancel = |root: EventId| Command::Cancel { user: user(), root, audit: Vec::new() };
    bus.commit(cancel(step.event.root().clone())).await?;
    nothing_told(&*bus, "who is cancelled with its branches is told nothing").await?;
    let timer = delivered(&*bus, job("timer")).await?;
    bus.commit(done(&timer, vec![planted("slot-2")])).await?;
    bus.commit(cancel(id("slot-2"))).await?;
    let (delivery, ended) = news(&*bus, "who planted a tree is told that it was cancelled").await?;
    same((ended.branch, ended.cancelled), (id("slot-2"), true), "it is told as cancelled")?;
    bus.commit(done(&delivery, vec![])).await?;
    nothing_told(&*bus, "it is told once").await
}

/// A settlement of `driver`, which ends a branch with it.
async fn cancels(bus: &dyn EventBus, driver: &'static str, branch: &EventId) -> Result<Command, Broken> {
    let word = delivered(bus, Entry::new(event("stop"), to(&[driver]))).await?;
    let outcome = Ending::Done { outputs: Vec::new(), changes: Vec::new() };
    let cancelled = vec![branch.clone()];
    let listeners = vec![Name::literal("worker")];
    Ok(Settlement { cancelled, listeners, ..Settlement::of(&word, outcome) }.into())
}

pub(super) async fn a_branch_that_its_driver_cancels_ends_at_once<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let step = begun(&*bus).await?;
    let more = output(&step, 0, "more", to(&["worker", "other"]));
    let mut later = output(&step, 1, "later", Place::Parked(Hold::Delayed, None));
    later.event.edit().deliver_at = Some(Timestamp::from_micros(i64::MAX / 2));
    let held = output(&step, 2, "held", Place::Parked(Hold::Approval, None));
    let inner = branch(&step, 3, to(&["other"]));
    let ids = [&inner, &more, &later, &held].map(|entry| entry.event.id.clone());
    bus.commit(done(&step, vec![more, later, held, inner])).await?;
    let lost = open_at(&*bus, &ids[1]).await?;
    let pending = bus.pending(0, 100).await?;
    let others = pending.iter().filter(|one| one.event.id == ids[1] && one.driver == "other");
    bus.commit(Command::Unclaim(others.map(|one| one.position).collect())).await?;
    same(bus.unclaimed().await?.len(), 1, "one of them waits for its driver")?;
    bus.commit(cancels(&*bus, "runner", &step.event.id).await?).await?;
    let mut news = told(&*bus).await?;
    news.sort_by_key(|(_, ended)| ended.branch == ids[0]);
    same(
        news.iter().map(|(_, ended)| (ended.branch.clone(), ended.cancelled)).collect::<Vec<_>>(),
        vec![(step.event.id.clone(), true), (ids[0].clone(), true)],
        "it and what is inside of it are told as cancelled",
    )?;
    holds(news.iter().all(|(one, _)| one.event.branch_id.is_none()), "outside of it", &news)?;
    let open = bus.pending(0, 100).await?;
    let (failed, rest): (Vec<_>, Vec<_>) =
        open.into_iter().partition(|one| one.event.event_type == DeliveryFailed::TYPE);
    holds(rest.iter().all(|one| one.driver == RUNNER), "what was open in it is gone", &rest)?;
    let failed: Result<Vec<DeliveryFailed>, _> = failed.iter().map(|one| one.event.decode()).collect();
    let failed: Vec<(EventId, bool)> =
        failed?.into_iter().map(|failed| (failed.event_id, failed.cancelled)).collect();
    same(failed, vec![(ids[1].clone(), true)], "who listens is told of its own deliveries")?;
    let waiting = bus.status().borrow().waiting;
    same(waiting, 0, "what waited in it is gone")?;
    same(bus.unclaimed().await?.len(), 0, "also what waited for its driver")?;
    let late = bus.commit(done(&lost, vec![])).await;
    refused(late, ErrorKind::Stale, "an attempt that was at work then changes nothing")?;
    for delivery in bus.pending(0, 100).await? {
        bus.commit(done(&delivery, vec![])).await?;
    }
    let lease = present(bus.lease(&user(), step.event.root()).await?, "the tree has a ledger")?;
    holds(lease.is_quiet(), "nothing of it is counted any more", &lease)
}

pub(super) async fn a_branch_is_cancelled_by_its_driver_alone<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let step = begun(&*bus).await?;
    bus.commit(cancels(&*bus, "other", &step.event.id).await?).await?;
    nothing_told(&*bus, "nobody else ends a branch").await?;
    bus.commit(done(&step, vec![])).await?;
    let (delivery, ended) = news(&*bus, "it ends by itself").await?;
    same(ended.cancelled, false, "and was not cancelled")?;
    bus.commit(done(&delivery, vec![])).await?;
    bus.commit(cancels(&*bus, "runner", &step.event.id).await?).await?;
    nothing_told(&*bus, "a branch that is over is told of once").await
}

pub(super) async fn what_is_held_in_a_branch_is_told<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    for wants in [false, true] {
        let run = delivered(&*bus, job("run")).await?;
        let mut step = branch(&run, 0, Place::Parked(Hold::Approval, None));
        step.branch = step.branch.map(|branch| Box::new(branch.with_holds(wants)));
        let event = step.event.clone();
        bus.commit(done(&run, vec![step])).await?;
        let entry = Entry { minted: true, ..Entry::new(event.clone(), to(&["worker"])) };
        let release = Release { user: user(), id: event.id.clone(), entry: Some(entry), audit: Vec::new() };
        let held = held_news(&*bus).await?;
        same(held.len(), usize::from(wants), "who wants to know is told of what is held, and nobody else")?;
        bus.commit(Command::Release(Box::new(release))).await?;
        let work = open_at(&*bus, &event.id).await?;
        bus.commit(Command::Unclaim(vec![work.position])).await?;
        bus.commit(Command::Claim(vec![work.position])).await?;
        let news: Vec<bool> = held_news(&*bus).await?.into_iter().map(|held| held.reason.is_some()).collect();
        let all = if wants { vec![true, false, true, false] } else { Vec::new() };
        same(news, all, "and of what goes on, in the same commit")?;
        for delivery in bus.pending(0, 100).await? {
            bus.commit(done(&delivery, vec![])).await?;
        }
    }
    what_took_its_place_is_told(&*bus).await
}

/// Who waits for its driver, and is told as held, goes on no more when another delivery takes its place.
async fn what_took_its_place_is_told(bus: &dyn EventBus) -> Outcome {
    let key = FlowKey { rule: Name::literal("rule@step"), user: Some(user()), value: String::new() };
    let admission = vec![Admission { key, flow: Flow::singleton(Twin::Replace) }];
    let place = Place::Routed(vec![NewDelivery { admission, ..NewDelivery::to("worker") }]);
    let run = delivered(bus, job("run")).await?;
    let mut step = branch(&run, 0, place.clone());
    step.branch = step.branch.map(|branch| Box::new(branch.with_holds(true)));
    let id = step.event.id.clone();
    bus.commit(done(&run, vec![step])).await?;
    bus.commit(Command::Unclaim(vec![open_at(bus, &id).await?.position])).await?;
    append(bus, vec![Entry::new(event("step"), place)]).await?;
    let news: Vec<bool> = held_news(bus).await?.into_iter().map(|held| held.reason.is_some()).collect();
    same(news, vec![true, false], "what another one takes the place of is not held any more")?;
    let lease = present(bus.lease(&user(), run.event.root()).await?, "the tree has a ledger")?;
    same(lease.parked, 0, "and does not wait")
}

/// What is told of held events, in order.
async fn held_news(bus: &dyn EventBus) -> Result<Vec<BranchHeld>, Broken> {
    let open = bus.pending(0, 100).await?;
    let news = open.iter().filter(|delivery| delivery.event.event_type == BranchHeld::TYPE);
    Ok(news.map(|delivery| delivery.event.decode()).collect::<crate::Result<_>>()?)
}
