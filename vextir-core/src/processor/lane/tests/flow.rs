//! Whatever the rules, the order of ends and the cancels: limits hold, nothing is lost, and nothing runs twice.

use super::*;
use crate::flow::declared;
use crate::{Capability, Flow, Manifest};
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const SPAN: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
enum Step {
    /// A delivery comes: key, other key, ordering key.
    Offer(u8, u8, Option<bool>),
    /// One that runs ends; sometimes it is tried again.
    End(usize, bool),
    /// One that was made is cancelled.
    Cancel(usize),
    /// Time goes on.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0u8..3, 0u8..2, proptest::option::weighted(0.3, any::<bool>()))
            .prop_map(|(key, other, order)| Step::Offer(key, other, order)),
        4 => (any::<usize>(), proptest::bool::weighted(0.2)).prop_map(|(which, again)| Step::End(which, again)),
        1 => any::<usize>().prop_map(Step::Cancel),
        1 => (0u64..15).prop_map(Step::Wait),
    ]
}

fn rules(one: u32, other: u32, begin: u32, batch: Option<u32>) -> Vec<Declared> {
    let mut job = Capability::new("a.b")
        .flow(Flow::concurrency(one).key("data.key"))
        .flow(Flow::concurrency(other).key("data.other"))
        .flow(Flow::throttle(begin, SPAN).key("data.key"))
        .flow(Flow::priority("data.urgency"));
    if let Some(most) = batch {
        job = job.flow(Flow::batch(most, SPAN).key("data.key"));
    }
    declared(&Manifest::new("d").can(job))
}

/// A lane with tables beside it, a clock, and what the kernel does.
struct World {
    lane: Lane,
    now: Timestamp,
    tables: BTreeMap<Position, Delivery>,
    running: Vec<Delivery>,
    over: BTreeSet<Position>,
    alarms: Vec<(FlowKey, Timestamp)>,
    began: BTreeMap<u64, Vec<Timestamp>>,
}

impl World {
    fn pump(&mut self) {
        for turn in 0.. {
            assert!(turn < 10_000, "it reads for ever: {:#?}", self.lane);
            let taken = self.lane.take(3, self.now);
            assert!(self.lane.early().is_empty());
            self.alarms.append(&mut self.lane.alarms());
            let spill = self.lane.wants_to_read();
            if let Some(after) = spill {
                let page: Vec<Delivery> =
                    self.tables.range(after + 1..).map(|(_, one)| one.clone()).take(4).collect();
                for delivery in &page {
                    if !self.lane.has_taken(delivery.position) {
                        self.lane.enqueue(delivery.clone());
                    }
                }
                self.lane.read(page.last().map_or(after, |last| last.position), page.len() < 4);
            }
            let behind = self.lane.wants_to_read_behind();
            if let Some(after) = behind {
                let page: Vec<Delivery> =
                    self.tables.range(after + 1..).map(|(_, one)| one.clone()).take(4).collect();
                let up_to = if page.len() < 4 { Position::MAX } else { page[3].position };
                self.lane.read_behind(after, up_to, page);
            }
            if taken.is_empty() && spill.is_none() && behind.is_none() {
                return;
            }
            for delivery in taken {
                for one in delivery.all() {
                    assert!(!self.over.contains(&one.position), "{} runs again", one.position);
                    assert!(
                        !self
                            .running
                            .iter()
                            .flat_map(Delivery::all)
                            .any(|other| other.position == one.position)
                    );
                }
                let key = delivery.event.data.value()["key"].as_u64().unwrap();
                self.began.entry(key).or_default().push(self.now);
                self.running.push(delivery);
            }
        }
    }

    fn ring(&mut self) {
        let now = self.now;
        for (key, _) in self.alarms.extract_if(.., |(_, at)| *at <= now) {
            self.lane.ring(key, now);
        }
    }

    fn end(&mut self, which: usize, again: bool) {
        if self.running.is_empty() {
            return;
        }
        let delivery = self.running.swap_remove(which % self.running.len());
        if again {
            self.lane.leave(&delivery);
            let position = delivery.position;
            self.lane.sleep(delivery, timer());
            self.lane.wake(position);
            return;
        }
        for one in delivery.all() {
            self.tables.remove(&one.position);
            self.over.insert(one.position);
        }
        self.lane.finish(&delivery);
    }

    fn check(&self, limits: (u32, u32, u32)) {
        let count = |field: &str| {
            let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
            for delivery in &self.running {
                *counts.entry(delivery.event.data.value()[field].as_u64().unwrap()).or_default() += 1;
            }
            counts.into_values().max().unwrap_or(0)
        };
        assert!(count("key") <= limits.0 && count("other") <= limits.1);
        for began in self.began.values() {
            let recent = began.iter().filter(|at| self.now.since(**at) < SPAN).count();
            assert!(recent <= limits.2 as usize, "{recent} began of {}", limits.2);
        }
    }
}

fn delivery_of(position: Position, now: Timestamp, key: u8, other: u8, order: Option<bool>) -> Delivery {
    let mut delivery = delivery(position, Priority::Normal, order.map(|one| if one { "x" } else { "y" }));
    let data = json!({"key": key, "other": other, "urgency": i32::from(key) - 1});
    delivery.event = delivery.event.with_data(data);
    Delivery { logged_at: now, ..delivery }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn rules_hold_and_nothing_is_lost(
        limits in (1u32..3, 1u32..4, 1u32..5),
        batch in proptest::option::weighted(0.4, 1u32..4),
        (slots, capacity) in (1usize..5, 1usize..6),
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut lane = open_lane(slots, capacity);
        lane.set_flow(&rules(limits.0, limits.1, limits.2, batch));
        let mut world = World {
            lane,
            now: Timestamp::from_micros(1_750_000_000_000_000),
            tables: BTreeMap::new(),
            running: Vec::new(),
            over: BTreeSet::new(),
            alarms: Vec::new(),
            began: BTreeMap::new(),
        };
        let mut position = 0;
        for step in steps {
            match step {
                Step::Offer(key, other, order) => {
                    position += 1;
                    let delivery = delivery_of(position, world.now, key, other, order);
                    world.tables.insert(position, delivery.clone());
                    world.lane.offer(delivery);
                }
                Step::End(which, again) => world.end(which, again),
                Step::Cancel(which) if position > 0 => {
                    let gone = which as u64 % position + 1;
                    let runs = world.running.iter().flat_map(Delivery::all).any(|one| one.position == gone);
                    if !runs && world.tables.remove(&gone).is_some() {
                        world.over.insert(gone);
                        world.lane.remove(|queued| queued.position == gone);
                    }
                }
                Step::Cancel(_) => {}
                Step::Wait(seconds) => {
                    world.now = world.now.after(Duration::from_secs(seconds));
                    world.ring();
                }
            }
            world.pump();
            world.check(limits);
        }
        for _ in 0..2_000 {
            if world.tables.is_empty() {
                break;
            }
            world.end(0, false);
            world.now = world.now.after(Duration::from_secs(5));
            world.ring();
            world.pump();
            world.check(limits);
        }
        prop_assert!(world.tables.is_empty(), "{:?} never ran", world.tables.keys().collect::<Vec<_>>());
        prop_assert_eq!(world.over.len() as u64, position);
    }
}

#[test]
fn a_key_has_one_timer_however_many_batches_it_has() {
    let mut lane = open_lane(4, 1_000);
    let rule = Flow::batch(2, SPAN).key("data.key");
    lane.set_flow(&declared(&Manifest::new("d").can(Capability::new("a.b").flow(rule))));
    let now = Timestamp::from_micros(1_750_000_000_000_000);
    let later = |seconds: u64| now.after(Duration::from_secs(seconds));
    for position in 1..=201 {
        lane.offer(delivery_of(position, now, 0, 0, None));
        if let Some(batch) = lane.next(now) {
            assert_eq!(batch.batch.len(), 1);
            lane.finish(&batch);
        }
    }
    let alarms = lane.alarms();
    assert_eq!(
        alarms.iter().map(|(_, at)| *at).collect::<Vec<_>>(),
        [now.after(SPAN)],
        "100 batches and a half"
    );
    let key = alarms[0].0.clone();
    lane.offer(delivery_of(202, now, 0, 0, None));
    lane.offer(delivery_of(203, later(5), 0, 0, None));
    lane.ring(key.clone(), later(10));
    assert_eq!(lane.alarms(), [(key.clone(), later(15))], "it was set for one that is complete");
    let complete = lane.next(later(10)).unwrap();
    assert_eq!((complete.position, complete.batch.len()), (201, 1));
    assert!(lane.next(later(10)).is_none());
    lane.ring(key, later(15));
    assert_eq!(lane.next(later(15)).unwrap().position, 203);
    assert!(lane.alarms().is_empty());
}
