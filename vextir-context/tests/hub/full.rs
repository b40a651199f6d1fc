//! No room: what needs some is refused, nothing is lost, and it goes on when there is room again.

use crate::{append, done, event, large, page, reopen, routed, settle};
use std::path::Path;
use std::time::Duration;
use vextir_context::{Hub, HubBuilder};
use vextir_core::bus::Command;
use vextir_core::{ErrorKind, EventBus};

const LIMIT: u64 = 1 << 20;

/// Fills a hub with work until it refuses; the number of events that it took.
pub(crate) async fn fill(hub: &Hub) -> usize {
    for taken in 0.. {
        match hub.commit(Command::append(vec![routed(large(10_000), "one")])).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable);
                assert!(error.to_string().contains("HubBuilder::max_bytes"), "{error}");
                return taken;
            }
        }
    }
    unreachable!()
}

fn small(folder: &Path) -> HubBuilder {
    Hub::builder(folder.join("hub.db")).max_bytes(LIMIT)
}

#[tokio::test]
async fn a_full_file_refuses_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let hub = small(folder.path()).open().unwrap();
    let taken = fill(&hub).await;
    assert!(taken > 50, "{taken}");
    let size = hub.size().await.unwrap();
    assert!(size.used + size.free <= LIMIT, "{size:?}");
    assert_eq!(fill(&hub).await, 0, "it still refuses");
    assert_eq!((page(&hub).await.len(), hub.status().borrow().open), (taken, taken));

    let hub = reopen(hub, folder.path()).await;
    assert_eq!(hub.pending(0, 1_000).await.unwrap().len(), taken);
    append(&hub, vec![routed(large(10_000), "one")]).await;
    assert_eq!(page(&hub).await.len(), taken + 1, "a larger limit is room");
}

#[tokio::test]
async fn work_that_ends_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let hub = small(folder.path()).open().unwrap();
    let taken = fill(&hub).await;
    for delivery in hub.pending(0, 1_000).await.unwrap() {
        hub.commit(settle(&delivery, done(Vec::new()))).await.unwrap();
    }
    assert_eq!(hub.status().borrow().open, 0);
    // Retention may now remove what was only kept for its work. It does so beside the commits.
    for attempt in 0.. {
        match hub.commit(Command::append(vec![routed(large(100_000), "one")])).await {
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Unavailable && attempt < 100 => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(taken > 0);
}

#[tokio::test]
async fn one_that_does_not_fit_takes_nobody_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let hub = small(folder.path()).open().unwrap();
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..64 {
        let hub = hub.clone();
        waiting.spawn(async move {
            let event = if number % 8 == 0 { large(2 << 20) } else { event("small") };
            (number, hub.commit(Command::append(vec![routed(event, "one")])).await)
        });
    }
    while let Some(answered) = waiting.join_next().await {
        let (number, answer) = answered.unwrap();
        match answer {
            Ok(_) => assert_ne!(number % 8, 0),
            Err(error) => assert_eq!((number % 8, error.kind()), (0, ErrorKind::Unavailable), "{error}"),
        }
    }
    assert_eq!(page(&hub).await.len(), 56);
    assert_eq!(hub.status().borrow().head, 56, "no hole is left in the log");
    assert_eq!(hub.pending(0, 100).await.unwrap().len(), 56);
}
