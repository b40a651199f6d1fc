//! The example when nobody kills it.

use crate::desk::Desk;
use crate::folder::list;
use crate::program::Program;
use std::fs;

#[test]
fn looking_changes_nothing_and_says_what_is_there() {
    let desk = Desk::new(&[
        ("minutes.md", "# Minutes of Monday\n"),
        ("old/copy.md", "# Minutes of Monday\n"),
        ("photo.png", "\u{89}"),
    ]);
    let before = list(&desk.path(""));
    let out = desk.dir.path().join("summary.md");
    let said = desk.program.read(&["--out", out.to_str().unwrap()]);
    list(&desk.path("")).assert_is(&before, "looking changed something");
    for part in ["3 files", "Minutes of Monday", "1 needless copy", "To file away: 3 files"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "colours, and no terminal");
    let page = fs::read_to_string(out).unwrap();
    assert!(page.contains("| Documents | 2 |") && page.contains("= `old/copy.md`"), "{page}");
}

#[test]
fn a_summary_is_made_once_until_something_changes() {
    let desk = Desk::new(&[("a.txt", "1")]);
    let first = desk.program.read(&[]);
    assert_eq!(desk.program.read(&[]).lines().next(), first.lines().next());
    assert_eq!(desk.program.summaries().len(), 1);
    desk.write("b.txt", "2");
    let said = desk.program.read(&[]);
    assert!(said.contains("1 new"), "{said}");
    let summaries = desk.program.summaries();
    assert_eq!(summaries.len(), 2);
    assert_eq!(summaries[1]["news"]["created"], 1);

    // What the program moves itself is no news, not even when the next scan meets it.
    desk.program.read(&["--apply"]);
    desk.program.read(&[]);
    let summaries = desk.program.summaries();
    assert_eq!(summaries.len(), 3, "{summaries:#?}");
    assert_eq!(summaries[2]["news"]["moved"], 0);
}

#[test]
fn the_last_filing_is_put_back_and_then_all_of_them() {
    let desk = Desk::new(&[("a.txt", "1"), ("x/b.png", "2")]);
    let before = list(&desk.path(""));
    desk.program.read(&["--apply"]);
    desk.write("c.csv", "3");
    let between = list(&desk.path(""));
    desk.program.read(&["--apply"]);
    assert!(desk.program.read(&["--undo"]).contains("Put back: 1 file"));
    list(&desk.path("")).assert_is(&between, "--undo put back too much, or too little");
    // The last filing is undone already: doing that again does nothing.
    assert!(desk.program.read(&["--undo"]).contains("nothing to put back"));
    assert!(desk.program.read(&["--undo-all"]).contains("Put back: 2 files"));
    fs::remove_file(desk.path("c.csv")).unwrap();
    list(&desk.path("")).assert_is(&before, "--undo-all did not restore it");
}

#[test]
fn what_people_do_meanwhile_is_respected() {
    let desk = Desk::new(&[("a.txt", "1"), ("b.txt", "2"), ("c.txt", "3")]);
    desk.program.read(&["--apply"]);
    // One is moved on, one is edited, one is thrown away; and something takes its old place.
    fs::rename(desk.path("Documents/a.txt"), desk.path("Documents/kept.txt")).unwrap();
    desk.write("Documents/b.txt", "edited");
    fs::remove_file(desk.path("Documents/c.txt")).unwrap();
    desk.write("b.txt", "newcomer");
    let said = desk.program.read(&["--undo"]);
    assert!(said.contains("Put back: 2 files") && said.contains("not there any more"), "{said}");
    let read = |path: &str| fs::read_to_string(desk.path(path)).unwrap();
    assert_eq!([read("a.txt"), read("b.txt"), read("b (2).txt")], ["1", "newcomer", "edited"]);
}

#[test]
fn problems_are_told_in_a_sentence() {
    let desk = Desk::new(&[("a.txt", "1")]);
    let (folder, state) = (desk.path(""), desk.dir.path().join("state.db"));
    desk.program.read(&[]);
    let other = tempfile::tempdir().unwrap();
    let (other, state) = (other.path().to_str().unwrap(), state.to_str().unwrap());
    let missing = folder.join("nowhere");
    let file = folder.join("a.txt");
    for (arguments, status, said) in [
        (vec![missing.to_str().unwrap()], 1, "there is no such folder"),
        (vec![file.to_str().unwrap()], 1, "this is no folder"),
        (vec![other, "--state", state], 1, "say another --state"),
        (vec![other, "--state", file.to_str().unwrap()], 1, "a.txt"),
        (vec!["--apply", "--undo"], 2, "exclude each other"),
        (vec!["--daily", "25:00"], 2, "a time of day from 00:00 to 23:59"),
        (vec!["--daily", "18:00", "--timezone", "Mars"], 2, "there is no zone \"Mars\""),
    ] {
        let (code, complaint) = Program::complaint(&arguments);
        assert_eq!(code, Some(status), "{complaint}");
        assert!(complaint.contains(said) && !complaint.contains("panicked"), "{complaint}");
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "1");
}
