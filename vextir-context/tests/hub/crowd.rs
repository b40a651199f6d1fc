//! Many at once: group commit, and commands that fail among others.

use crate::{event, idle, page, reopen, routed};
use std::collections::HashSet;
use vextir_context::Hub;
use vextir_core::bus::Command;
use vextir_core::{ErrorKind, Event, EventBus, EventBusExt};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_emitters_share_a_commit_and_lose_nothing() {
    const EMITTERS: usize = 256;
    const EACH: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    hub.attach().await.unwrap();
    let mut emitters = tokio::task::JoinSet::new();
    for _ in 0..EMITTERS {
        let hub = hub.clone();
        emitters.spawn(async move {
            let mut stored = Vec::new();
            for _ in 0..EACH {
                let answer = hub.commit(Command::append(vec![routed(event("a"), "one")])).await.unwrap();
                stored.push((answer.appended[0].sequence, answer.appended[0].id.clone()));
            }
            assert!(stored.is_sorted(), "one emitter's events keep their order");
            stored
        });
    }
    let mut ids = HashSet::new();
    let mut sequences = HashSet::new();
    while let Some(stored) = emitters.join_next().await {
        for (sequence, id) in stored.unwrap() {
            assert!(ids.insert(id) && sequences.insert(sequence));
        }
    }
    assert_eq!(hub.status().borrow().head, (EMITTERS * EACH) as u64);
    let mut fed = Vec::new();
    while fed.len() < EMITTERS * EACH {
        fed.extend(hub.receive(1_000).await.unwrap());
    }
    assert!(fed.windows(2).all(|two| two[0].position + 1 == two[1].position), "in commit order, each once");

    let hub = reopen(hub, folder.path()).await;
    let found = page(&hub).await;
    assert_eq!(found.len(), ids.len());
    assert!(found.iter().all(|event| ids.contains(&event.id)));
}

/// Two events under one id in one command: the second cannot be stored, and so the first is not either.
fn torn(number: usize) -> Command {
    let id = |event: Event| event.with_id(format!("torn-{number}").parse().unwrap());
    let mut second = idle(id(event("b")));
    // The kernel says that nobody else has this id, and is wrong.
    second.minted = true;
    Command::append(vec![idle(id(event("a"))), second])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_fails_is_taken_back_alone() {
    let hub = Hub::in_memory().unwrap();
    hub.attach().await.unwrap();
    let mut commits = tokio::task::JoinSet::new();
    for number in 0..200 {
        let hub = hub.clone();
        commits.spawn(async move {
            let fails = number % 10 == 3;
            let command = if fails { torn(number) } else { Command::append(vec![routed(event("c"), "one")]) };
            (fails, hub.commit(command).await)
        });
    }
    while let Some(answered) = commits.join_next().await {
        let (fails, answer) = answered.unwrap();
        match answer {
            Ok(_) => assert!(!fails),
            Err(error) => assert!(fails && error.kind() == ErrorKind::Conflict, "{error}"),
        }
    }
    let found = page(&hub).await;
    assert_eq!(found.len(), 180);
    assert!(found.iter().all(|event| event.event_type == "c"));
    assert_eq!((hub.status().borrow().head, hub.status().borrow().open), (180, 180));
    let fed = hub.receive(1_000).await.unwrap();
    assert_eq!(fed.len(), 180, "and nothing of a failed command was handed out");
    for delivery in &fed {
        let lease = hub.lease(&delivery.event.user_id, &delivery.event.id).await.unwrap().unwrap();
        assert_eq!((lease.open, lease.events), (1, 1));
    }
}

#[tokio::test]
async fn a_commit_that_nobody_waits_for_still_happens_whole_or_not_at_all() {
    let hub = Hub::in_memory().unwrap();
    for _ in 0..50 {
        let commit = hub.commit(Command::append(vec![routed(event("a"), "one"), routed(event("b"), "one")]));
        let _ = tokio::time::timeout(std::time::Duration::ZERO, commit).await;
    }
    hub.emit(event("last")).await.unwrap();
    let found = page(&hub).await;
    assert_eq!(found.len() % 2, 1);
    assert_eq!(hub.pending(0, 1_000).await.unwrap().len(), found.len() - 1);
}

#[test]
fn a_hub_outlives_the_runtimes_that_use_it() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let hub = hub.clone();
        runtime.block_on(async move {
            // Tasks that are gone before they are answered.
            for _ in 0..20 {
                let hub = hub.clone();
                tokio::spawn(async move { hub.emit(event("a")).await });
            }
            tokio::task::yield_now().await;
            hub.emit(event("b")).await.unwrap();
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(page(&hub));
    assert!(found.iter().filter(|event| event.event_type == "b").count() == 3);
}
