//! How long folders keep the past is said to all replicas.

use super::{exchange, serve, total_of};
use crate::documents::keeping::keep_at;
use crate::hub::Hub;
use std::time::Duration;
use vextir_core::context::Keep;
use vextir_core::{Level, Principal};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is said at a folder of ann's, and whether it is kept at least as long as above.
async fn kept(hub: &Hub, name: &'static str) -> (Keep, i64) {
    hub.read_with(move |connection| {
        let root = crate::documents::node::root(connection, "ann")?.unwrap();
        let id = match name {
            "/" => root.id,
            name => crate::documents::node::child(connection, root.id, name)?.unwrap().id,
        };
        let above = "SELECT above FROM keeping WHERE node = ?1";
        Ok((keep_at(connection, id)?, crate::queries::value(connection, above, [id])?.unwrap_or(0)))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn what_was_said_last_holds_everywhere_and_of_what_was_said_at_once_the_longest() {
    let (one, other) = (Hub::in_memory().unwrap(), Hub::in_memory().unwrap());
    let (here, there) = (one.context("ann"), other.context("ann"));
    here.write("/f/x", "x").await.unwrap();
    here.keep("/f", Keep::new().versions(30 * DAY).removed(7 * DAY)).await.unwrap();
    exchange(&one, &other, "ann").await;
    assert_eq!(kept(&other, "f").await, (Keep::new().versions(30 * DAY).removed(7 * DAY), 0));

    here.keep("/f", Keep::new().versions(2 * DAY).removed(DAY)).await.unwrap();
    there.keep("/f", Keep::new().versions(Duration::MAX)).await.unwrap();
    for _ in 0..2 {
        exchange(&one, &other, "ann").await;
    }
    for hub in [&one, &other] {
        let (keep, above) = kept(hub, "f").await;
        assert_eq!(
            (keep, above),
            (Keep::new().versions(Duration::MAX).removed(DAY), 2),
            "and as long as above"
        );
    }
    // Who has seen both decides anew, for a shorter time too.
    there.keep("/f", Keep::new().versions(DAY)).await.unwrap();
    let (report, told) = exchange(&one, &other, "ann").await;
    assert_eq!((report.differing, told.sent), (0, 1));
    assert_eq!(kept(&one, "f").await, (Keep::new().versions(DAY), 0));
    assert_eq!(total_of(&one, "ann").await, total_of(&other, "ann").await);
    let (report, told) = exchange(&one, &other, "ann").await;
    assert_eq!((report.sent, told.sent, report.nodes_sent, told.nodes_sent), (0, 0, 0, 0));
}

#[tokio::test]
async fn it_comes_with_a_whole_folder_and_to_the_root_of_an_empty_tree() {
    let (one, other) = (Hub::in_memory().unwrap(), Hub::in_memory().unwrap());
    let here = one.context("ann");
    here.write("/f/x", "x").await.unwrap();
    here.keep("/f", Keep::new().removed(DAY)).await.unwrap();
    here.keep("/", Keep::new().versions(9 * DAY)).await.unwrap();
    one.read_with(|connection| {
        // As if nothing were left of how it came about.
        let sql = "DELETE FROM change WHERE seq < (SELECT max(seq) FROM change);
                   INSERT OR REPLACE INTO meta SELECT 'changes_trimmed', max(seq) FROM change";
        connection.execute_batch(sql).unwrap();
        Ok(())
    })
    .await
    .unwrap();
    let (report, _) = exchange(&one, &other, "ann").await;
    assert_eq!(report.differing, 0);
    assert_eq!(kept(&other, "f").await.0, Keep::new().removed(DAY));
    assert_eq!(kept(&other, "/").await.0, Keep::new().versions(9 * DAY));

    let (one, other) = (Hub::in_memory().unwrap(), Hub::in_memory().unwrap());
    one.context("ann").write("/x", "x").await.unwrap();
    one.context("ann").keep("/", Keep::new().versions(9 * DAY)).await.unwrap();
    exchange(&one, &other, "ann").await;
    assert_eq!(kept(&other, "/").await.0, Keep::new().versions(9 * DAY));
}

#[tokio::test]
async fn who_may_not_say_it_does_not_and_who_may_not_know_it_does_not() {
    let (server, laptop) = (Hub::in_memory().unwrap(), Hub::in_memory().unwrap());
    let ann = server.context("ann");
    ann.write("/team/x", "x").await.unwrap();
    ann.keep("/team", Keep::new().versions(30 * DAY)).await.unwrap();
    ann.grant("/team", Principal::User("bob".into()), Level::Write).await.unwrap();
    serve(&server, &laptop).await;
    assert_eq!(kept(&laptop, "team").await.0, Keep::new(), "bob is no admin");
    // On his own laptop he may be made one; the server knows better.
    laptop
        .read_with(|connection| {
            connection.execute("UPDATE entitlement SET level = 4", []).unwrap();
            Ok(())
        })
        .await
        .unwrap();
    laptop.context("bob").keep("/Shared/ann/team", Keep::new().versions(Duration::ZERO)).await.unwrap();
    let (report, _) = serve(&server, &laptop).await;
    assert_eq!(report.refused_here, 1);
    assert_eq!(kept(&server, "team").await.0, Keep::new().versions(30 * DAY));

    ann.grant("/team", Principal::User("bob".into()), Level::Admin).await.unwrap();
    for _ in 0..2 {
        serve(&server, &laptop).await;
    }
    laptop.context("bob").keep("/Shared/ann/team", Keep::new().versions(DAY)).await.unwrap();
    serve(&server, &laptop).await;
    assert_eq!(kept(&server, "team").await.0, Keep::new().versions(DAY), "an admin may");
}
