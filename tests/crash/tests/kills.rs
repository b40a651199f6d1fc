//! A short slice of the campaign, and the proof that its check can fail.

use std::path::Path;
use vextir_crash::campaign::{Plan, Report, copy};
use vextir_crash::{check, sabotage};

fn run(folder: &Path, kills: u64, seed: u64) -> Report {
    let program = env!("CARGO_BIN_EXE_vextir-crash").into();
    let folder = folder.to_owned();
    let plan = Plan { program, folder, kills, least: 300, seed, longest: None, chatty: false };
    plan.run().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_program_that_is_killed_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(folder.path(), 15, 1);
    assert!(report.found.violations.is_empty(), "{}", report.found);
    assert!(
        report.found.acknowledged > 100
            && report.found.ordered > 10
            && report.found.documents > 50
            && report.found.approved > 3,
        "too little happened: {}",
        report.found
    );
}

#[test]
fn the_check_finds_what_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(folder.path(), 5, 2);
    assert!(report.found.violations.is_empty(), "{}", report.found);
    for way in sabotage::ALL {
        let file = folder.path().join(format!("{}.db", way.name));
        copy(&folder.path().join("hub.db"), &file).unwrap();
        way.apply(&file).unwrap();
        let found = check::file(&file, &report.told).unwrap();
        assert!(found.violations.contains_key(way.promise), "{}: {found}", way.name);
    }
}
