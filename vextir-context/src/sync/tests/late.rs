//! Replicas that come after the history was trimmed below what they have.

use super::{Way, exchange, serve, shown, total_of};
use crate::hub::{Hub, HubBuilder};
use crate::sync::Peer;
use fastrand::Rng;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use vextir_core::{Context, Level, ManualClock, Principal};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn clock() -> ManualClock {
    ManualClock::at("2026-01-01T00:00:00Z").unwrap()
}

/// A hub that keeps little.
fn brief(builder: HubBuilder, clock: &ManualClock) -> Hub {
    builder.clock(Arc::new(clock.clone())).keep_versions(DAY).keep_removed(DAY).open().unwrap()
}

fn hub(clock: &ManualClock) -> Hub {
    brief(HubBuilder::in_memory(), clock)
}

const PARAGRAPH: &str = "The house has four rooms and a garden. The roof is red.\n";

/// What both have before they part.
async fn begin(ann: &Context) {
    ann.write("/text", format!("first\n{PARAGRAPH}last\n")).await.unwrap();
    ann.write("/data", json!({"a": 1, "b": {"c": 2, "d": 3}, "list": [1]})).await.unwrap();
    for name in ["moved here", "moved there", "moved by both", "removed here", "removed there", "purged"] {
        ann.write(&format!("/f/{name}"), format!("{name}\n")).await.unwrap();
    }
    ann.write("/sub/inner/deep", "deep\n").await.unwrap();
}

/// What one does while the other one is away.
async fn go_on_here(ann: &Context) {
    let text = "first\nThe old house has four rooms and a garden. The roof is red.\nlast\nand here\n";
    ann.write("/text", text).await.unwrap();
    ann.patch("/data", json!({"a": 10, "b": {"here": true}})).await.unwrap();
    ann.move_to("/f/moved here", "/here").await.unwrap();
    ann.move_to("/f/moved by both", "/by both, here").await.unwrap();
    ann.remove("/f/removed here").await.unwrap();
    ann.remove("/f/purged").await.unwrap();
    ann.move_to("/sub/inner", "/f/inner").await.unwrap();
}

/// What the late one does meanwhile.
async fn go_on_there(ann: &Context) {
    let text = "first\nThe house has four rooms and a large garden. The roof is red.\nbetween\nlast\n";
    ann.write("/text", text).await.unwrap();
    ann.patch("/data", json!({"b": {"d": 30, "there": true}, "list": [1, 2]})).await.unwrap();
    ann.move_to("/f/moved there", "/there").await.unwrap();
    ann.move_to("/f/moved by both", "/by both, there").await.unwrap();
    ann.remove("/f/removed there").await.unwrap();
    ann.append("/f/purged", "changed by the late one\n").await.unwrap();
    ann.append("/sub/inner/deep", "deeper\n").await.unwrap();
    ann.write("/new", "by the late one\n").await.unwrap();
}

/// What comes of both.
fn check(all: &BTreeMap<String, String>) {
    let text =
        "first\nThe old house has four rooms and a large garden. The roof is red.\nbetween\nlast\nand here\n";
    assert_eq!(all["/text"], text);
    let data = r#"{"a":10,"b":{"c":2,"d":30,"here":true,"there":true},"list":[1,2]}"#;
    assert_eq!(all["/data"], data);
    let paths: Vec<&str> = all.keys().map(String::as_str).collect();
    let expected = [
        "/by both, there",
        "/data",
        "/f/",
        "/f/inner/",
        "/f/inner/deep",
        "/here",
        "/new",
        "/sub/",
        "/text",
        "/there",
    ];
    assert_eq!(paths, expected);
    assert_eq!(all["/f/inner/deep"], "deep\ndeeper\n");
    for (path, text) in all {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), text.lines().count(), "{path} has something twice: {text}");
    }
}

/// What one replica keeps goes, and with it everything that is old.
async fn pass(clock: &ManualClock, days: u32, hubs: &[&Hub]) {
    clock.advance(days * DAY);
    for hub in hubs {
        // What is condemned in the first round may be held back no more in the second one.
        hub.tidy().await.unwrap();
        hub.tidy().await.unwrap();
    }
}

#[tokio::test]
async fn both_sides_of_half_a_year_are_kept_and_nothing_is_doubled() {
    let clock = clock();
    let (one, late) = (hub(&clock), hub(&clock));
    let (here, there) = (one.context("ann"), late.context("ann"));
    begin(&here).await;
    for _ in 0..2 {
        exchange(&one, &late, "ann").await;
    }
    go_on_here(&here).await;
    clock.advance(DAY);
    go_on_there(&there).await;
    pass(&clock, 200, &[&one, &late]).await;
    for hub in [&one, &late] {
        let kept =
            hub.read_with(|connection| crate::queries::number(connection, "SELECT count(*) FROM peer", []));
        assert_eq!(kept.await.unwrap(), 0, "they have forgotten each other");
        assert!(hub.acknowledged().await.unwrap().is_none());
    }
    // And what was purged is remembered for longer than that.
    pass(&clock, 400, &[&one, &late]).await;
    for round in 0..3 {
        let (report, told) = exchange(&one, &late, "ann").await;
        check(&shown(&here).await);
        assert_eq!(shown(&here).await, shown(&there).await);
        assert_eq!(total_of(&one, "ann").await, total_of(&late, "ann").await);
        if round == 2 {
            assert_eq!((report.nodes_sent, told.nodes_sent, report.sent, told.sent), (0, 0, 0, 0));
        }
    }

    // For the second time.
    here.append("/text", "again here\n").await.unwrap();
    there.write("/text", format!("again there\n{}", shown(&there).await["/text"])).await.unwrap();
    pass(&clock, 200, &[&one, &late]).await;
    for _ in 0..2 {
        exchange(&one, &late, "ann").await;
    }
    let all = shown(&here).await;
    assert_eq!(all, shown(&there).await);
    assert_eq!(all["/text"].matches("again").count(), 2, "{}", all["/text"]);
    assert_eq!(all["/text"].matches("garden").count(), 1, "{}", all["/text"]);
}

#[tokio::test]
async fn a_third_one_that_knew_both_changes_nothing_of_that() {
    let clock = clock();
    let (one, late, third) = (hub(&clock), hub(&clock), hub(&clock));
    begin(&one.context("ann")).await;
    for (one, other) in [(&one, &late), (&late, &third), (&one, &third), (&one, &late)] {
        exchange(one, other, "ann").await;
    }
    go_on_here(&one.context("ann")).await;
    clock.advance(DAY);
    go_on_there(&late.context("ann")).await;
    exchange(&one, &third, "ann").await;
    third.context("ann").append("/text", "by the third\n").await.unwrap();
    pass(&clock, 400, &[&one, &late, &third]).await;
    // The late one meets the third one first, and that one the first one.
    for (one, other) in [(&late, &third), (&third, &one), (&one, &late), (&late, &third), (&third, &one)] {
        exchange(one, other, "ann").await;
    }
    let all = shown(&one.context("ann")).await;
    assert_eq!(all["/text"].matches("by the third\n").count(), 1);
    let mut rest = all.clone();
    rest.insert("/text".into(), all["/text"].replace("by the third\n", ""));
    check(&rest);
    for hub in [&late, &third] {
        assert_eq!(shown(&hub.context("ann")).await, all);
        assert_eq!(total_of(hub, "ann").await, total_of(&one, "ann").await);
    }
}

#[tokio::test]
async fn one_that_is_killed_again_and_again_while_it_catches_up_comes_to_the_same() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("late.db");
    let clock = clock();
    let one = hub(&clock);
    let mut late = brief(Hub::builder(&path), &clock);
    begin(&one.context("ann")).await;
    for _ in 0..2 {
        exchange(&one, &late, "ann").await;
    }
    go_on_here(&one.context("ann")).await;
    clock.advance(DAY);
    go_on_there(&late.context("ann")).await;
    pass(&clock, 400, &[&one, &late]).await;
    for breaks in 1..24 {
        let rng = Rng::with_seed(breaks as u64);
        let mut way = Way { rng, lost: 0, doubled: 40, turned: 20, breaks };
        {
            let (mut here, mut there) = (one.sync(Peer::new("ann")), late.sync(Peer::new("ann")));
            way.carry(&mut here, &mut there).await;
        }
        late.close().await.unwrap();
        late = brief(Hub::builder(&path), &clock);
    }
    exchange(&one, &late, "ann").await;
    check(&shown(&late.context("ann")).await);
    assert_eq!(shown(&one.context("ann")).await, shown(&late.context("ann")).await);
    assert_eq!(total_of(&one, "ann").await, total_of(&late, "ann").await);
}

#[tokio::test]
async fn a_shared_folder_is_caught_up_with_the_rights_of_today() {
    let clock = clock();
    let (server, laptop) = (hub(&clock), hub(&clock));
    let (ann, bob) = (server.context("ann"), laptop.context("bob"));
    ann.write("/team/plan", "one\ntwo\n").await.unwrap();
    ann.write("/team/closed/x", "x\n").await.unwrap();
    ann.write("/team/away/x", "x\n").await.unwrap();
    ann.grant("/team", Principal::User("bob".into()), Level::Write).await.unwrap();
    for _ in 0..2 {
        serve(&server, &laptop).await;
    }
    bob.append("/Shared/ann/team/plan", "by bob\n").await.unwrap();
    bob.append("/Shared/ann/team/closed/x", "by bob\n").await.unwrap();
    bob.write("/Shared/ann/team/new", "by bob\n").await.unwrap();
    bob.write("/own", "of bob\n").await.unwrap();
    ann.write("/team/plan", "zero\none\ntwo\n").await.unwrap();
    ann.restrict("/team/closed", true).await.unwrap();
    ann.append("/team/closed/x", "canary\n").await.unwrap();
    ann.move_to("/team/away", "/canary").await.unwrap();
    pass(&clock, 400, &[&server, &laptop]).await;
    for _ in 0..3 {
        serve(&server, &laptop).await;
    }
    let all = shown(&ann).await;
    assert_eq!(all["/team/plan"], "zero\none\ntwo\nby bob\n");
    assert_eq!(all["/team/closed/x"], "x\ncanary\n", "bob has no right to it any more");
    assert_eq!(all["/team/new"], "by bob\n");
    let of_bob = shown(&bob).await;
    assert_eq!(of_bob["/Shared/ann/team/plan"], all["/team/plan"]);
    let is_gone = |path: &String| path.contains("closed") || path.contains("away") || path.contains("canary");
    assert!(!of_bob.keys().any(is_gone), "{of_bob:?}");
    assert_eq!(shown(&server.context("bob")).await["/own"], "of bob\n");
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// One change. Each line that is written is written once in all; those that were written are noted with their document.
async fn change(rng: &mut Rng, ann: &Context, (number, removes): (u64, bool), lines: &mut Vec<String>) {
    let path = |rng: &mut Rng| format!("/{}/{}", NAMES[rng.usize(0..3)], NAMES[rng.usize(0..3)]);
    let at = path(rng);
    match rng.u8(0..12) {
        0..=5 => {
            let line = format!("line {number};\n");
            if ann.append(&at, line.clone()).await.is_ok() {
                lines.push(line);
            }
        }
        6 => drop(ann.patch(&format!("{at} data"), json!({format!("k{number}"): number})).await),
        7 | 8 => drop(ann.move_to(&at, &path(rng)).await),
        9 => drop(ann.move_to(&format!("/{}", NAMES[rng.usize(0..3)]), &path(rng)).await),
        10 if removes => drop(ann.remove(&at).await),
        _ => drop(ann.restore(&at).await),
    }
}

/// Three replicas that trim, purge and forget each other; whether they come to the same, and nothing is doubled.
async fn run(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let clock = clock();
    let hubs = [hub(&clock), hub(&clock), hub(&clock)];
    let (mut lines, removes) = (Vec::new(), seed.is_multiple_of(2));
    for number in 0..rng.u64(20..70) {
        clock.advance(Duration::from_secs(rng.u64(1..100)));
        let one = rng.usize(0..3);
        match rng.u8(0..12) {
            0..=7 => change(&mut rng, &hubs[one].context("ann"), (number, removes), &mut lines).await,
            8 | 9 => {
                let other = &hubs[(one + rng.usize(1..3)) % 3];
                let mut way =
                    Way { rng: rng.fork(), lost: 10, doubled: 10, turned: 10, breaks: rng.usize(1..60) };
                let (mut here, mut there) = (hubs[one].sync(Peer::new("ann")), other.sync(Peer::new("ann")));
                way.carry(&mut here, &mut there).await;
            }
            10 => pass(&clock, rng.u32(1..4), &[&hubs[one]]).await,
            _ => pass(&clock, 200, &[&hubs[one]]).await,
        }
    }
    for (one, other) in [(0, 1), (1, 2), (2, 0), (0, 1), (1, 2), (2, 0), (0, 1)] {
        exchange(&hubs[one], &hubs[other], "ann").await;
    }
    let all = shown(&hubs[0].context("ann")).await;
    for hub in &hubs[1..] {
        let differs = super::difference(&hubs[0], hub, "ann").await;
        assert_eq!(shown(&hub.context("ann")).await, all, "schedule {seed}: {differs}");
    }
    for line in lines {
        let found: usize = all.values().map(|text| text.matches(&line).count()).sum();
        assert!(found <= 1, "schedule {seed}: {line} stands there {found} times: {all:#?}");
        assert!(found == 1 || removes, "schedule {seed}: {line} is lost: {all:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn convergence_of_replicas_that_trim_and_come_late() {
    let count = std::env::var("SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(8);
    let first: u64 = std::env::var("FIRST").ok().and_then(|first| first.parse().ok()).unwrap_or(0);
    for seed in first..first + count {
        run(seed).await;
    }
}
