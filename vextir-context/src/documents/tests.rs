//! What changes of structure and rights cost the writer, and lists the readers, in steps of the database's machine: they
//! must not grow with what has nothing to do with them.

use super::bases::Bases;
use super::desk::{Desk, Writing};
use super::merge::merge;
use super::{Enrollment, apply, enroll, list, run_errand};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use vextir_core::context::{Change, Intent};
use vextir_core::{Actor, Level, Principal, Timestamp};

struct Store {
    connection: Connection,
    desk: Desk,
    steps: Arc<AtomicU64>,
}

impl Store {
    fn new() -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.set_prepared_statement_cache_capacity(256);
        crate::schema::migrate(&connection, 0).unwrap();
        let desk = Desk::open(&connection).unwrap();
        let steps = Arc::new(AtomicU64::new(0));
        let count = steps.clone();
        let counts = move || {
            count.fetch_add(1, Ordering::Relaxed);
            false
        };
        connection.progress_handler(1, Some(counts)).unwrap();
        Self { connection, desk, steps }
    }

    fn writing<T>(&mut self, work: impl FnOnce(Writing<'_>) -> T) -> T {
        let (connection, desk, writes) = (&self.connection, &mut self.desk, &mut 0);
        work(Writing { connection, desk, writes, now: Timestamp::UNSET })
    }

    fn counted<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> (T, u64) {
        let before = self.steps.load(Ordering::Relaxed);
        let done = work(self);
        (done, self.steps.load(Ordering::Relaxed) - before)
    }

    /// Makes changes of ann in one transaction; how many steps the writer took.
    fn change(&mut self, changes: Vec<Change>) -> u64 {
        let ann = Actor::user("ann");
        let bases = Bases::read(&self.connection, &ann, &changes).unwrap();
        self.desk.merged = Some(Arc::new(merge(1, &changes, &bases).unwrap()));
        let work = |store: &mut Self| {
            store.writing(|file| apply(file, &ann, &changes)).unwrap();
        };
        self.connection.execute_batch("BEGIN").unwrap();
        let (_, steps) = self.counted(work);
        self.connection.execute_batch("COMMIT").unwrap();
        steps
    }

    fn one(&mut self, path: &str, what: Intent) -> u64 {
        self.change(vec![Change::new(path, what)])
    }

    fn write(&mut self, paths: impl IntoIterator<Item = String>) {
        let write = |path| Change::new(path, Intent::Write("x".into()));
        self.change(paths.into_iter().map(write).collect());
    }

    fn join(&mut self, group: &str, user: String) {
        let enrollment = Enrollment { group: group.into(), user: user.into(), on: true };
        self.writing(|file| enroll(file, &enrollment)).unwrap();
    }
}

fn group(name: &str) -> Principal {
    Principal::Group(name.into())
}

#[test]
fn a_move_costs_the_same_however_many_documents_lie_below() {
    let mut store = Store::new();
    store.write((0..10).map(|number| format!("/small/{number}")));
    store.write((0..2_000).map(|number| format!("/large/{number}")));
    store.write((0..300).map(|number| format!("/wide/{number}/x")));
    let moved = |store: &mut Store, name: &str| store.one(name, Intent::Move(format!("{name} moved")));
    moved(&mut store, "/small");
    let small = moved(&mut store, "/small moved");
    for name in ["/large", "/wide"] {
        let large = moved(&mut store, name);
        assert!(large < small * 2, "{small} steps, and {large} of {name}");
    }
    // Deep down the folders are looked at, and only they.
    store.write((0..2_000).map(|number| format!("/tall/{number}")));
    let deep = "/d".repeat(28);
    store.write(["/slim/b/c/d/x".to_owned(), "/tall/b/c/d/x".to_owned(), format!("{deep}/x")]);
    let [slim, tall] = ["/slim", "/tall"].map(|name| {
        store.one(&format!("{name}/b/c/d"), Intent::Remove);
        store.one(name, Intent::Move(format!("{deep}{name}")))
    });
    assert!(tall < slim * 2, "{slim} steps, and {tall} with many documents");
}

#[test]
fn a_move_costs_the_same_however_many_folders_were_moved_before() {
    let mut store = Store::new();
    store.write((0..500).map(|number| format!("/f{number}/x")));
    let moved =
        |store: &mut Store, number| store.one(&format!("/f{number}"), Intent::Move(format!("/g{number}")));
    let (_, early) = (moved(&mut store, 0), moved(&mut store, 1));
    let late = (2..500).map(|number| moved(&mut store, number)).max().unwrap();
    assert!(late < early * 2, "{early} steps, and {late} after many moves");
}

#[test]
fn a_grant_to_a_large_group_is_made_in_slices() {
    let mut store = Store::new();
    store.write(["/a/x".to_owned(), "/b/x".to_owned(), "/c/x".to_owned()]);
    for member in 0..100 {
        store.join("small", format!("user{member}"));
    }
    for member in 0..1_000 {
        store.join("large", format!("user{member}"));
    }
    let small = store.one("/a", Intent::Grant(group("small"), Level::Read));
    let large = store.one("/b", Intent::Grant(group("large"), Level::Read));
    assert!(large < small * 2, "{small} steps and {large}");
    let mut slices = 0;
    while store.desk.errands {
        let (_, slice) = store.counted(|store| store.writing(run_errand).unwrap());
        assert!(slice < small * 2, "{small} steps, and {slice} for a slice");
        slices += 1;
    }
    assert!(slices > 10);
    let mounts = crate::queries::number(&store.connection, "SELECT count(*) FROM mount", []).unwrap();
    assert_eq!(mounts, 1_100);
}

#[test]
fn the_next_folder_of_a_name_costs_hardly_more_to_share_than_the_first() {
    let mut store = Store::new();
    store.write((0..600).map(|number| format!("/{number}/Notes/x")));
    let grant = |number| Change::new(format!("/{number}/Notes"), Intent::Grant("bob".into(), Level::Read));
    let first = store.change((0..100).map(grant).collect());
    store.change((100..500).map(grant).collect());
    let last = store.change((500..600).map(grant).collect());
    assert!(last < first * 2, "{first} steps became {last}");
}

#[test]
fn a_path_that_is_made_and_removed_again_and_again_costs_the_same_each_time() {
    let mut store = Store::new();
    let mut cycle = |count: usize| -> u64 {
        (0..count)
            .map(|_| {
                let write = Change::new("/x", Intent::Write("x".into()));
                store.change(vec![write]) + store.one("/x", Intent::Remove)
            })
            .sum()
    };
    cycle(1);
    let first = cycle(20);
    cycle(500);
    let last = cycle(20);
    assert!(last < first * 2, "{first} steps became {last}");
}

#[test]
fn what_was_shared_and_taken_back_does_not_slow_down_a_list() {
    let mut store = Store::new();
    store.write((0..500).map(|number| format!("/Folder {number}/x")));
    for level in [Level::Read, Level::None] {
        let grant = |number| Change::new(format!("/Folder {number}"), Intent::Grant("bob".into(), level));
        store.change((0..500).map(grant).collect());
    }
    let bob = Actor::user("bob");
    let listed = |store: &mut Store, folder: &str| {
        store.counted(|store| list::list(&store.connection, &bob, folder, "", 1_000).unwrap().len())
    };
    for folder in ["/", "/Shared", "/Shared/ann"] {
        let (count, steps) = listed(&mut store, folder);
        assert_eq!(count, 0);
        assert!(steps < 500, "{steps} steps for {folder}");
    }
    store.one("/Folder 77", Intent::Grant("bob".into(), Level::Read));
    for folder in ["/", "/Shared", "/Shared/ann"] {
        assert_eq!(listed(&mut store, folder).0, 1, "{folder}");
    }
}
