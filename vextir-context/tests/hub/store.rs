//! What is stored is found again: append, settle, read, wait, fail, and open anew.

use crate::{append, done, event, output, page, reopen, routed, settle};
use std::sync::Arc;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::bus::{Append, Checkpoint, Command, Entry, Hold, Outcome, Place, Release, Settlement};
use vextir_core::{
    AuditRecord, Category, Clock, Data, Decision, ErrorKind, Event, EventBus, EventBusExt, EventFilter,
    LeaseState, Limits, ManualClock, Name, Priority, Start, Timestamp,
};

#[tokio::test]
async fn an_event_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let full = event("order.placed")
        .with_id("evt_123".parse().unwrap())
        .with_category(Category::Input)
        .with_timestamp("2025-06-15T12:00:00.123456Z".parse().unwrap())
        .with_cause("0197aaaa-bbbb-7ccc-8ddd-eeeeffff0000".parse().unwrap())
        .with_label("untrusted")
        .with_label("pii")
        .with_ordering_key("order-7")
        .with_priority(Priority::High)
        .with_metadata("traceparent", "00-abc")
        .with_data(Data::from_json("{ \"kept\":  [1, 2.50] }").unwrap());
    let bare = Event::new("nothing.said").with_user("guest");
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    append(&hub, vec![Entry::new(full.clone(), Place::Unrouted), Entry::new(bare, Place::Unrouted)]).await;
    let before = page(&hub).await;
    let hub = reopen(hub, folder.path()).await;
    let found = page(&hub).await;
    assert_eq!(before, found);
    assert_eq!(found[0], full);
    assert_eq!(found[1].user_id, "guest");
    assert!(!found[1].id.is_unset() && !found[1].timestamp.is_unset());
    let by_id = hub.find(&Name::literal("local"), &full.id).await.unwrap();
    assert_eq!(by_id.unwrap().event, full);
    assert!(hub.find(&Name::literal("guest"), &full.id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_settled_delivery_leaves_outputs_and_a_quiet_tree() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    assert!(!hub.attach().await.unwrap().unclean);
    append(&hub, vec![routed(event("a"), "one"), routed(event("b"), "two")]).await;
    let fed = hub.receive(10).await.unwrap();
    assert_eq!(fed.len(), 2);
    assert_eq!(hub.pending(0, 10).await.unwrap(), fed);
    let receipt = hub.commit(settle(&fed[0], done(vec![output(&fed[0], "a.done")]))).await.unwrap();
    assert_eq!(receipt.tree.unwrap().open, 0);
    let again = hub.commit(settle(&fed[0], done(Vec::new()))).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Stale);

    let hub = reopen(hub, folder.path()).await;
    assert_eq!(hub.pending(0, 10).await.unwrap(), fed[1..]);
    assert_eq!(hub.status().borrow().open, 1);
    let lease = hub.lease(&Name::literal("local"), &fed[0].event.id).await.unwrap().unwrap();
    assert_eq!((lease.events, lease.open, lease.first, lease.last), (2, 0, 1, 3));
    assert_eq!(page(&hub).await.len(), 3);
    assert!(hub.attach().await.unwrap().unclean, "the last processor was not detached");
    hub.detach().await.unwrap();
    assert!(!hub.attach().await.unwrap().unclean);
    append(&hub, vec![routed(event("c"), "one")]).await;
    let fresh = hub.receive(10).await.unwrap().remove(0);
    assert!(fresh.position > fed[1].position && fresh.sequence == 4);
}

#[tokio::test]
async fn failures_are_tried_again_and_then_kept_as_dead_letters() {
    let hub = Hub::in_memory().unwrap();
    hub.attach().await.unwrap();
    append(&hub, vec![routed(event("a"), "one")]).await;
    let delivery = hub.receive(1).await.unwrap().remove(0);
    let at = delivery.logged_at.after(Duration::from_secs(1));
    hub.commit(settle(&delivery, Outcome::Retry { at, error: "not yet".into() })).await.unwrap();
    let waiting = hub.pending(0, 10).await.unwrap().remove(0);
    assert_eq!((waiting.attempt, waiting.due, waiting.error.as_deref()), (1, Some(at), Some("not yet")));
    hub.commit(Command::Reclaim { positions: vec![waiting.position], alone: None }).await.unwrap();
    assert_eq!(hub.pending(0, 10).await.unwrap()[0].reclaims, 1);

    let dead = Outcome::Dead { reason: "never".into(), outputs: Vec::new() };
    hub.commit(settle(&waiting, dead)).await.unwrap();
    assert!(hub.pending(0, 10).await.unwrap().is_empty());
    let letter = hub.dead_letters(0, 10).await.unwrap().remove(0);
    assert_eq!((letter.attempts, letter.reason.as_str(), &letter.event), (2, "never", &delivery.event));

    let (positions, decision) = (vec![letter.position], Decision::new("operator", "once more"));
    let redrive = Command::Redrive { positions, decision, limits: None };
    let receipt = hub.commit(redrive).await.unwrap();
    assert_eq!(receipt.touched, 1);
    let redriven = hub.receive(1).await.unwrap().remove(0);
    assert!(redriven.position > letter.position && redriven.event == letter.event);
    assert!(hub.dead_letters(0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_event_waits_for_its_time_beside_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let open = || Hub::builder(folder.path().join("hub.db")).clock(Arc::new(clock.clone())).open().unwrap();
    let hub = open();
    let due = clock.now().after(Duration::from_secs(60));
    let later = clock.now().after(Duration::from_secs(120));
    hub.emit(event("later").with_deliver_at(later)).await.unwrap();
    let id = hub.emit(event("sooner").with_deliver_at(due)).await.unwrap();
    hub.close().await.unwrap();

    let hub = open();
    assert_eq!(hub.chores().borrow().next_due, Some(due));
    let parked = hub.parked(Hold::Delayed, 10).await.unwrap();
    assert_eq!(
        parked.iter().map(|one| one.event.event_type.as_str()).collect::<Vec<_>>(),
        ["sooner", "later"]
    );
    assert!(page(&hub).await.is_empty());
    let entry = routed(parked[0].event.clone(), "one");
    let user = Name::literal("local");
    let release = Release { user: user.clone(), id: id.clone(), entry: Some(entry), audit: Vec::new() };
    hub.commit(Command::Release(Box::new(release))).await.unwrap();
    assert_eq!(hub.chores().borrow().next_due, Some(later));
    assert_eq!(hub.pending(0, 10).await.unwrap()[0].event.id, id);

    let receipt = hub
        .commit(Command::Cancel { user: user.clone(), root: id.clone(), audit: Vec::new() })
        .await
        .unwrap();
    assert_eq!(receipt.touched, 1);
    assert!(hub.pending(0, 10).await.unwrap().is_empty());
    assert_eq!(hub.lease(&user, &id).await.unwrap().unwrap().state, LeaseState::Cancelled);
    assert_eq!(hub.status().borrow().open, 0);
}

#[tokio::test]
async fn a_tree_at_its_limit_is_held_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    hub.attach().await.unwrap();
    let mut entry = routed(event("a"), "one");
    entry.limits = Some(Box::new(Limits { events: 1, ..Limits::default() }));
    append(&hub, vec![entry]).await;
    let delivery = hub.receive(1).await.unwrap().remove(0);
    let mut settlement = Settlement::of(&delivery, done(vec![output(&delivery, "b")]));
    settlement.usage.push((Name::literal("tokens"), 7));
    let receipt = hub.commit(Command::Settle(Arc::new(settlement))).await.unwrap();
    assert_eq!(receipt.tree.unwrap().state, LeaseState::Held);
    assert_eq!(receipt.notices.len(), 1);

    let hub = reopen(hub, folder.path()).await;
    let user = Name::literal("local");
    let lease = hub.lease(&user, &delivery.event.id).await.unwrap().unwrap();
    assert_eq!((lease.state, lease.parked, lease.limits.events), (LeaseState::Held, 1, 1));
    assert_eq!(lease.units.get("tokens"), Some(&7));
    assert_eq!(hub.parked(Hold::Lease, 10).await.unwrap().len(), 1);
    assert_eq!(hub.unrouted(10).await.unwrap()[0].event.event_type, "lease.held");
    let limits = Limits { events: 5, ..Limits::default() };
    let extend = Command::Extend {
        user: user.clone(),
        root: delivery.event.id.clone(),
        limits: limits.clone(),
        audit: Vec::new(),
    };
    hub.commit(extend).await.unwrap();
    assert_eq!(hub.lease(&user, &delivery.event.id).await.unwrap().unwrap().limits, limits);
}

#[tokio::test]
async fn keys_checkpoints_drivers_and_the_audit_stay() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    let mut entry = Entry::new(event("a"), Place::Unrouted);
    entry.key = Some(Name::literal("mail-7"));
    let command = Append {
        entries: vec![entry.clone()],
        checkpoints: vec![
            checkpoint("b", Some(serde_json::json!(2))),
            checkpoint("a", Some(serde_json::json!({"size": 1}))),
        ],
        audit: vec![AuditRecord::about(&entry.event, "deny", Decision::new("rule", "because"))],
    };
    let first = hub.commit(command.into()).await.unwrap().appended.remove(0);
    hub.commit(Command::Know(Name::literal("watcher"), "1.2.0".into())).await.unwrap();
    let hub = reopen(hub, folder.path()).await;

    let second = append(&hub, vec![entry]).await.appended.remove(0);
    assert!(first.fresh && !second.fresh && first.id == second.id);
    let driver = Name::literal("watcher");
    let keys = |found: Vec<Checkpoint>| found.into_iter().map(|one| one.key).collect::<Vec<_>>();
    assert_eq!(keys(hub.checkpoints(&driver, "", 10).await.unwrap()), ["a", "b"]);
    let forget = Append { checkpoints: vec![checkpoint("a", None)], ..Append::default() };
    hub.commit(forget.into()).await.unwrap();
    assert_eq!(keys(hub.checkpoints(&driver, "", 10).await.unwrap()), ["b"]);
    let (number, record) = hub.audit(0, 10).await.unwrap().remove(0);
    assert_eq!(record.decision.reason, "because");
    assert!(!record.at.is_unset() && hub.audit(number, 10).await.unwrap().is_empty());
    let known = hub.attach().await.unwrap().drivers;
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].id.as_str(), known[0].version.as_str()), ("watcher", "1.2.0"));
}

fn checkpoint(key: &str, value: Option<serde_json::Value>) -> Checkpoint {
    Checkpoint { driver: Name::literal("watcher"), key: key.into(), value: value.map(Data::from) }
}

#[tokio::test]
async fn an_id_is_stored_once() {
    let hub = Hub::in_memory().unwrap();
    let one = event("a").with_id("evt_1".parse().unwrap());
    let first = append(&hub, vec![Entry::new(one.clone(), Place::Unrouted)]).await.appended.remove(0);
    let same = append(&hub, vec![Entry::new(one.clone(), Place::Unrouted)]).await.appended.remove(0);
    assert!(!same.fresh && same.sequence == first.sequence);
    let other = Entry::new(one.clone().with_data(serde_json::json!(1)), Place::Unrouted);
    let refused = hub.commit(Command::append(vec![other])).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let guest = append(&hub, vec![Entry::new(one.with_user("guest"), Place::Unrouted)]).await;
    assert!(guest.appended[0].fresh, "foreign ids are unique for each user");
}

#[tokio::test]
async fn a_subscription_reads_on_where_it_stood_before_the_restart() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    let mut stream =
        Arc::new(hub.clone()).subscribe("a.*".try_into().unwrap(), Start::Beginning).await.unwrap();
    for name in ["a.one", "b.one", "a.two"] {
        hub.emit(event(name)).await.unwrap();
    }
    assert_eq!(stream.next().await.unwrap().unwrap().event_type, "a.one");
    let cursor = stream.cursor().to_string();
    let hub = reopen(hub, folder.path()).await;
    assert!(stream.next().await.unwrap().is_ok(), "the page was read before");
    assert!(stream.next().await.is_none(), "the old hub was closed");
    let start = Start::At(cursor.parse().unwrap());
    let mut stream = Arc::new(hub.clone()).subscribe("a.*".try_into().unwrap(), start).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().event_type, "a.two");
    let next = tokio::spawn(async move { stream.next().await.unwrap().unwrap() });
    hub.emit(event("a.three")).await.unwrap();
    assert_eq!(next.await.unwrap().event_type, "a.three");
}

#[tokio::test]
async fn log_times_never_go_back() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let open = || Hub::builder(folder.path().join("hub.db")).clock(Arc::new(clock.clone())).open().unwrap();
    let hub = open();
    let first = hub.emit(event("a")).await.unwrap();
    clock.jump("2025-06-14T12:00:00Z".parse().unwrap());
    let second = hub.emit(event("b")).await.unwrap();
    hub.close().await.unwrap();
    let hub = open();
    let third = hub.emit(event("c")).await.unwrap();
    assert!(first < second, "ids grow");
    assert_ne!(second, third);
    let page = hub.read(0, &EventFilter::all(), 10).await.unwrap();
    let times: Vec<Timestamp> = page.events.iter().map(|logged| logged.logged_at).collect();
    assert!(times.is_sorted() && times[2] == times[0], "{times:?}");
}

#[tokio::test]
async fn the_backlog_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::builder(folder.path().join("hub.db")).backlog(3).open().unwrap();
    hub.attach().await.unwrap();
    for _ in 0..3 {
        hub.try_emit(event("a")).await.unwrap();
    }
    assert_eq!(hub.try_emit(event("a")).await.unwrap_err().kind(), ErrorKind::Busy);
    let waiting = {
        let hub = hub.clone();
        tokio::spawn(async move { hub.emit(event("b")).await })
    };
    tokio::task::yield_now().await;
    let logged = hub.unrouted(1).await.unwrap().remove(0);
    let route = vextir_core::bus::Route {
        sequence: logged.sequence,
        event: logged.event,
        place: Place::Routed(Vec::new()),
        checkpoint: None,
        audit: Vec::new(),
        limits: None,
        waiting: true,
    };
    hub.commit(Command::Route(Box::new(route))).await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(hub.status().borrow().open, 3);
}
