use crate::driver::{answers, driver, quick};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vextir::prelude::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_one_key_come_in_order_and_others_in_parallel() {
    let seen: Arc<Mutex<HashMap<String, Vec<u64>>>> = Arc::default();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (seen_by, running_by, most_by) = (seen.clone(), running.clone(), most.clone());
    let ordered = driver(Manifest::new("ordered").handles("job").with_concurrency(8), move |event, cx| {
        let (seen, running, most) = (seen_by.clone(), running_by.clone(), most_by.clone());
        Box::pin(async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_micros(fastrand::u64(0..300))).await;
            running.fetch_sub(1, Ordering::SeqCst);
            // Every seventh attempt fails first: a retry keeps its key.
            let n: u64 = event.data.decode()?;
            if n.is_multiple_of(7) && cx.attempt() == 1 {
                return Err("again".into());
            }
            let key = event.ordering_key.clone().unwrap().to_string();
            seen.lock().unwrap().entry(key).or_default().push(n);
            Ok(vec![])
        })
    });
    let app = quick().driver(ordered).start().await.unwrap();
    for n in 0..400u64 {
        let event = Event::new("job").with_data(json!(n)).with_ordering_key(format!("key-{}", n % 5));
        app.emit(event).await.unwrap();
    }
    app.idle().await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 5);
    for (key, order) in seen.iter() {
        assert_eq!(order.len(), 80, "{key}");
        assert!(order.is_sorted(), "{key}: {order:?}");
    }
    let most = most.load(Ordering::SeqCst);
    assert!((2..=5).contains(&most), "{most} at a time with five keys");
}

/// How many calls of a driver ran at a time, of 50 that could.
async fn most_at_a_time(manifest: Manifest, memory: Option<u64>) -> usize {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running_by, most_by) = (running.clone(), most.clone());
    let busy = driver(manifest, move |_, _| {
        let (running, most) = (running_by.clone(), most_by.clone());
        Box::pin(async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(1)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(vec![])
        })
    });
    let builder = memory.into_iter().fold(quick(), vextir::ProcessorBuilder::memory);
    let app = builder.driver(busy).start().await.unwrap();
    for _ in 0..50 {
        app.emit(Event::new("job")).await.unwrap();
    }
    app.idle().await;
    most.load(Ordering::SeqCst)
}

#[tokio::test]
async fn concurrency_is_a_limit() {
    let busy = || Manifest::new("busy").handles("job").with_concurrency(3);
    assert_eq!(most_at_a_time(busy(), None).await, 3);
    assert_eq!(most_at_a_time(busy().with_memory(1_000), None).await, 3);
}

#[tokio::test]
async fn no_more_calls_run_than_fit_into_the_memory() {
    let busy = |memory| Manifest::new("busy").handles("job").with_concurrency(3).with_memory(memory);
    assert_eq!(most_at_a_time(busy(500), Some(1_000)).await, 2);
    assert_eq!(most_at_a_time(busy(1), Some(1_000)).await, 3);
    assert_eq!(most_at_a_time(busy(0), Some(1_000)).await, 3);
    let large = answers(busy(1_001), |_| Ok(vec![]));
    let error = quick().memory(1_000).driver(large).start().await.unwrap_err();
    assert_eq!(error.kind(), vextir::ErrorKind::Invalid);
    assert!(error.to_string().contains("1001 bytes of memory"), "{error}");
}

#[tokio::test]
async fn a_backlog_larger_than_memory_is_worked_off() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let counter = driver(Manifest::new("counter").handles("job").with_concurrency(4), move |_, _| {
        let count = counted.clone();
        Box::pin(async move {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(vec![])
        })
    });
    let app = quick().queue_capacity(16).paused().driver(counter).start().await.unwrap();
    for _ in 0..5_000 {
        app.emit(Event::new("job")).await.unwrap();
    }
    tokio::task::yield_now().await;
    assert!(app.drivers()[0].queued <= 1_040, "{}", app.drivers()[0].queued);
    assert_eq!(count.load(Ordering::SeqCst), 0, "it is paused");
    app.resume();
    app.idle().await;
    assert_eq!(count.load(Ordering::SeqCst), 5_000);
}

#[tokio::test]
async fn deliveries_that_share_a_task_wait_for_each_other_like_any_others() {
    let rest = Arc::new(tokio::sync::Barrier::new(16));
    let all = driver(
        Manifest::new("all").handles("quick").handles("meet").with_concurrency(64),
        move |event, _| {
            let rest = rest.clone();
            Box::pin(async move {
                if event.event_type == "meet" {
                    rest.wait().await;
                }
                Ok(vec![])
            })
        },
    );
    let app = quick().driver(all).start().await.unwrap();
    for _ in 0..3 {
        // Quick for long enough to share tasks; then sixteen that only go on together.
        app.emit_all(vec![Event::new("quick"); 200]).await.unwrap();
        app.idle().await;
        app.emit_all(vec![Event::new("meet"); 16]).await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), app.idle()).await.expect("nobody holds up the others");
    }
    app.shutdown().await.unwrap();
}
