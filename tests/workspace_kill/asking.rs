//! The example when it is asked something.

use crate::desk::Desk;
use crate::folder::{copy, list};
use crate::program::Program;
use std::fs;
use std::path::Path;
use vextir::drivers::files::{FileCreated, FileScanned, Files};
use vextir::prelude::*;
use vextir::{Error, ErrorKind, EventFilter, Hub};

const QUESTION: &str = "which invoices came in June?";

const INVOICES: [(&str, &str); 5] = [
    ("in/a.md", "# Invoice 17\n\n12 June 2025\n\nTotal: 84.50 EUR\n"),
    ("invoice-2024-06-30.txt", "For the bicycle.\n"),
    ("in/b.md", "# Invoice 18\n\n3 July 2025, for the work of 30 June 2025\n"),
    ("in/letter.md", "# A letter\n\n14 June 2025\n\nYour invoice of June is wrong.\n"),
    ("in/c.csv", "june,invoice\n"),
];

/// In any order.
fn sorted(mut paths: Vec<String>) -> Vec<String> {
    paths.sort_unstable();
    paths
}

#[test]
fn a_question_is_answered_without_a_summary_before_it_and_the_same_way_twice() {
    let desk = Desk::new(&INVOICES);
    let before = list(&desk.path(""));
    let first = desk.program.ask(QUESTION);
    assert_eq!(sorted(first.clone()), ["in/a.md", "invoice-2024-06-30.txt"]);
    assert_eq!(desk.program.ask(QUESTION), first);
    list(&desk.path("")).assert_is(&before, "asking changed something");
    assert_eq!(desk.program.ask("invoices of June 2025"), ["in/a.md"]);
    assert_eq!(desk.program.ask("who wrote about the bicycle?"), ["invoice-2024-06-30.txt"]);
    let said = desk.program.read(&["--ask", "invoices of June 2025"]);
    for part in
        ["Looked for: invoices, June 2025", "Found: 1 file", "2025-06-12 · Invoice 17 · total 84.50 EUR"]
    {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "colours, and no terminal");
}

#[test]
fn summaries_are_kept_and_found_too() {
    let desk = Desk::new(&INVOICES);
    assert_eq!(desk.program.ask("summaries"), [""; 0]);
    desk.program.read(&[]);
    let found = desk.program.ask("the summary of today");
    assert!(found.len() == 1 && found[0].starts_with("/Summaries/20"), "{found:?}");
    assert_eq!(desk.program.ask("which files mention needless copies?"), [""; 0]);
}

#[test]
fn the_sample_holds_three_invoices_of_june() {
    let desk = Desk::new(&[]);
    fs::remove_dir(desk.path("")).unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/workspace/sample"), &desk.path(""));
    let expected = ["downloads/2025-06-20_invoice.html", "invoices/bicycle.txt", "invoices/garden-centre.md"];
    assert_eq!(sorted(desk.program.ask(QUESTION)), expected);
}

#[test]
fn a_question_without_an_answer_says_so_and_any_text_is_a_question() {
    let desk = Desk::new(&INVOICES);
    let said = desk.program.read(&["--ask", "which contracts came in 1931?"]);
    for part in ["Looked for: contracts, 1931", "Nothing was found.", "5 files searched"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    for question in [
        "\"",
        "'; DROP TABLE document; --",
        "NEAR(q q) OR title:x* AND NOT ^y",
        "((((",
        "\u{1b}[31m\u{7}\u{202e}",
        "zyzzyva zyzzyva",
        "-- --apply",
        &"x y ".repeat(250),
        "\u{301}\u{301}",
        "99999-99-99",
    ] {
        assert_eq!(desk.program.ask(question), [""; 0], "{question}");
    }
    assert!(!desk.program.read(&["--ask", "\u{1b}[31mred"]).contains('\u{1b}'));
    assert_eq!(desk.program.documents().len(), INVOICES.len());

    let folder = desk.path("");
    let long = "é".repeat(501);
    for (question, said) in
        [("", "needs a question"), (" \n", "needs a question"), (&*long, "1000 is the most")]
    {
        let (code, complaint) = Program::complaint(&[folder.to_str().unwrap(), "--ask", question]);
        assert_eq!(code, Some(2), "{complaint}");
        assert!(complaint.contains(said), "{complaint}");
    }
}

#[test]
fn a_file_is_found_where_it_is_now() {
    let desk = Desk::new(&INVOICES);
    desk.program.ask(QUESTION);
    desk.program.read(&["--apply"]);
    // Before any scan met it there: the document went with the file.
    let places: Vec<String> = desk.program.documents().into_iter().map(|(place, ..)| place).collect();
    assert!(places.contains(&r"/Files/Documents\-in\-a.md".to_owned()), "{places:?}");
    assert_eq!(places.len(), INVOICES.len());
    let filed = ["Documents/in/a.md", "Documents/invoice-2024-06-30.txt"];
    assert_eq!(sorted(desk.program.ask(QUESTION)), filed);
    assert_eq!(
        deeds(&desk.dir.path().join("state.db"), r"/Files/Documents\-in\-a.md"),
        ["created", "moved", "written"]
    );
    desk.program.read(&["--undo"]);
    assert_eq!(sorted(desk.program.ask(QUESTION)), ["in/a.md", "invoice-2024-06-30.txt"]);

    // What its owner does: another place, other words, no more.
    fs::create_dir(desk.path("new")).unwrap();
    fs::rename(desk.path("in/a.md"), desk.path("new/a.md")).unwrap();
    desk.write("in/b.md", "# Invoice 18\n\n3 June 2025, after all\n");
    fs::remove_file(desk.path("invoice-2024-06-30.txt")).unwrap();
    assert_eq!(sorted(desk.program.ask(QUESTION)), ["in/b.md", "new/a.md"]);
    assert_eq!(desk.program.ask("bicycle"), [""; 0]);
    assert_eq!(desk.program.documents().len(), INVOICES.len() - 1);
}

/// What was done to a document, the first thing first.
fn deeds(state: &Path, place: &str) -> Vec<String> {
    let read = async {
        let hub = Hub::open(state).unwrap();
        let history = hub.context("local").history(place, 100).await.unwrap();
        hub.close().await.unwrap();
        history.iter().rev().map(|revision| format!("{:?}", revision.what).to_lowercase()).collect()
    };
    crate::program::block_on(read)
}

#[test]
fn a_folder_where_a_file_was_and_a_file_where_a_folder_was() {
    let desk = Desk::new(&[("x", "invoice one"), ("y/a/b.txt", "invoice two"), ("y/c.txt", "invoice three")]);
    assert_eq!(desk.program.ask("invoices").len(), 3);
    fs::remove_file(desk.path("x")).unwrap();
    fs::remove_dir_all(desk.path("y")).unwrap();
    desk.write("y", "invoice four");
    let names: Vec<String> = (0..40).map(|number| format!("x/z/{number}.txt")).collect();
    names.iter().for_each(|name| desk.write(name, &format!("invoice {name}")));
    assert_eq!(desk.program.ask("invoice four")[0], "y");
    assert_eq!(desk.program.documents().len(), 41);
    let long = format!("{}/invoice of June 2025.txt", "long/".repeat(100).trim_end_matches('/'));
    desk.write(&long, "It lies deep.");
    assert_eq!(desk.program.ask("lies deep").len(), 1);
}

#[test]
fn who_is_killed_while_asking_answers_the_same() {
    let wanted = crate::number("VEXTIR_WORKSPACE_KILLS").unwrap_or(40).div_ceil(8);
    let seed = crate::number("VEXTIR_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("VEXTIR_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    // All copies have the same times, which the documents tell of.
    let original = Desk::new(&INVOICES);
    let another = || crate::Case::new(&original.path(""));
    let (mut kills, calm, mut case) = (0, another(), another());
    let ask = format!("--ask={QUESTION}");
    let span = calm.program.run(&ask);
    while kills < wanted {
        while !case.program.run_and_kill(&ask, span.mul_f64(random.f64() * 1.2)) {
            kills += 1;
        }
        assert_eq!(sorted(case.program.ask(QUESTION)), ["in/a.md", "invoice-2024-06-30.txt"]);
        assert_eq!(case.program.documents(), calm.program.documents());
        case = another();
    }
}

/// Who did the archivist's work, and gets to nothing.
struct Librarian;

#[driver("librarian", effect = "reads")]
impl Librarian {
    #[on]
    async fn created(&self, _file: FileCreated) -> Result<(), Error> {
        Err(Error::new(ErrorKind::Unavailable, "not today"))
    }
}

#[test]
fn a_log_from_before_there_were_documents_fills_them() {
    let desk = Desk::new(&INVOICES);
    let (folder, state) = (desk.path(""), desk.dir.path().join("state.db"));
    // What an older program left: the events of its scan, its unfinished work on them, and no document.
    let old = async {
        let hub = Hub::open(&state).unwrap();
        let app = Processor::builder(hub.clone()).driver(Librarian).start().await.unwrap();
        let mut scanned = app.subscribe(EventFilter::try_from(FileScanned::TYPE).unwrap()).await.unwrap();
        app.register(Files::watch(fs::canonicalize(folder).unwrap()).once()).await.unwrap();
        scanned.next().await.unwrap().unwrap();
        app.shutdown().await.unwrap();
        hub.close().await.unwrap();
    };
    crate::program::block_on(old);
    assert_eq!(desk.program.documents(), []);
    assert_eq!(sorted(desk.program.ask(QUESTION)), ["in/a.md", "invoice-2024-06-30.txt"]);
    assert_eq!(desk.program.documents().len(), INVOICES.len());
}
