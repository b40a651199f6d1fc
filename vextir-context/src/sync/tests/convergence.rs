//! Random schedules over three replicas, with a bad way between them, crashes and backups.

use super::{Way, shown, total_of};
use crate::Peer;
use crate::hub::{Hub, Synchronous};
use fastrand::Rng;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use vextir_core::context::Keep;
use vextir_core::{Context, Level, Principal};

/// How many random schedules are run; `SCHEDULES=10000` is the full campaign.
pub(super) fn schedules() -> u64 {
    std::env::var("SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(8)
}

const REPLICAS: usize = 3;
const NAMES: [&str; 3] = ["a", "b", "a (2)"];

pub(super) struct Replica {
    path: PathBuf,
    hub: Option<Hub>,
}

impl Replica {
    pub(super) fn new(folder: &Path, number: usize) -> Self {
        let path = folder.join(format!("{number}.db"));
        let hub = Some(open(&path));
        Self { path, hub }
    }

    pub(super) fn hub(&self) -> &Hub {
        self.hub.as_ref().unwrap()
    }

    /// Ends without a word, and begins again: with what was there, or with the backup.
    pub(super) async fn again(&mut self, rng: &mut Rng) {
        let backup = self.path.with_extension("backup");
        let restore = rng.u8(0..2) == 0;
        self.hub.take().unwrap().close().await.unwrap();
        if restore && backup.exists() {
            std::fs::copy(&backup, &self.path).unwrap();
        } else {
            std::fs::copy(&self.path, &backup).unwrap();
        }
        self.hub = Some(open(&self.path));
    }
}

fn open(path: &Path) -> Hub {
    Hub::builder(path).synchronous(Synchronous::Normal).open().unwrap()
}

fn path(rng: &mut Rng) -> String {
    (0..rng.usize(1..4)).map(|_| format!("/{}", NAMES[rng.usize(0..NAMES.len())])).collect()
}

/// One change; many are refused, as they come.
async fn change(rng: &mut Rng, notes: &Context) {
    let at = path(rng);
    match rng.u8(0..16) {
        0..=2 => drop(notes.write(&at, format!("{}\n", rng.u8(0..9)).repeat(rng.usize(0..4))).await),
        3 => drop(notes.write(&at, json!({"k": rng.u8(0..3), "list": [{"id": rng.u8(0..3)}]})).await),
        4 | 5 => drop(notes.append(&at, format!("{}\n", rng.u8(..))).await),
        6 => drop(notes.patch(&at, json!({"k": rng.u8(..), "o": {"p": rng.u8(0..2)}})).await),
        7..=9 => drop(notes.move_to(&at, &path(rng)).await),
        10 => drop(notes.remove(&at).await),
        11 => drop(notes.restore(&at).await),
        12 => {
            let level = [Level::None, Level::Read, Level::Write, Level::Admin][rng.usize(0..4)];
            drop(notes.grant(&at, Principal::User("bob".into()), level).await);
        }
        13 => drop(notes.set_guide(&at, format!("guide\n{}\n", rng.u8(0..4))).await),
        14 => {
            let days = |rng: &mut Rng| Duration::from_secs(rng.u64(1..9) * 24 * 60 * 60);
            let keep = if rng.bool() { Keep::new() } else { Keep::new().versions(days(rng)) };
            drop(notes.keep(&at, if rng.bool() { keep } else { keep.removed(days(rng)) }).await);
        }
        _ => drop(notes.restrict(&at, rng.bool()).await),
    }
}

async fn run(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut replicas: Vec<Replica> =
        (0..REPLICAS).map(|number| Replica::new(folder.path(), number)).collect();
    for _ in 0..rng.usize(20..60) {
        let one = rng.usize(0..REPLICAS);
        match rng.u8(0..10) {
            0..=6 => change(&mut rng, &replicas[one].hub().context("ann")).await,
            7 | 8 => {
                let other = (one + rng.usize(1..REPLICAS)) % REPLICAS;
                let (here, there) = (replicas[one].hub().clone(), replicas[other].hub().clone());
                let breaks = rng.usize(1..40);
                let mut way = Way { rng: rng.fork(), lost: 10, doubled: 10, turned: 10, breaks };
                let (mut here, mut there) = (here.sync(Peer::new("ann")), there.sync(Peer::new("ann")));
                way.carry(&mut here, &mut there).await;
            }
            _ => replicas[one].again(&mut rng).await,
        }
    }
    // Once around and back, over a good way: everybody has everything.
    for (one, other) in [(0, 1), (1, 2), (2, 0), (0, 1)] {
        let (one, other) = (replicas[one].hub(), replicas[other].hub());
        let (mut here, mut there) = (one.sync(Peer::new("ann")), other.sync(Peer::new("ann")));
        assert!(Way::good().carry(&mut here, &mut there).await, "schedule {seed}");
        if (here.report().differing, there.report().differing) != (0, 0) {
            panic!("schedule {seed}: {}", super::difference(one, other, "ann").await);
        }
    }
    let first = (total_of(replicas[0].hub(), "ann").await, shown(&replicas[0].hub().context("ann")).await);
    for replica in &replicas[1..] {
        let notes = replica.hub().context("ann");
        assert_eq!(first, (total_of(replica.hub(), "ann").await, shown(&notes).await), "schedule {seed}");
    }
    for path in first.1.keys().map(|path| path.trim_end_matches('/')) {
        let rights = replicas[0].hub().context("ann").access(path).await.unwrap();
        for replica in &replicas[1..] {
            let there = replica.hub().context("ann").access(path).await.unwrap();
            assert_eq!(format!("{rights:?}"), format!("{there:?}"), "schedule {seed}: {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_exchanged_everything_are_the_same_whatever_happened() {
    let first: u64 = std::env::var("FIRST").ok().and_then(|first| first.parse().ok()).unwrap_or(0);
    for seed in first..first + schedules() {
        run(seed).await;
    }
}

/// One exchange between a server and a laptop that believes it; how many changes the server refused.
async fn meet(rng: &mut Rng, server: &Hub, laptop: &Hub, user: &str, is_good: bool) -> u64 {
    let mut way = Way { rng: rng.fork(), lost: 10, doubled: 10, turned: 10, breaks: rng.usize(1..40) };
    if is_good {
        way = Way::good();
    }
    let (mut here, mut there) = (server.sync(Peer::new(user)), laptop.sync(Peer::new(user).trusted()));
    way.carry(&mut here, &mut there).await;
    here.report().refused_here
}

/// Ann on a server and a laptop, bob on the server and another laptop, with what ann shares with him now and then;
/// whether none of his changes was refused, so that both of his sides were compared.
async fn share(seed: u64) -> bool {
    let mut rng = Rng::with_seed(seed);
    let (server, of_ann, of_bob) =
        (Hub::in_memory().unwrap(), Hub::in_memory().unwrap(), Hub::in_memory().unwrap());
    server.context("ann").write("/a/a", "begin\n").await.unwrap();
    let mut refused = 0;
    for _ in 0..rng.usize(20..60) {
        match rng.u8(0..12) {
            0..=2 => change(&mut rng, &server.context("ann")).await,
            3 | 4 => change(&mut rng, &of_ann.context("ann")).await,
            5..=7 => {
                let hub = [&server, &of_bob][rng.usize(0..2)];
                let at = format!("/Shared/ann/{}", &path(&mut rng)[1..]);
                let notes = hub.context("bob");
                match rng.u8(0..4) {
                    0 => drop(notes.move_to(&at, &format!("/Shared/ann/{}", &path(&mut rng)[1..])).await),
                    1 => drop(notes.remove(&at).await),
                    _ => drop(notes.append(&at, "by bob\n").await),
                }
            }
            8 => {
                let level = [Level::None, Level::Read, Level::Write][rng.usize(0..3)];
                drop(
                    server.context("ann").grant(&path(&mut rng), Principal::User("bob".into()), level).await,
                );
            }
            9 | 10 => refused += meet(&mut rng, &server, &of_bob, "bob", false).await,
            _ => refused += meet(&mut rng, &server, &of_ann, "ann", false).await,
        }
    }
    for _ in 0..2 {
        refused += meet(&mut rng, &server, &of_bob, "bob", true).await;
        refused += meet(&mut rng, &server, &of_ann, "ann", true).await;
    }
    assert_eq!(total_of(&server, "ann").await, total_of(&of_ann, "ann").await, "schedule {seed}");
    let mut all = Vec::new();
    for hub in [&server, &of_bob] {
        all.push(hub.read_with(|connection| super::super::audit::all(connection, "bob")).await.unwrap());
    }
    assert!(refused > 0 || all[0] == all[1], "schedule {seed}: {all:#?}");
    refused == 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_read_the_same_sees_the_same() {
    let first: u64 = std::env::var("FIRST").ok().and_then(|first| first.parse().ok()).unwrap_or(0);
    let mut compared = 0;
    for seed in first..first + schedules() {
        compared += u64::from(share(seed).await);
    }
    assert!(compared * 10 >= schedules(), "{compared} of {} schedules compared bob's sides", schedules());
}
