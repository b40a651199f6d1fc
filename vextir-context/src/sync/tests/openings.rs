//! Files that were opened very often.

use super::{exchange, shown, total_of};
use crate::hub::Hub;

/// Makes it look as if the file had been opened so often, and one change made each time; all of it is trimmed.
async fn was_opened(hub: &Hub, times: i64) {
    hub.read_with(move |connection| {
        connection
            .execute_batch(&format!(
                "INSERT INTO meta (name, value) VALUES ('changes_trimmed', {times});
                 WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {times})
                 INSERT INTO replica (id, first) SELECT randomblob(16), n FROM n;
                 INSERT OR REPLACE INTO change (seq, node, what, version, at, clock) VALUES ({times}, 0, 1, 0, 0, 0);"
            ))
            .unwrap();
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn more_openings_than_fit_into_one_message_are_told_in_several() {
    let (one, other) = (Hub::in_memory().unwrap(), Hub::in_memory().unwrap());
    was_opened(&one, 20_500).await;
    was_opened(&other, 500).await;
    let (here, there) = (one.context("ann"), other.context("ann"));
    here.write("/x", "here\n").await.unwrap();
    there.write("/y", "there\n").await.unwrap();
    for _ in 0..2 {
        let (report, told) = exchange(&one, &other, "ann").await;
        assert!(!report.restored && !told.restored);
        assert_eq!((report.differing, told.differing), (0, 0));
    }
    assert_eq!(shown(&here).await, shown(&there).await);
    assert_eq!(shown(&here).await.len(), 2);
    assert_eq!(total_of(&one, "ann").await, total_of(&other, "ann").await);
    here.append("/x", "more\n").await.unwrap();
    let (report, _) = exchange(&one, &other, "ann").await;
    assert_eq!((report.sent, report.nodes_sent), (1, 0));
    // What is remembered of the other side does not grow with its openings.
    let bytes = one.read_with(|connection| {
        crate::queries::number(connection, "SELECT max(length(vector)) FROM peer", [])
    });
    assert!(bytes.await.unwrap() < 4_096);
}

#[tokio::test]
async fn the_first_message_grows_with_the_openings_and_not_with_what_is_shared() {
    let hub = Hub::in_memory().unwrap();
    was_opened(&hub, 1_000).await;
    let ann = hub.context("ann");
    for number in 0..20 {
        ann.write(&format!("/{number}/x"), "x").await.unwrap();
        ann.grant(
            &format!("/{number}"),
            vextir_core::Principal::User("bob".into()),
            vextir_core::Level::Read,
        )
        .await
        .unwrap();
    }
    let hello = hub.sync(crate::Peer::new("bob")).start().await.unwrap();
    let bytes: usize = hello.iter().map(Vec::len).sum();
    eprintln!("hello: {bytes} bytes for 1,000 openings and 21 scopes");
    assert!(bytes < 64_000, "{bytes}");
}
