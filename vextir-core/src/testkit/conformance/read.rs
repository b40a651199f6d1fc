//! What readers see: everything, in order, or an error that says what is gone.

use super::BusUnderTest;
use super::tools::*;
use crate::bus::{Command, Cursor, Entry, EventStream, Hold, Place, Start};
use crate::{Category, Data, ErrorKind, EventFilter, Timestamp};

pub(super) async fn the_log_is_read_in_commit_order<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let mut expected = Vec::new();
    for _ in 0..20 {
        let receipt = append(&*bus, vec![Entry::new(event("a"), to(&[])); 3]).await?;
        expected.extend(receipt.appended.into_iter().map(|appended| (appended.sequence, appended.id)));
    }
    let log = log(&*bus).await?;
    let seen: Vec<_> = log.iter().map(|logged| (logged.sequence, logged.event.id.clone())).collect();
    same(seen, expected, "the log has what the receipts said, in their order")?;
    let sequences: Vec<u64> = log.iter().map(|logged| logged.sequence).collect();
    same(sequences, (1..=60).collect(), "sequences begin at 1 and leave no gap")?;
    let times: Vec<Timestamp> = log.iter().map(|logged| logged.logged_at).collect();
    holds(times.is_sorted(), "no event is logged earlier than the one before it", times)?;
    same(bus.status().borrow().head, 60, "the status says the head")
}

pub(super) async fn a_filter_leaves_nothing_out<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let mut entries = Vec::new();
    for n in 0..60u32 {
        let kind = ["task.made", "task.done.late", "other"][n as usize % 3];
        let mut event = event(kind).with_data(serde_json::json!(n));
        if n % 2 == 0 {
            event = event.with_user("ann").with_category(Category::Output).with_label("private");
        }
        if n % 5 == 0 {
            event = event.with_source("elsewhere");
        }
        entries.push(Entry::new(event, to(&[])));
    }
    append(&*bus, entries).await?;
    let root = log(&*bus).await?[7].event.id.clone();
    let filters = [
        EventFilter::try_from("task.*")?,
        EventFilter::try_from("task.**")?,
        EventFilter::try_from(["other", "task.made"])?,
        EventFilter::all().user("ann"),
        EventFilter::all().category(Category::Output).source("elsewhere"),
        EventFilter::try_from("task.**")?.label("private"),
        EventFilter::all().root(root),
        EventFilter::all().user("nobody"),
    ];
    for filter in filters {
        let expected: Vec<u64> = log(&*bus)
            .await?
            .iter()
            .filter(|logged| filter.matches(&logged.event))
            .map(|logged| logged.sequence)
            .collect();
        let (mut seen, mut after) = (Vec::new(), 0);
        loop {
            let page = bus.read(after, &filter, 4).await?;
            seen.extend(page.events.iter().map(|logged| logged.sequence));
            if page.at_head {
                break;
            }
            holds(page.next > after, "a page leads on", (after, page.next))?;
            after = page.next;
        }
        same(seen, expected, "a filter shows what matches and nothing else")?;
    }
    Ok(())
}

pub(super) async fn pages_follow_each_other<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    append(&*bus, vec![Entry::new(event("a"), to(&[])); 10]).await?;
    let all = EventFilter::all();
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let page = bus.read(after, &all, 4).await?;
        holds(page.events.len() <= 4, "a page has no more than asked for", page.events.len())?;
        let last = page.events.last().map(|logged| logged.sequence);
        seen.extend(page.events.iter().map(|logged| logged.sequence));
        if page.at_head {
            same(page.next, 10, "after the last page comes the head")?;
            break;
        }
        same(Some(page.next), last, "a page of all events says where to read on")?;
        after = page.next;
    }
    same(seen, (1..=10).collect(), "pages that follow each other show everything once")?;
    let page = bus.read(10, &all, 4).await?;
    same((page.events.len(), page.at_head), (0, true), "at the head there is nothing more")?;
    let none = EventFilter::try_from("nothing")?;
    let (mut after, mut reads) = (0, 0);
    loop {
        let page = bus.read(after, &none, 4).await?;
        reads += 1;
        holds(page.events.is_empty() && reads < 20, "a filter without matches comes to the end", &page)?;
        if page.at_head {
            return same(page.next, 10, "what was passed over is not read again");
        }
        after = page.next;
    }
}

pub(super) async fn find_answers_with_the_logged_event<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let full = event("full")
        .with_id(id("evt_123"))
        .with_category(Category::Input)
        .with_data(Data::from_json(r#"{"a": [1, 2.50, "ä\n", null], "n": 9007199254740993}"#)?)
        .with_label("private")
        .with_ordering_key("key")
        .with_deliver_at(Timestamp::from_micros(1))
        .with_priority(crate::Priority::Low)
        .with_metadata("traceparent", "00-1-2-3");
    let receipt = append(&*bus, vec![Entry::new(full.clone(), to(&["worker"]))]).await?;
    let found = present(bus.find(&user(), &id("evt_123")).await?, "a logged event is found")?;
    same(&found.event, &full, "an event comes back as it was stored")?;
    same(found.sequence, receipt.appended[0].sequence, "with its place")?;
    same(&log(&*bus).await?[0], &found, "find and read show the same")?;
    same(&bus.pending(0, 1).await?[0].event, &full, "a delivery carries the whole event")?;
    let parked = event("later").with_id(id("evt_124"));
    append(&*bus, vec![Entry::new(parked, Place::Parked(Hold::Approval, None))]).await?;
    same(bus.find(&user(), &id("evt_124")).await?, None, "an event beside the log is not in the log")?;
    same(bus.find(&user(), &id("evt_125")).await?, None, "what is not there is not found")
}

pub(super) async fn cursors_tell_logs_apart<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    append(&*bus, vec![Entry::new(event("a"), to(&[])); 3]).await?;
    let cursor = Cursor::new(bus.incarnation(), 2);
    let parsed: Cursor = cursor.to_string().parse()?;
    same(parsed, cursor, "a cursor survives as text")?;
    let mut stream = EventStream::open(bus.clone(), EventFilter::all(), Start::At(cursor)).await?;
    let next = soon(stream.next_logged(), "a stream goes on at its cursor").await?;
    let next = present(next, "a stream goes on at its cursor")??;
    same(next.sequence, 3, "a stream goes on at its cursor")?;
    let foreign = Cursor::new(bus.incarnation() ^ 1, 2);
    let answer = EventStream::open(bus.clone(), EventFilter::all(), Start::At(foreign)).await;
    refused(answer, ErrorKind::Invalid, "the cursor of another log is refused")?;
    let ahead = Cursor::new(bus.incarnation(), 4);
    let answer = EventStream::open(bus, EventFilter::all(), Start::At(ahead)).await;
    refused(answer, ErrorKind::Gap, "a cursor beyond the end of the log is refused")
}

pub(super) async fn streams_show_everything_once<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    append(&*bus, vec![Entry::new(event("before"), to(&[])); 2]).await?;
    let all = EventFilter::all();
    let mut now = EventStream::open(bus.clone(), all.clone(), Start::Now).await?;
    let mut old = EventStream::open(bus.clone(), all, Start::Beginning).await?;
    let writer = bus.clone();
    let writing = tokio::spawn(async move {
        for _ in 0..100 {
            append(&*writer, vec![Entry::new(event("after"), to(&[])); 3]).await?;
        }
        Ok::<(), Broken>(())
    });
    for (stream, from) in [(&mut now, 3), (&mut old, 1)] {
        for sequence in from..=302 {
            let next = soon(stream.next_logged(), "a stream is woken by a commit").await?;
            let next = present(next, "a stream goes on while the bus lives")??;
            same(next.sequence, sequence, "a stream shows every event once, in order")?;
        }
    }
    let lost = |error| broken("a commit does not panic", format!("{error}"));
    writing.await.map_err(lost)?
}

pub(super) async fn retention_is_a_gap_and_not_silence<S: BusUnderTest>(subject: S) -> Outcome {
    let Some(subject) = subject.forgetful().await else { return Ok(()) };
    let bus = subject.bus();
    let text = "x".repeat(4_000);
    let waits = Entry::new(event("waits"), Place::Parked(Hold::Approval, None));
    append(&*bus, vec![job("worked"), waits]).await?;
    let mut tries = 0;
    while bus.read(0, &EventFilter::all(), 1).await.is_ok() {
        tries += 1;
        holds(tries < 400, "retention removes the oldest events", tries)?;
        let big = Entry::new(event("big").with_data(serde_json::json!(text)), to(&[]));
        append(&*bus, vec![big; 50]).await?;
        tokio::time::sleep(std::time::Duration::from_millis(u64::from(tries > 100) * 10)).await;
    }
    let answer = bus.read(0, &EventFilter::all(), 1).await;
    refused(answer, ErrorKind::Gap, "a read below what retention kept answers with a gap")?;
    let answer = bus.read(0, &EventFilter::try_from("nothing")?, 1).await;
    refused(answer, ErrorKind::Gap, "a gap is told to every filter")?;
    let head = bus.status().borrow().head;
    same(bus.read(head, &EventFilter::all(), 1).await?.at_head, true, "the head can still be read")?;
    let mut stream = EventStream::open(bus.clone(), EventFilter::all(), Start::Beginning).await?;
    let first =
        present(soon(stream.next_logged(), "a stream begins with what is left").await?, "what is left")?;
    let mut before = match first {
        Ok(first) => first.sequence,
        Err(gap) => same(gap.kind(), ErrorKind::Gap, "what a stream missed is a gap").map(|()| 0)?,
    };
    while before < head {
        let next = soon(stream.next_logged(), "a stream reads to the head").await?;
        before = match present(next, "a stream reads to the head")? {
            Ok(next) => {
                let next = next.sequence;
                let follows = before == 0 || next == before + 1;
                holds(follows, "a prefix is removed, nothing in between", (before, next))?;
                next
            }
            // Retention may go on meanwhile.
            Err(gap) => same(gap.kind(), ErrorKind::Gap, "what a stream missed is a gap").map(|()| 0)?,
        };
    }
    same(bus.pending(0, 10).await?.len(), 1, "open work outlives retention")?;
    same(bus.pending(0, 10).await?[0].event.event_type.as_str(), "worked", "with its event")?;
    same(bus.parked(Hold::Approval, 10).await?.len(), 1, "parked work outlives retention")
}

pub(super) async fn status_and_chores_follow_the_commits<S: BusUnderTest>(subject: S) -> Outcome {
    let bus = subject.bus();
    let (mut status, chores) = (bus.status(), bus.chores());
    let limit = status.borrow_and_update().limit;
    holds(limit > 0, "the status says the limit", limit)?;
    append(&*bus, vec![job("a"), Entry::new(event("b"), Place::Unrouted)]).await?;
    soon(status.changed(), "the status tells of a commit").await?.map_err(|_| gone())?;
    let now = *status.borrow();
    same((now.head, now.open), (2, 2), "open counts deliveries and unrouted events")?;
    same(chores.borrow().unrouted, 1, "chores count what waits to be routed")?;
    same(chores.borrow().next_due, None, "nothing is delayed")?;
    let moments = [5_000_000_000_000_000, 4_000_000_000_000_000].map(Timestamp::from_micros);
    for at in moments {
        let later = Entry::new(event("later").with_deliver_at(at), Place::Unrouted);
        let receipt = append(&*bus, vec![later]).await?;
        holds(receipt.appended[0].parked, "a delayed event waits beside the log", &receipt)?;
    }
    same(chores.borrow().next_due, Some(moments[1]), "chores say the earliest due time")?;
    let delivery = &bus.pending(0, 1).await?[0];
    bus.commit(done(delivery, vec![])).await?;
    same(status.borrow().open, 1, "what is settled is open no more")?;
    bus.commit(Command::Audit(Vec::new())).await?;
    same(status.borrow().head, 2, "the head follows the log alone")
}

fn gone() -> Broken {
    broken("a bus tells of its changes while it lives", "its sender is gone".into())
}
