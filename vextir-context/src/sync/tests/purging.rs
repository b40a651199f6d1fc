//! What one replica purges, and what it keeps for the others.

use super::{exchange, exchange_as, serve, shown};
use crate::hub::{Hub, HubBuilder};
use crate::sync::Peer;
use std::sync::Arc;
use std::time::Duration;
use vextir_core::{Level, ManualClock, Principal};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn clock() -> ManualClock {
    ManualClock::at("2026-01-01T00:00:00Z").unwrap()
}

/// A hub that keeps what is removed for so long.
fn hub(clock: &ManualClock, keep: Duration) -> Hub {
    HubBuilder::in_memory().clock(Arc::new(clock.clone())).keep_removed(keep).open().unwrap()
}

#[tokio::test]
async fn what_was_purged_does_not_come_back_from_who_still_has_it() {
    let clock = clock();
    let (one, other) = (hub(&clock, DAY), hub(&clock, 300 * DAY));
    let (here, there) = (one.context("ann"), other.context("ann"));
    here.write("/f/old", "old").await.unwrap();
    here.write("/f/deep/inner", "inner").await.unwrap();
    here.write("/x", "x").await.unwrap();
    exchange(&one, &other, "ann").await;
    here.remove("/f").await.unwrap();
    exchange(&one, &other, "ann").await;
    exchange(&one, &other, "ann").await;
    clock.advance(2 * DAY);
    assert_eq!(one.tidy().await.unwrap().nodes, 4);
    for _ in 0..2 {
        let (report, told) = exchange(&one, &other, "ann").await;
        assert_eq!((report.differing, report.nodes_sent, told.nodes_sent), (0, 0, 0), "{report:?} {told:?}");
    }
    // Also where all is compared, because something else differs.
    there.write("/y", "y").await.unwrap();
    exchange(&one, &other, "ann").await;
    assert!(here.restore("/f").await.is_err(), "it is gone here");
    assert_eq!(one.tidy().await.unwrap().nodes, 0, "and did not come back as removed");
    // Who restores it has it back everywhere, with what was in it.
    there.restore("/f").await.unwrap();
    for _ in 0..2 {
        exchange(&one, &other, "ann").await;
    }
    let all = shown(&there).await;
    assert_eq!(all["/f/deep/inner"], "inner");
    assert_eq!(shown(&here).await, all);

    // And who purges it again need not fear the first time's restoration.
    let third = hub(&clock, 300 * DAY);
    exchange(&third, &other, "ann").await;
    here.remove("/f").await.unwrap();
    exchange(&one, &other, "ann").await;
    clock.advance(2 * DAY);
    assert_eq!(one.tidy().await.unwrap().nodes, 4);
    for _ in 0..2 {
        exchange(&one, &third, "ann").await;
    }
    assert_eq!(shown(&here).await.keys().collect::<Vec<_>>(), ["/x", "/y"]);
    assert_eq!(shown(&third.context("ann")).await, shown(&here).await);
}

#[tokio::test]
async fn what_lies_in_a_folder_that_was_moved_out_of_a_purged_one_comes_with_it() {
    let clock = clock();
    let (laptop, server, desktop) = (hub(&clock, DAY), hub(&clock, 300 * DAY), hub(&clock, 300 * DAY));
    laptop.context("ann").write("/top/sub/doc", "text").await.unwrap();
    exchange(&laptop, &server, "ann").await;
    exchange(&server, &desktop, "ann").await;
    laptop.context("ann").remove("/top").await.unwrap();
    exchange(&laptop, &server, "ann").await;
    clock.advance(2 * DAY);
    desktop.context("ann").move_to("/top/sub", "/sub").await.unwrap();
    assert_eq!(laptop.tidy().await.unwrap().nodes, 3);
    for _ in 0..2 {
        exchange(&server, &desktop, "ann").await;
        exchange(&laptop, &server, "ann").await;
    }
    let all = shown(&server.context("ann")).await;
    assert_eq!(all.keys().collect::<Vec<_>>(), ["/sub/", "/sub/doc"]);
    for hub in [&laptop, &desktop] {
        assert_eq!(shown(&hub.context("ann")).await, all);
    }
}

#[tokio::test]
async fn of_a_purged_folder_above_its_scope_a_peer_hears_nothing() {
    let clock = clock();
    let (server, laptop) = (hub(&clock, DAY), hub(&clock, 300 * DAY));
    let ann = server.context("ann");
    ann.write("/private/team/x", "x").await.unwrap();
    ann.grant("/private/team", Principal::User("bob".into()), Level::Write).await.unwrap();
    serve(&server, &laptop).await;
    ann.remove("/private").await.unwrap();
    server.forget_replicas(vextir_core::Clock::now(&clock).after(DAY)).await.unwrap();
    clock.advance(2 * DAY);
    server.tidy().await.unwrap();
    let of_ann = server
        .read_with(|connection| {
            let sql = "SELECT count(*) FROM purged WHERE owner = 'ann'";
            let uid: Vec<u8> = connection
                .query_row("SELECT uid FROM purged WHERE uid <> top LIMIT 1", [], |row| row.get(0))
                .unwrap();
            let uid = crate::sync::name::Uid::of(&uid)?;
            for owner in ["bob", "eve"] {
                let fate = crate::sync::purged::fate(connection, uid, owner, &[])?;
                assert!(matches!(fate, crate::sync::purged::Fate::Open), "of another's tree nothing is told");
            }
            crate::queries::number(connection, sql, [])
        })
        .await
        .unwrap();
    assert_eq!(of_ann, 3);
    let (report, told) = serve(&server, &laptop).await;
    assert_eq!((report.nodes_sent, told.repaired), (0, 0), "{report:?} {told:?}");
}

#[tokio::test]
async fn one_that_never_heard_of_the_removal_is_told_after_the_purge() {
    let clock = clock();
    let (one, late) = (hub(&clock, DAY), hub(&clock, 300 * DAY));
    let (here, there) = (one.context("ann"), late.context("ann"));
    here.write("/f/old", "old").await.unwrap();
    here.write("/moved", "m").await.unwrap();
    exchange(&one, &late, "ann").await;
    here.remove("/f").await.unwrap();
    here.remove("/moved").await.unwrap();
    one.forget_replicas(vextir_core::Clock::now(&clock).after(DAY)).await.unwrap();
    clock.advance(2 * DAY);
    assert_eq!(one.tidy().await.unwrap().nodes, 3);
    there.write("/f/old", "changed meanwhile").await.unwrap();
    there.write("/f/new", "new").await.unwrap();
    there.move_to("/moved", "/kept").await.unwrap();
    for _ in 0..3 {
        exchange(&one, &late, "ann").await;
    }
    // What was done later than the removal, and says where something is, holds.
    let all = shown(&here).await;
    assert_eq!(all.keys().collect::<Vec<_>>(), ["/kept"]);
    assert_eq!(shown(&there).await, all);
    let (report, told) = exchange(&one, &late, "ann").await;
    assert_eq!((report.differing, report.nodes_sent, told.nodes_sent), (0, 0, 0), "{report:?} {told:?}");
}

#[tokio::test]
async fn what_was_purged_is_remembered_for_years_and_not_without_end() {
    let hub = Hub::in_memory().unwrap();
    let count = |hub: &Hub| {
        let hub = hub.clone();
        async move {
            let count = hub.read_with(|connection| {
                crate::queries::number(connection, "SELECT count(*) FROM purged", [])
            });
            count.await.unwrap()
        }
    };
    let bury = async |from: i64, rows: i64| {
        hub.read_with(move |connection| {
            let sql = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?2)
                       INSERT INTO purged SELECT randomblob(16), 'ann', x'00', 0, 0, 0, x'00', 0, ?1 + n FROM n";
            connection.execute(sql, (from, rows)).unwrap();
            Ok(())
        })
        .await
        .unwrap();
    };
    let now = vextir_core::Clock::now(&vextir_core::SystemClock);
    bury(0, 60_000).await;
    hub.forget_replicas(now).await.unwrap();
    assert_eq!(count(&hub).await, 60_000);
    bury(1_000_000, 42_000).await;
    hub.forget_replicas(now).await.unwrap();
    assert_eq!(count(&hub).await, 100_001);
    // What is not so long ago stays in any case.
    bury(now.as_micros(), 10).await;
    hub.forget_replicas(now).await.unwrap();
    assert_eq!(count(&hub).await, 100_001);
    hub.forget_replicas(vextir_core::Timestamp::from_micros(0)).await.unwrap();
    assert_eq!(count(&hub).await, 100_001);
}

#[tokio::test]
async fn a_replica_holds_up_the_trees_that_it_has_and_no_others() {
    let clock = clock();
    let (server, laptop) = (hub(&clock, DAY), hub(&clock, DAY));
    let (ann, bob) = (server.context("ann"), server.context("bob"));
    ann.write("/x", "x").await.unwrap();
    bob.write("/team/y", "y").await.unwrap();
    bob.write("/z", "z").await.unwrap();
    exchange(&server, &laptop, "ann").await;
    ann.remove("/x").await.unwrap();
    bob.remove("/z").await.unwrap();
    clock.advance(2 * DAY);
    let tidied = server.tidy().await.unwrap();
    assert_eq!((tidied.nodes, tidied.held_back), (1, 1), "ann's laptop does not know, and is ann's");
    clock.advance(200 * DAY);
    let tidied = server.tidy().await.unwrap();
    assert_eq!((tidied.nodes, tidied.held_back), (1, 0), "it was not met for half a year");
}

#[tokio::test]
async fn versions_that_stay_for_a_replica_are_told_of_once_for_each_document() {
    let clock = clock();
    let hub =
        || HubBuilder::in_memory().clock(Arc::new(clock.clone())).keep_versions(7 * DAY).open().unwrap();
    let (server, laptop) = (hub(), hub());
    let ann = server.context("ann");
    ann.write("/before", "0").await.unwrap();
    exchange(&server, &laptop, "ann").await;
    ann.write("/once", "never edited").await.unwrap();
    for n in 0..5 {
        ann.write("/often", format!("version {n}")).await.unwrap();
        ann.write("/gone", format!("version {n}")).await.unwrap();
    }
    ann.remove("/gone").await.unwrap();
    clock.advance(30 * DAY);
    let tidied = server.tidy().await.unwrap();
    assert_eq!(
        (tidied.changes, tidied.held_back),
        (0, 1),
        "the laptop lacks the versions of one: {tidied:?}"
    );
    exchange(&server, &laptop, "ann").await;
    exchange(&server, &laptop, "ann").await;
    let tidied = server.tidy().await.unwrap();
    assert!(tidied.changes > 3 && tidied.held_back == 0, "{tidied:?}");
}

#[tokio::test]
async fn who_lost_a_share_holds_up_its_tree_no_more() {
    let clock = clock();
    let (server, laptop) = (hub(&clock, DAY), hub(&clock, DAY));
    let ann = server.context("ann");
    ann.write("/team/x", "x").await.unwrap();
    ann.grant("/team", Principal::User("bob".into()), Level::Write).await.unwrap();
    serve(&server, &laptop).await;
    ann.grant("/team", Principal::User("bob".into()), Level::None).await.unwrap();
    ann.remove("/team/x").await.unwrap();
    serve(&server, &laptop).await;
    clock.advance(2 * DAY);
    let tidied = server.tidy().await.unwrap();
    assert_eq!((tidied.nodes, tidied.held_back), (1, 0));
}

#[tokio::test]
async fn what_waits_is_asked_for_by_its_own_user_alone() {
    let clock = clock();
    let (one, other) = (hub(&clock, DAY), hub(&clock, DAY));
    one.context("ann").write("/f/x", "x").await.unwrap();
    exchange_as(&one, &other, Peer::new("ann"), Peer::new("ann")).await;
    other
        .read_with(|connection| {
            let row = "INSERT INTO early VALUES ('eve', 0, zeroblob(16), 1, 1, randomblob(16), 0, '{}')";
            connection.execute(row, []).unwrap();
            assert_eq!(crate::sync::early(connection, "ann").unwrap(), []);
            assert_eq!(crate::sync::early(connection, "eve").unwrap().len(), 1);
            Ok(())
        })
        .await
        .unwrap();
    other.forget_replicas(vextir_core::Clock::now(&clock).after(DAY)).await.unwrap();
    other
        .read_with(|connection| {
            assert_eq!(crate::sync::early(connection, "eve").unwrap(), [], "nobody comes for it any more");
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_imported_is_known_by_the_replicas_that_have_it() {
    let (one, other) = (Hub::in_memory().unwrap(), Hub::in_memory().unwrap());
    let (here, there) = (one.context("ann"), other.context("ann"));
    here.write("/f/x", "taken back\n").await.unwrap();
    here.write("/f/x", "one\ntwo\n").await.unwrap();
    here.write("/f/y", serde_json::json!({"a": {"b": 1}})).await.unwrap();
    here.set_guide("/f", "what is here\n").await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("out");
    one.export("ann", &folder).await.unwrap();
    for entry in std::fs::read_dir(folder.join("texts")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("taken"), "what was deleted is not given away");
    }
    other.import(&folder, "ann", crate::ImportRights::Restore).await.unwrap();
    // Into another tree it comes as something else.
    other.import(&folder, "eve", crate::ImportRights::LeaveOut).await.unwrap();
    here.append("/f/x", "here\n").await.unwrap();
    there.write("/f/x", "zero\none\ntwo\n").await.unwrap();
    for _ in 0..2 {
        let (report, _) = exchange(&one, &other, "ann").await;
        assert_eq!((report.differing, report.refused_here), (0, 0));
    }
    let all = shown(&here).await;
    assert_eq!(all["/f/x"], "zero\none\ntwo\nhere\n");
    assert_eq!(shown(&there).await, all);
    assert_eq!(here.guides("/f").await.unwrap(), there.guides("/f").await.unwrap());
    // An export that was edited by hand is an edit.
    let text = std::fs::read_dir(folder.join("texts")).unwrap().map(|entry| entry.unwrap().path());
    let text = text.filter(|path| path.extension().is_some_and(|ending| ending == "state"));
    let third = Hub::in_memory().unwrap();
    for state in text {
        let bytes = std::fs::read(&state).unwrap();
        std::fs::write(&state, &bytes[..bytes.len() / 2]).unwrap();
        let error = third.import(&folder, "ann", crate::ImportRights::Restore).await.unwrap_err();
        assert!(error.to_string().contains(".state"), "{error}");
        std::fs::write(&state, &bytes).unwrap();
    }
    assert!(third.context("ann").list("/").await.unwrap().is_empty(), "nothing was imported");
}
