//! The outbox of a store: what is committed there for another system's bus.

use super::super::conformance::{Broken, Outcome, holds, present, refused, same};
use super::{StoreUnderTest, of};
use crate::context::{Change, Intent, Mark, Outbox, Posted};
use crate::{Actor, Data, ErrorKind, EventId, Timestamp};
use serde_json::json;

fn mark(log: u64, position: u64) -> Mark {
    Mark { log, position, event: event(position), driver: "worker".into() }
}

fn event(number: u64) -> EventId {
    EventId::derived(
        Timestamp::UNSET,
        "ann",
        &EventId::default(),
        "worker",
        u32::try_from(number).unwrap_or(0),
    )
}

fn append(text: &str) -> Vec<Change> {
    vec![Change::new("/log", Intent::Append(text.to_owned()))]
}

fn outcome(position: u64) -> Data {
    Data::from(json!({"settled": position}))
}

/// Posts a line for each of these marks.
async fn post(outbox: &dyn Outbox, marks: &[Mark]) -> Result<(), Broken> {
    for mark in marks {
        let line = append(&format!("{}\n", mark.position));
        outbox.post(mark, &Actor::user("ann"), line, &outcome(mark.position)).await?;
    }
    Ok(())
}

fn positions(posted: &[Posted]) -> Vec<u64> {
    posted.iter().map(|posted| posted.mark.position).collect()
}

pub(super) async fn what_is_posted_lands_with_its_changes_once<S: StoreUnderTest>(subject: S) -> Outcome {
    let (store, ann) = (subject.store(), of(&subject, "ann"));
    let Some(outbox) = store.outbox() else { return Ok(()) };
    let (one, other_log) = (mark(u64::MAX, 7), mark(1, 7));
    same(outbox.posted(&one).await?, None, "what was not posted is not there")?;
    post(outbox, std::slice::from_ref(&one)).await?;
    let found = present(outbox.posted(&one).await?, "what was posted is found")?;
    let expected = Posted { mark: one.clone(), outcome: outcome(7), published: false };
    same(found, expected, "it is as it was posted")?;
    let again = outbox.post(&one, &Actor::user("ann"), append("again\n"), &outcome(8)).await;
    refused(again, ErrorKind::Stale, "a mark is taken once")?;
    let wrong = vec![append("half\n").remove(0), Change::new("/nothing", Intent::Remove)];
    let (next, actor) = (mark(u64::MAX, 8), Actor::user("ann"));
    let answer = outbox.post(&next, &actor, wrong, &outcome(8)).await;
    refused(answer, ErrorKind::NotFound, "what does not fit is refused")?;
    same(outbox.posted(&next).await?, None, "what is refused posts nothing")?;
    same(outbox.posted(&other_log).await?, None, "a mark is of its log")?;
    let other_event = Mark { event: event(8), ..one.clone() };
    same(outbox.posted(&other_event).await?, None, "a mark is of its event")?;
    post(outbox, &[other_log]).await?;
    let log = present(ann.read("/log").await?, "the changes are there")?.content;
    same(log, "7\n7\n".into(), "they are applied once, and those that are refused not at all")
}

pub(super) async fn what_is_not_published_is_told_in_order<S: StoreUnderTest>(subject: S) -> Outcome {
    let store = subject.store();
    let Some(outbox) = store.outbox() else { return Ok(()) };
    post(outbox, &[mark(1, 3), mark(1, 1), mark(2, 2), mark(1, 4)]).await?;
    let open = outbox.unpublished(1, 0, 2).await?;
    same(positions(&open), vec![1, 3], "what is not published is told in order, a page at a time")?;
    same(&open[1].outcome, &outcome(3), "with what is to be published")?;
    same(positions(&outbox.unpublished(1, 3, 2).await?), vec![4], "and after a position")?;
    outbox.set_published(&mark(1, 3)).await?;
    outbox.set_published(&mark(1, 3)).await?;
    same(positions(&outbox.unpublished(1, 0, 9).await?), vec![1, 4], "what is published is not told")?;
    let found = present(outbox.posted(&mark(1, 3)).await?, "what is published is still known")?;
    holds(found.published && found.outcome == outcome(3), "and what it brought", &found)?;
    let far = "9999-01-01T00:00:00Z".parse::<Timestamp>()?;
    same(outbox.forget(Timestamp::UNSET, 9).await?, 0, "what is young is not forgotten")?;
    outbox.set_published(&mark(2, 2)).await?;
    same(outbox.forget(far, 1).await?, 1, "no more is forgotten at once than is asked for")?;
    same(outbox.forget(far, 9).await?, 1, "what is old and published is forgotten, of any log")?;
    same(outbox.forget(far, 9).await?, 0, "what is not published is never forgotten")?;
    same(positions(&outbox.unpublished(1, 0, 9).await?), vec![1, 4], "and stays to be published")
}

pub(super) async fn what_is_posted_survives<S: StoreUnderTest>(subject: S) -> Outcome {
    let store = subject.store();
    let Some(outbox) = store.outbox() else { return Ok(()) };
    post(outbox, &[mark(1, 1), mark(1, 2)]).await?;
    drop(store);
    let Some(subject) = subject.reopen().await else { return Ok(()) };
    let store = subject.store();
    let outbox = present(store.outbox(), "the store has an outbox as before")?;
    same(positions(&outbox.unpublished(1, 0, 9).await?), vec![1, 2], "what was posted outlives the process")?;
    let log = present(of(&subject, "ann").read("/log").await?, "its changes are there")?;
    same(log.content, "1\n2\n".into(), "and they are")
}
