//! The simulation finds what is wrong with a driver, and nothing where nothing is.
#![cfg(feature = "testkit")]

extern crate vextir_core as vextir;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vextir::prelude::*;
use vextir::testkit::{Moment, Simulation};
use vextir::{Capability, Effect, Limits, RetryPolicy};

type Answer = Arc<dyn Fn(&Event, &Ctx) -> HandlerResult + Send + Sync>;

struct Answers(Manifest, Answer);

fn answers(
    manifest: Manifest,
    answer: impl Fn(&Event, &Ctx) -> HandlerResult + Send + Sync + 'static,
) -> Answers {
    Answers(manifest, Arc::new(answer))
}

#[vextir::async_trait]
impl Driver for Answers {
    fn manifest(&self) -> Manifest {
        self.0.clone()
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        (self.1)(&event, cx)
    }
}

fn jobs(count: u32) -> impl Iterator<Item = Event> {
    (0..count).map(|n| Event::new("job").with_data(json!(n)))
}

/// Split, check (fails at first), join; with ordering keys, delays and an eager driver, which is eager only for what
/// comes from outside.
fn pipeline(app: vextir::ProcessorBuilder) -> vextir::ProcessorBuilder {
    let split = answers(Manifest::new("split").handles("job"), |event, cx| {
        let later = cx.now().after(Duration::from_secs(3_600));
        let part = |n: u32| {
            let part =
                Event::new("part").with_data(json!([event.data.value(), n])).with_ordering_key("parts");
            if n == 2 { part.with_deliver_at(later) } else { part }
        };
        Ok((0..3).map(part).collect())
    });
    let check = answers(Manifest::new("check").handles("part").with_retries(2), |event, cx| {
        if cx.attempt() == 1 {
            return Err("not at first".into());
        }
        cx.draw("cents", 3);
        Ok(vec![Event::new("checked").with_data(event.data.clone())])
    });
    let reads = Capability::new("checked").effect(Effect::Reads);
    let note = answers(Manifest::new("note").can(reads).with_eager(true), |event, _| {
        Ok(vec![Event::new("noted").with_data(json!(event.id))])
    });
    let fail = answers(Manifest::new("fail").handles("job"), |event, _| match event.data.as_json() {
        "1" => Err(Failure::permanent("one is odd").into()),
        _ => Ok(vec![]),
    });
    app.driver(split).driver(check).driver(note).driver(fail)
}

#[test]
fn drivers_without_a_fault_end_alike_wherever_the_process_dies() {
    let checked = Simulation::new(pipeline)
        .events(jobs(3))
        .event(Event::new("checked").with_data(json!("from outside")))
        .seeds(0..3)
        .whatever_the_order()
        .invariant("every part is noted", |(), run| run.count("noted") == 10)
        .invariant("a failure is a letter", |(), run| run.dead_letters.len() == 1 && run.count("error") == 1)
        .check()
        .unwrap_or_else(|finding| panic!("{finding}"));
    assert_eq!(checked.runs, 3);
    assert!(checked.crashes > 3 * 2 * 30, "{checked:?}");
}

#[test]
fn a_tree_held_at_its_limit_is_held_after_a_crash_too() {
    Simulation::new(|app| {
        let again = answers(Manifest::new("again").handles("job"), |_, _| Ok(vec![Event::new("job")]));
        app.limits(Limits { events: 12, ..Limits::default() }).driver(again)
    })
    .events(jobs(2))
    .invariant("each tree says once that it is held", |(), run| run.count("lease.held") == 2)
    .check()
    .unwrap_or_else(|finding| panic!("{finding}"));
}

#[test]
fn state_in_memory_is_found() {
    let finding = Simulation::new(|app| {
        let total = AtomicUsize::new(0);
        app.driver(answers(Manifest::new("total").handles("job"), move |event, _| {
            let total = total.fetch_add(event.data.decode()?, Ordering::SeqCst);
            Ok(vec![Event::new("total").with_data(json!(total))])
        }))
    })
    .events(jobs(4))
    .check()
    .unwrap_err();
    let crash = finding.crash.unwrap();
    assert_eq!(finding.seed, 0);
    assert!(finding.at.as_ref().unwrap().contains("job"), "{finding}");
    assert!(finding.to_string().contains("too many: event total"), "{finding}");
    assert!(crash.commit > 1, "{finding}");
}

#[test]
fn an_outside_effect_that_happens_twice_is_found() {
    type Mails = Arc<AtomicUsize>;
    let finding = Simulation::in_world(Mails::default, |app, mails| {
        let mails = mails.clone();
        app.driver(answers(Manifest::new("mail").handles("job"), move |_, _| {
            mails.fetch_add(1, Ordering::SeqCst);
            Ok(vec![Event::new("mailed")])
        }))
    })
    .events(jobs(3))
    .invariant("one mail is sent for each job", |mails, run| {
        mails.load(Ordering::SeqCst) == run.count("mailed")
    })
    .check()
    .unwrap_err();
    assert_eq!(finding.crash.unwrap().moment, Moment::Before, "after the commit nothing is repeated");
    assert!(finding.to_string().contains("one mail is sent for each job"), "{finding}");
    assert!(finding.at.unwrap().contains("the settlement of job by mail"));
    assert_eq!(finding.run.lives, 2);
}

#[test]
fn an_output_that_depends_on_the_order_is_found_by_some_seed() {
    let racing = || {
        Simulation::new(|app| {
            let last = Arc::new(Mutex::new(json!(null)));
            let driver = |id: &'static str| {
                let last = last.clone();
                answers(Manifest::new(id).handles("job"), move |_, cx| {
                    let before = std::mem::replace(&mut *last.lock().unwrap(), json!(cx.driver()));
                    Ok(vec![Event::new("saw").with_data(before)])
                })
            };
            app.driver(driver("one")).driver(driver("two")).driver(driver("three"))
        })
        .events(jobs(4))
        .seeds(0..1)
    };
    let runs: std::collections::BTreeSet<String> = (0..10)
        .filter_map(|seed| racing().seeds(seed..seed + 1).invariant("shown", |(), _| false).check().err())
        .map(|finding| finding.run.of_type("saw").map(|event| event.data.as_json().to_owned()).collect())
        .collect();
    assert!(runs.len() > 1, "all seeds gave one order: {runs:?}");
}

#[test]
fn time_passes_when_nobody_can_go_on() {
    let checked = Simulation::new(|app| {
        app.retry(RetryPolicy { base: Duration::from_secs(600), cap: Duration::from_secs(3_600) }).driver(
            answers(Manifest::new("slow").handles("job").with_retries(5), |_, cx| match cx.attempt() {
                1..5 => Err("later".into()),
                _ => Ok(vec![Event::new("done")]),
            }),
        )
    })
    .events(jobs(2))
    .invariant("all is done", |(), run| run.count("done") == 2)
    .check()
    .unwrap_or_else(|finding| panic!("{finding}"));
    assert!(checked.crashes > 0);
}

#[test]
fn work_that_never_ends_is_found() {
    let finding = Simulation::new(|app| {
        app.driver(answers(Manifest::new("never").handles("job").with_retries(1_000), |_, _| {
            Err("later".into())
        }))
    })
    .events(jobs(1))
    .longest(Duration::from_secs(600))
    .check()
    .unwrap_err();
    assert!(finding.to_string().contains("still open after 10m"), "{finding}");
}

/// Watches a counter outside; without a checkpoint it would tell the same twice after a crash.
struct Watch {
    with_checkpoint: bool,
}

#[vextir::async_trait]
impl Driver for Watch {
    fn manifest(&self) -> Manifest {
        Manifest::new("watch")
    }

    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(vec![])
    }

    async fn start(&self, emitter: Emitter) -> vextir::Result<()> {
        let with_checkpoint = self.with_checkpoint;
        tokio::spawn(async move {
            let seen = emitter.checkpoints("", 1).await?.pop();
            let from: u32 = match seen.and_then(|seen| seen.value) {
                Some(value) => value.decode()?,
                None => 0,
            };
            for n in from..3 {
                let event = Event::new("seen").with_data(json!(n));
                let note = with_checkpoint.then(|| ("seen".to_owned(), Some(json!(n + 1).into())));
                emitter.emit_all(vec![event], note.into_iter().collect()).await?;
            }
            Ok::<(), vextir::Error>(())
        });
        Ok(())
    }
}

#[test]
fn a_watcher_needs_its_checkpoints() {
    let watch = |with_checkpoint| {
        Simulation::new(move |app| app.driver(Watch { with_checkpoint }))
            .invariant("each is seen once", |(), run| run.count("seen") == 3)
            .check()
    };
    watch(true).unwrap_or_else(|finding| panic!("{finding}"));
    let finding = watch(false).unwrap_err();
    assert!(finding.at.unwrap().contains("the emit of seen"));
}
