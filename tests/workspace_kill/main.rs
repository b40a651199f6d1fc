//! Kills the example `workspace` with SIGKILL at random moments, starts it again until it ends by itself, and
//! compares what it leaves with what a run leaves that nobody disturbed; then has it undone in the same way.
//!
//! A short campaign by default. `VEXTIR_WORKSPACE_KILLS=1000 cargo test --release --test workspace_kill` is a
//! long one, and `VEXTIR_SEED` repeats one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod asking;
mod daily;
mod desk;
mod folder;
mod program;
mod usage;

use folder::{Listing, copy, generate, list};
use program::Program;
use std::path::Path;

/// A folder of its own for each case, with its state file beside it.
struct Case {
    dir: tempfile::TempDir,
    program: Program,
}

impl Case {
    fn new(original: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(original, &dir.path().join("folder"));
        let program = Program::new(&dir.path().join("folder"), &dir.path().join("state.db"));
        Self { dir, program }
    }

    fn list(&self) -> Listing {
        list(&self.dir.path().join("folder"))
    }

    /// What the program says of the folder, as its last summary and as Markdown; not where it is, and since when
    /// it has been so. And all that it keeps about the files.
    fn report(&self) -> Report {
        let out = self.dir.path().join("summary.md");
        self.program.read(&["--out", out.to_str().unwrap()]);
        let mut summary = self.program.summaries().pop().unwrap();
        summary["news"].take();
        summary["root"].take();
        let page = std::fs::read_to_string(out).unwrap();
        let is_the_same = |line: &&str| !line.contains("folder`") && !line.starts_with("Since the last");
        let page = page.lines().filter(is_the_same).collect::<Vec<_>>().join("\n");
        (summary, page, self.program.documents())
    }
}

type Report = (serde_json::Value, String, Vec<(String, serde_json::Value, String)>);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn whoever_is_killed_ends_where_the_undisturbed_end() {
    let wanted = number("VEXTIR_WORKSPACE_KILLS").unwrap_or(40);
    let seed = number("VEXTIR_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("VEXTIR_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut kills, mut halfway, mut rounds) = (0, 0, 0);
    while kills < wanted {
        rounds += 1;
        let source = tempfile::tempdir().unwrap();
        generate(source.path(), &mut random);
        let original = list(source.path());

        let calm = Case::new(source.path());
        let span = calm.program.run("--apply");
        let filed = calm.list();
        assert_ne!(filed.paths(), original.paths());
        assert_eq!(filed.contents(), original.contents());
        calm.program.run("--apply");
        calm.list().assert_is(&filed, "run twice, it did something twice");
        let said_of_filed = calm.report();
        calm.program.run("--undo");
        calm.list().assert_is(&original, "--undo did not restore it");
        let said_of_original = calm.report();

        let disturbed = Case::new(source.path());
        for (task, begin, end, said) in
            [("--apply", &original, &filed, &said_of_filed), ("--undo", &filed, &original, &said_of_original)]
        {
            while !disturbed.program.run_and_kill(task, span.mul_f64(random.f64().powi(2) * 1.2)) {
                kills += 1;
                let now = disturbed.list();
                assert_eq!(now.contents(), original.contents(), "a file is lost or double");
                halfway += u64::from(now.paths() != begin.paths() && now.paths() != end.paths());
            }
            disturbed.list().assert_is(end, &format!("{task} ended elsewhere"));
            assert_eq!(&disturbed.report(), said, "after {task}");
        }
        // What ended is over: nothing more happens.
        disturbed.program.run("--undo");
        disturbed.list().assert_is(&original, "the end was not the end");
    }
    println!("{kills} kills in {rounds} rounds, {halfway} of them between the first move and the last");
}

#[test]
fn two_runs_at_once_do_not_get_in_each_others_way() {
    let source = tempfile::tempdir().unwrap();
    generate(source.path(), &mut fastrand::Rng::with_seed(1));
    let case = Case::new(source.path());
    let first = case.program.spawn("--apply");
    let second = case.program.spawn("--apply");
    let outputs = [first, second].map(|child| child.wait_with_output().unwrap());
    let refused = outputs.iter().filter(|output| !output.status.success());
    for output in refused {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("another run is at work"), "{said}");
    }
    assert!(outputs.iter().any(|output| output.status.success()));
    case.program.run("--undo");
    case.list().assert_is(&list(source.path()), "--undo did not restore it");
}
