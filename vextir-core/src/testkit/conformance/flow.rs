//! Rules of flow control that are asked in the transaction, and deliveries that are settled together.

use super::BusUnderTest;
use super::tools::*;
use crate::bus::{Admission, Append, Checkpoint, Delivery, Entry, EventBus, NewDelivery, Place};
use crate::notice::KERNEL;
use crate::{Flow, FlowKey, LeaseState, Name, Twin};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(60 * 60);

fn key(value: &str) -> FlowKey {
    FlowKey { rule: Name::literal("rule@job"), user: Some(user()), value: value.to_owned() }
}

/// A job for `worker` under a rule.
fn under(flow: Flow, value: &str) -> Entry {
    let admission = vec![Admission { key: key(value), flow }];
    let delivery = NewDelivery { admission, ..NewDelivery::to("worker") };
    Entry::new(event("job"), Place::Routed(vec![delivery]))
}

async fn open(bus: &dyn EventBus) -> Result<Vec<Delivery>, Broken> {
    Ok(bus.pending(0, 1_000).await?)
}

async fn skips(bus: &dyn EventBus) -> Result<usize, Broken> {
    Ok(bus.audit(0, 1_000).await?.iter().filter(|(_, record)| record.act == "skip").count())
}

pub(super) async fn what_is_over_its_rate_is_logged_and_not_delivered<S: BusUnderTest>(
    subject: S,
) -> Outcome {
    let bus = subject.bus();
    let rate = || Flow::rate_limit(2, HOUR);
    let receipt = append(&*bus, (0..3).map(|_| under(rate(), "a")).collect()).await?;
    same(receipt.appended.iter().filter(|one| one.fresh).count(), 3, "each event is in the log")?;
    same(open(&*bus).await?.len(), 2, "so many are delivered as the rate allows, also of one command")?;
    append(&*bus, vec![under(rate(), "b")]).await?;
    same(open(&*bus).await?.len(), 3, "another key has a rate of its own")?;
    same(skips(&*bus).await?, 1, "the audit says what was left out")?;
    let left_out = present(receipt.appended.last(), "a receipt says where each event went")?;
    let lease = bus.lease(&user(), &left_out.id).await?;
    holds(lease.as_ref().is_none_or(|lease| lease.open == 0), "what was left out is not open", &lease)?;
    drop(bus);
    let Some(subject) = subject.reopen().await else { return Ok(()) };
    let bus = subject.bus();
    append(&*bus, vec![under(rate(), "a")]).await?;
    same(open(&*bus).await?.len(), 3, "the rate is kept over a crash")
}

pub(super) async fn a_refused_command_counts_for_no_rate<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let taken = || event("job").with_id(id("evt_1"));
    append(&*bus, vec![Entry::new(taken(), to(&[]))]).await?;
    let rate = Flow::rate_limit(1, HOUR);
    let clash = Entry::new(taken().with_data(serde_json::json!(1)), to(&[]));
    let refusal = append(&*bus, vec![under(rate.clone(), "a"), clash]).await;
    holds(refusal.is_err(), "an id with other content is refused", &refusal)?;
    append(&*bus, vec![under(rate, "a")]).await?;
    same(open(&*bus).await?.len(), 1, "what was refused has not used the rate up")
}

pub(super) async fn a_debounced_delivery_takes_the_place_of_the_earlier<S: BusUnderTest>(
    subject: S,
) -> Outcome {
    let bus = subject.bus();
    let quiet = || Flow::debounce(HOUR);
    let first = delivered(&*bus, under(quiet(), "a")).await?;
    same(first.due, Some(first.logged_at.after(HOUR)), "it is due when the quiet time is over")?;
    let second = delivered(&*bus, under(quiet(), "a")).await?;
    let left: Vec<u64> = open(&*bus).await?.iter().map(|delivery| delivery.position).collect();
    same(left, vec![second.position], "the later one stands for both")?;
    let lease = present(bus.lease(&user(), &first.event.id).await?, "a tree with work has a ledger")?;
    same((lease.open, lease.state), (0, LeaseState::Active), "the tree of the earlier one is over")?;
    refused(
        bus.commit(done(&first, vec![])).await,
        crate::ErrorKind::Stale,
        "what was replaced is not settled",
    )?;
    let bounded = Flow::debounce(HOUR).at_most(HOUR);
    let one = delivered(&*bus, under(bounded.clone(), "b")).await?;
    let other = delivered(&*bus, under(bounded, "b")).await?;
    same(other.due, one.due, "nothing waits longer than the first may")
}

pub(super) async fn a_singleton_is_alone_until_it_is_over<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let alone = || Flow::singleton(Twin::Skip);
    let first = delivered(&*bus, under(alone(), "a")).await?;
    append(&*bus, vec![under(alone(), "a")]).await?;
    same(open(&*bus).await?.len(), 1, "a second one is left out")?;
    bus.commit(retry(&first, first.logged_at)).await?;
    append(&*bus, vec![under(alone(), "a")]).await?;
    same(open(&*bus).await?.len(), 1, "also while the first waits for its retry")?;
    bus.commit(done(&open(&*bus).await?[0], vec![])).await?;
    let third = delivered(&*bus, under(alone(), "a")).await?;
    let replace = Flow::singleton(Twin::Replace);
    let fourth = delivered(&*bus, under(replace, "a")).await?;
    let left: Vec<u64> = open(&*bus).await?.iter().map(|delivery| delivery.position).collect();
    same(left, vec![fourth.position], "or takes the place of the first")?;
    refused(bus.commit(done(&third, vec![])).await, crate::ErrorKind::Stale, "which is settled no more")
}

pub(super) async fn a_batch_is_settled_as_a_whole<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let mut members = Vec::new();
    for _ in 0..6 {
        members.push(delivered(&*bus, job("job")).await?);
    }
    let batch =
        |from: usize| Delivery { batch: members[from + 1..from + 3].to_vec(), ..members[from].clone() };
    bus.commit(retry(&batch(0), members[0].logged_at)).await?;
    let attempts: Vec<u32> = open(&*bus).await?.iter().map(|delivery| delivery.attempt).collect();
    same(attempts, vec![1, 1, 1, 0, 0, 0], "a failed attempt is one of each")?;
    let made = output(&members[0], 0, "made", to(&[]));
    let receipt = bus.commit(done(&batch(0), vec![made])).await?;
    same(open(&*bus).await?.len(), 3, "all end with their first")?;
    same(receipt.others.len(), 2, "and the receipt tells of the trees of the others")?;
    for member in &members[..3] {
        let lease = present(bus.lease(&user(), &member.event.id).await?, "a tree has a ledger")?;
        same(lease.open, 0, "each tree is over")?;
    }
    bus.commit(done(&members[4], vec![])).await?;
    bus.commit(dead(&batch(3), vec![])).await?;
    let letters = bus.dead_letters(0, 10).await?;
    let letters: Vec<u64> = letters.iter().map(|letter| letter.position).collect();
    same(letters, vec![members[3].position, members[5].position], "who was gone is not settled twice")
}

pub(super) async fn a_count_is_forgotten_when_it_matters_no_more<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    append(&*bus, vec![under(Flow::rate_limit(1, HOUR), "long")]).await?;
    let short = delivered(&*bus, under(Flow::singleton(Twin::Skip), "short")).await?;
    let forget = || async {
        let kept = bus.checkpoints(&Name::literal(KERNEL), "flow/", 100).await?;
        let checkpoints = kept.into_iter().map(|kept| Checkpoint { value: None, ..kept }).collect();
        bus.commit(Append { checkpoints, ..Append::default() }.into()).await?;
        Ok::<_, Broken>(bus.checkpoints(&Name::literal(KERNEL), "flow/", 100).await?.len())
    };
    same(forget().await?, 2, "a rate that is not over, and a delivery that is open, are kept")?;
    bus.commit(done(&short, vec![])).await?;
    same(forget().await?, 1, "what is over is forgotten")
}
