//! Many delayed events that are due at once.

use super::slow::Slow;
use super::*;
use std::collections::HashMap;
use std::time::Instant;
use vextir::{Clock, ManualClock};

const HOUR: Duration = Duration::from_hours(1);

/// A processor at a time that stands still, on which so many events wait for an hour from then.
async fn waiting(app: Processor, clock: &ManualClock, count: usize, event: fn(usize) -> Event) -> Processor {
    let due = clock.now().after(HOUR);
    for number in 0..count {
        app.emit(event(number).with_data(json!(number)).with_deliver_at(due)).await.unwrap();
    }
    app
}

/// The numbers of the events in the log, once there are so many.
async fn numbers(app: &Processor, count: usize) -> Vec<(Option<Name>, u64)> {
    let mut events = app.subscribe_from(vextir::EventFilter::all(), vextir::Start::Beginning).await.unwrap();
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let event = timeout(SOON, events.next()).await.unwrap().unwrap().unwrap();
        numbers.push((event.ordering_key.clone(), event.data.decode().unwrap()));
    }
    numbers
}

fn monday() -> ManualClock {
    ManualClock::at("2025-06-16T09:00:00Z").unwrap()
}

#[tokio::test]
async fn what_is_due_at_once_is_released_many_at_a_time() {
    let (bus, clock) = (MemoryBus::new(), monday());
    let late = |command: &Command| matches!(command, Command::Release(_));
    let app = Slow::new(bus, late).builder().clock(clock.clone()).start().await.unwrap();
    let app = waiting(app, &clock, 600, |_| Event::new("note")).await;
    let began = Instant::now();
    clock.advance(HOUR);
    let numbers = numbers(&app, 600).await;
    assert!(
        began.elapsed() < Duration::from_millis(50 * 60),
        "each commit takes 50 ms: {:?}",
        began.elapsed()
    );
    assert!(numbers.iter().map(|(_, number)| *number).eq(0..600), "in the order of their time");
}

/// Decides about what is due, and the sooner the later it was emitted.
#[derive(Debug)]
struct Hesitant(ManualClock);

#[vextir::async_trait]
impl Authorizer for Hesitant {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> Result<Verdict> {
        let number: u64 = request.event.data.decode().unwrap();
        if request.event.deliver_at.is_some_and(|at| at <= self.0.now()) {
            tokio::time::sleep(Duration::from_millis(3 - number / 100)).await;
        }
        Ok(Verdict::Allow)
    }
}

#[tokio::test]
async fn those_of_one_user_and_ordering_key_are_released_in_their_order() {
    let clock = monday();
    let app =
        on(MemoryBus::new()).clock(clock.clone()).authorizer(Hesitant(clock.clone())).start().await.unwrap();
    let event = |number: usize| match number % 3 {
        0 => Event::new("note"),
        key => Event::new("note").with_ordering_key(format!("key-{key}")),
    };
    let app = waiting(app, &clock, 300, event).await;
    clock.advance(HOUR);
    let mut by_key: HashMap<Option<Name>, Vec<u64>> = HashMap::new();
    for (key, number) in numbers(&app, 300).await {
        by_key.entry(key).or_default().push(number);
    }
    assert_eq!(by_key.len(), 3);
    for (key, numbers) in by_key {
        assert_eq!(numbers.len(), 100, "{key:?}");
        assert_eq!(numbers.is_sorted(), key.is_some(), "{key:?}: {numbers:?}");
    }
}

/// Which event a command releases into the log.
fn released(command: &Command) -> Option<u64> {
    let Command::Release(release) = command else { return None };
    let entry = release.entry.as_ref()?;
    matches!(entry.place, vextir::bus::Place::Routed(_)).then(|| entry.event.data.decode().unwrap())
}

#[tokio::test]
async fn one_that_cannot_go_on_is_held_and_those_behind_its_key_with_it() {
    let clock = monday();
    let refused = |command: &Command| (released(command) == Some(7)).then_some(ErrorKind::Corrupt);
    let bus = Slow::new(MemoryBus::new(), |_| false).refusing(refused);
    let app = bus.builder().clock(clock.clone()).start().await.unwrap();
    let event = |number: usize| match number % 100 {
        7 => Event::new("note").with_ordering_key("k"),
        _ => Event::new("note"),
    };
    let app = waiting(app, &clock, 300, event).await;
    clock.advance(HOUR);
    let numbers = numbers(&app, 297).await;
    assert!(numbers.iter().all(|(key, _)| key.is_none()), "what is behind it waits");
    let held = app.held(10).await.unwrap();
    let held: Vec<(u64, Hold)> =
        held.iter().map(|held| (held.event.data.decode().unwrap(), held.hold)).collect();
    assert_eq!(held, [(7, Hold::Approval), (107, Hold::Key), (207, Hold::Key)]);
    assert!(app.delayed(10).await.unwrap().is_empty());
}

/// The disk is gone for one of them, for a while: it comes later, the others at once, and each of them once.
#[tokio::test]
async fn one_that_fails_for_now_is_tried_again_and_no_other_comes_twice() {
    static FAILED: AtomicUsize = AtomicUsize::new(0);
    let refused = |command: &Command| {
        let fails = released(command) == Some(42) && FAILED.fetch_add(1, Ordering::SeqCst) < 2;
        fails.then_some(ErrorKind::Unavailable)
    };
    let (clock, bus) = (monday(), Slow::new(MemoryBus::new(), |_| false).refusing(refused));
    let app = bus.builder().clock(clock.clone()).start().await.unwrap();
    let app = waiting(app, &clock, 200, |_| Event::new("note")).await;
    clock.advance(HOUR);
    assert_eq!(numbers(&app, 199).await.len(), 199);
    assert_eq!(app.delayed(10).await.unwrap().len(), 1);
    while FAILED.load(Ordering::SeqCst) < 3 {
        clock.advance(Duration::from_millis(100));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut numbers: Vec<u64> = numbers(&app, 200).await.into_iter().map(|(_, number)| number).collect();
    assert_eq!(numbers.pop(), Some(42));
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 199);
    assert!(app.held(10).await.unwrap().is_empty());
}
