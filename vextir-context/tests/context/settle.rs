//! A handler's writes, outputs and acknowledgement: all of it or nothing.

use crate::{paths, refused, text, value};
use serde_json::json;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use vextir_context::Hub;
use vextir_core::prelude::*;
use vextir_core::{
    BoxError, ContextStore, Error, ErrorKind, EventBus, HandlerResult, Level, LineEdit, MemoryBus,
    RetryPolicy,
};

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;
type Work = fn(&Ctx) -> Boxed<'_>;

/// A driver of one function; emits `done` beside what the function does.
struct Worker {
    work: Work,
}

#[vextir_core::async_trait]
impl Driver for Worker {
    fn manifest(&self) -> Manifest {
        Manifest::new("worker").handles("work").with_retries(2)
    }

    async fn handle_event(&self, _event: Event, cx: &Ctx) -> HandlerResult {
        (self.work)(cx).await?;
        Ok(vec![Event::new("done")])
    }
}

async fn app(hub: &Hub, work: Work) -> Processor {
    let retry = RetryPolicy { base: std::time::Duration::from_millis(1), ..RetryPolicy::default() };
    Processor::builder(hub.clone()).retry(retry).driver(Worker { work }).start().await.unwrap()
}

async fn run(app: &Processor) -> Vec<String> {
    let caused = app.as_user("ann").process_event(Event::new("work")).await.unwrap();
    caused.iter().map(|event| format!("{} {}", event.event_type, event.data.as_json())).collect()
}

#[tokio::test]
async fn writes_are_seen_by_the_handler_and_then_by_all() {
    let hub = crate::hub();
    let ann = hub.context("ann");
    ann.write("/old/text", "one\n").await.unwrap();
    ann.write("/gone", "x").await.unwrap();
    let app = app(&hub, |cx| {
        Box::pin(async move {
            let context = cx.context();
            context.append("/old/text", "two\n").await?;
            context.edit("/old/text", [LineEdit::new(2, "two", "TWO")]).await?;
            context.write("/data", json!({"a": 1})).metadata(json!({"m": 1})).await?;
            context.patch("/data", json!({"b": 2})).await?;
            context.move_to("/old", "/new").await?;
            context.append("/new/text", "three\n").await?;
            context.remove("/gone").await?;
            assert_eq!(text(&context, "/new/text").await, "one\nTWO\nthree\n");
            assert!(context.read("/old/text").await?.is_none());
            assert!(context.read("/gone").await?.is_none());
            let data = context.read("/data").await?.unwrap();
            assert_eq!((data.content, data.metadata), (json!({"a": 1, "b": 2}).into(), json!({"m": 1})));
            assert_eq!(paths(&context.list("/").await?), ["/data", "/new"]);
            assert_eq!(paths(&context.list("/new").await?), ["/new/text"]);
            refused(
                context.edit("/new/text", [LineEdit::new(1, "wrong", "x")]).await,
                ErrorKind::Conflict,
                "1: one",
            );
            Ok(())
        })
    })
    .await;
    assert_eq!(run(&app).await, ["done null"]);
    assert_eq!(text(&ann, "/new/text").await, "one\nTWO\nthree\n");
    assert_eq!(value(&app.context("ann"), "/data").await, json!({"a": 1, "b": 2}));
    assert_eq!(paths(&app.as_user("ann").context().list("/").await.unwrap()), ["/data", "/new"]);
    let by = &ann.history("/data", 1).await.unwrap()[0].by;
    assert_eq!((by.driver.as_deref(), by.user.as_str()), (Some("worker"), "ann"));
    let cause = app.bus().find(&"ann".into(), by.cause.as_ref().unwrap()).await.unwrap().unwrap();
    assert_eq!(cause.event.event_type, "work");
    assert!(app.context("bob").list("/").await.unwrap().is_empty());
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_change_that_cannot_be_applied_takes_the_others_and_the_outputs_with_it() {
    let hub = crate::hub();
    hub.context("bob").write("/shared/x", "x").await.unwrap();
    hub.context("bob").grant("/shared", "ann", Level::Read).await.unwrap();
    let app = app(&hub, |cx| {
        Box::pin(async move {
            let context = cx.context();
            context.write("/mine", "x").await?;
            context.write("/Shared/bob/shared/x", "not allowed").await?;
            Ok(())
        })
    })
    .await;
    let told = run(&app).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("error ") && told[0].contains("takes the level Write"), "{told:?}");
    assert!(hub.context("ann").read("/mine").await.unwrap().is_none());
    assert_eq!(text(&hub.context("bob"), "/shared/x").await, "x");
    assert_eq!(app.bus().dead_letters(0, 10).await.unwrap().len(), 1, "for good, at the first attempt");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_failed_attempt_writes_nothing_and_the_next_begins_anew() {
    static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);
    let hub = crate::hub();
    let app = app(&hub, |cx| {
        Box::pin(async move {
            cx.context().append("/log", "once\n").await?;
            match ATTEMPTS.fetch_add(1, Ordering::Relaxed) {
                0 => Err("not yet".into()),
                _ => Ok(()),
            }
        })
    })
    .await;
    assert_eq!(run(&app).await, ["done null"]);
    assert_eq!(text(&hub.context("ann"), "/log").await, "once\n");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_others_write_between_reading_and_settling_is_merged_or_refused_on_request() {
    static READ: Semaphore = Semaphore::const_new(0);
    static WRITTEN: Semaphore = Semaphore::const_new(0);
    let hub = crate::hub();
    let ann = hub.context("ann");
    ann.write("/t", "one\ntwo\n").await.unwrap();
    ann.write("/j", json!({"a": 1, "b": 1})).await.unwrap();
    let app = app(&hub, |cx| {
        Box::pin(async move {
            let context = cx.context();
            let first = context.read("/t").await?.unwrap();
            context.read("/j").await?;
            READ.add_permits(1);
            WRITTEN.acquire().await?.forget();
            assert_eq!(context.read("/t").await?.unwrap(), first, "the first read pins it");
            context.write("/t", "one\nTWO\n").await?;
            context.write("/j", json!({"a": 1, "b": 2})).await?;
            let strict = context.read("/strict").await?.is_some();
            if strict {
                context.write("/t", "x").expect_version(first.version).await?;
            }
            Ok(())
        })
    })
    .await;
    let (asked, ()) = tokio::join!(run(&app), async {
        READ.acquire().await.unwrap().forget();
        ann.write("/t", "ONE\ntwo\n").await.unwrap();
        ann.write("/j", json!({"a": 2, "b": 1})).await.unwrap();
        WRITTEN.add_permits(1);
    });
    assert_eq!(asked, ["done null"]);
    assert_eq!(text(&ann, "/t").await, "ONE\nTWO\n");
    assert_eq!(value(&ann, "/j").await, json!({"a": 2, "b": 2}));

    ann.write("/strict", "").await.unwrap();
    let (asked, ()) = tokio::join!(run(&app), async {
        READ.acquire().await.unwrap().forget();
        ann.write("/t", "others").await.unwrap();
        WRITTEN.add_permits(1);
    });
    assert!(asked[0].contains("was expected"), "{asked:?}");
    assert_eq!(text(&ann, "/t").await, "others");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn rights_that_went_before_the_settlement_are_gone() {
    static READ: Semaphore = Semaphore::const_new(0);
    static REVOKED: Semaphore = Semaphore::const_new(0);
    let hub = crate::hub();
    let bob = hub.context("bob");
    bob.write("/shared/x", "x").await.unwrap();
    bob.grant("/shared", "ann", Level::Write).await.unwrap();
    let app = app(&hub, |cx| {
        Box::pin(async move {
            cx.context().write("/Shared/bob/shared/x", "late").await?;
            READ.add_permits(1);
            REVOKED.acquire().await?.forget();
            Ok(())
        })
    })
    .await;
    let (asked, ()) = tokio::join!(run(&app), async {
        READ.acquire().await.unwrap().forget();
        bob.revoke("/shared", "ann").await.unwrap();
        REVOKED.add_permits(1);
    });
    assert!(asked[0].contains("there is nothing at"), "{asked:?}");
    assert_eq!(text(&bob, "/shared/x").await, "x");
    app.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_handlers_write_one_document_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    let app = app(&hub, |cx| {
        Box::pin(async move {
            let context = cx.context();
            let id = cx.event().id.to_string();
            context.read("/all").await?;
            context.append("/all", format!("{id}\n")).await?;
            context.patch("/by-id", json!({id: 1})).await?;
            Ok(())
        })
    })
    .await;
    let events = (0..100).map(|_| Event::new("work").with_user("ann")).collect();
    app.emit_all(events).await.unwrap();
    app.idle().await;
    let ann = hub.context("ann");
    assert_eq!(text(&ann, "/all").await.lines().count(), 100);
    assert_eq!(value(&ann, "/by-id").await.as_object().unwrap().len(), 100);
    assert!(app.bus().dead_letters(0, 10).await.unwrap().is_empty());
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_eager_handler_that_writes_takes_the_normal_way() {
    struct Quick;
    #[vextir_core::async_trait]
    impl Driver for Quick {
        fn manifest(&self) -> Manifest {
            let can = vextir_core::Capability::new("quick").effect(vextir_core::Effect::WritesContext);
            Manifest::new("quick").can(can).with_eager(true)
        }
        async fn handle_event(&self, _event: Event, cx: &Ctx) -> HandlerResult {
            cx.context().write("/quick", "x").await?;
            Ok(vec![])
        }
    }
    let hub = crate::hub();
    let app = Processor::builder(hub.clone()).driver(Quick).start().await.unwrap();
    app.as_user("ann").process_event(Event::new("quick")).await.unwrap();
    assert_eq!(text(&hub.context("ann"), "/quick").await, "x");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn without_a_store_the_answer_says_so() {
    let app = Processor::builder(MemoryBus::new()).start().await.unwrap();
    refused(app.context("ann").read("/x").await, ErrorKind::Unsupported, "Hub");
    let event = Event::new("x");
    let unsupported: Error = Ctx::detached(&event).context().write("/x", "x").await.unwrap_err();
    assert_eq!(unsupported.kind(), ErrorKind::Unsupported);
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_handler_is_tested_without_a_processor() {
    let hub = crate::hub();
    hub.context("ann").write("/x", "one\n").await.unwrap();
    let event = Event::new("work").with_user("ann");
    let cx = Ctx::detached(&event).with_store(Arc::new(hub.clone()));
    cx.context().append("/x", "two\n").await.unwrap();
    assert_eq!(text(&cx.context(), "/x").await, "one\ntwo\n");
    assert_eq!(cx.changes().len(), 1);
    assert_eq!(text(&hub.context("ann"), "/x").await, "one\n");
}

/// What a user sees of some paths: documents, and entries of folders.
async fn view(context: &Context) -> Vec<String> {
    let mut seen = Vec::new();
    for folder in ["/", "/a", "/b", "/a/c", "/b/c"] {
        let items = context.list(folder).await.unwrap();
        seen.push(format!(
            "{folder}: {:?}",
            items.iter().map(|item| (&item.path, item.kind)).collect::<Vec<_>>()
        ));
        for item in items {
            let document = context.read(&item.path).await.unwrap();
            seen.push(format!(
                "{} {:?}",
                item.path,
                document.map(|document| (document.content, document.metadata))
            ));
        }
    }
    seen
}

/// Does something that can be done, as far as the context shows.
async fn random_deed(context: &Context, random: &mut fastrand::Rng) -> vextir_core::Result<()> {
    const PATHS: [&str; 8] = ["/a", "/b", "/a/c", "/b/c", "/a/x", "/b/x", "/a/c/y", "/b/c/y"];
    let path = PATHS[random.usize(..PATHS.len())];
    let folder =
        path.rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
    let there = context.list(folder).await?.into_iter().find(|item| item.path == path);
    let above_is_document = context.read(folder).await?.is_some()
        || context.read("/a").await?.is_some() && path.starts_with("/a/")
        || context.read("/b").await?.is_some() && path.starts_with("/b/");
    let is_document = context.read(path).await?.is_some();
    match (random.u8(..5), there) {
        _ if above_is_document => Ok(()),
        (0, Some(_)) => context.remove(path).await,
        (1, Some(_)) => {
            let to = PATHS[random.usize(..PATHS.len())];
            let taken = view(context).await.iter().any(|line| line.starts_with(&format!("{to} ")));
            let blocked =
                ["/a", "/b", "/a/c", "/b/c"].iter().any(|above| to.starts_with(&format!("{above}/")))
                    && (context.read("/a").await?.is_some()
                        || context.read("/b").await?.is_some()
                        || context.read("/a/c").await?.is_some()
                        || context.read("/b/c").await?.is_some());
            if taken || blocked || to.starts_with(path) { Ok(()) } else { context.move_to(path, to).await }
        }
        (2, Some(_)) if is_document => context.append(path, format!("{}\n", random.u8(..))).await.map(drop),
        (_, None) => context
            .write(path, format!("{}\n", random.u8(..)))
            .metadata(json!({"n": random.u8(..)}))
            .await
            .map(drop),
        (_, Some(_)) if is_document => {
            context.write(path, format!("over {}\n", random.u8(..))).await.map(drop)
        }
        _ => Ok(()),
    }
}

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[tokio::test]
async fn what_the_handler_saw_is_what_is_committed() {
    let hub = crate::hub();
    let ann = hub.context("ann");
    let app = app(&hub, |cx| {
        Box::pin(async move {
            let seed: u64 = cx.event().data.decode()?;
            let mut random = fastrand::Rng::with_seed(seed);
            let context = cx.context();
            for _ in 0..random.usize(1..15) {
                random_deed(&context, &mut random).await?;
            }
            *SEEN.lock().unwrap() = view(&context).await;
            Ok(())
        })
    })
    .await;
    let mut documents = 0;
    for seed in 0..150u64 {
        let event = Event::new("work").with_data(json!(seed));
        let caused = app.as_user("ann").process_event(event).await.unwrap();
        assert_eq!(caused[0].event_type, "done", "seed {seed}: {:?}", caused[0].data);
        let seen = std::mem::take(&mut *SEEN.lock().unwrap());
        assert_eq!(view(&ann).await, seen, "seed {seed}");
        documents += seen.iter().filter(|line| line.contains("Some(")).count();
    }
    assert!(documents > 150, "too little happened: {documents}");
    app.shutdown().await.unwrap();
}

/// A settlement that finds no room is not a failure of its handler: it waits for room, whole.
#[tokio::test]
async fn a_settlement_without_room_leaves_no_part_of_itself() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = Hub::builder(&file).max_bytes(1 << 20).open().unwrap();
    let app = app(&hub, |cx| {
        Box::pin(async move {
            let mut random = fastrand::Rng::with_seed(1);
            let noise: String = std::iter::repeat_with(|| random.alphanumeric()).take(2 << 20).collect();
            cx.context().write("/small", "x").await?;
            cx.context().write("/large", noise).await?;
            Ok(())
        })
    })
    .await;
    app.emit(Event::new("work").with_user("ann")).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let ann = hub.context("ann");
    assert!(ann.list("/").await.unwrap().is_empty());
    ann.write("/other", "there is room for this").await.unwrap();
    drop((app, ann));
    hub.close().await.unwrap();

    let hub = Hub::open(&file).unwrap();
    assert_eq!(paths(&hub.context("ann").list("/").await.unwrap()), ["/other"]);
    assert_eq!(hub.status().borrow().open, 1, "the delivery is still open");
}

/// A search that is fresh, say, begins with what it knows to be the last change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sees_that_the_work_is_done_sees_its_changes() {
    let hub = crate::hub();
    let app = app(&hub, |cx| {
        Box::pin(async move { cx.context().append("/log", "x").await.map(drop).map_err(Into::into) })
    })
    .await;
    let (status, changes) = (hub.status(), ContextStore::head(&hub));
    for round in 0..500 {
        let before = *changes.borrow();
        app.as_user("ann").emit(Event::new("work")).await.unwrap();
        let (status, changes) = (status.clone(), changes.clone());
        let seen = tokio::task::spawn_blocking(move || {
            while status.borrow().open > 0 {
                std::hint::spin_loop();
            }
            *changes.borrow()
        });
        assert!(seen.await.unwrap() > before, "in round {round}");
    }
    app.shutdown().await.unwrap();
}
