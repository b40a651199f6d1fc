//! A short slice of the campaign, and the proof that its check can fail.

use std::path::Path;
use vextir_crash::campaign::{Plan, Report, Subject, copy};
use vextir_crash::{agents, check, plans, sabotage};

fn run(subject: Subject, folder: &Path, kills: u64, least: usize, seed: u64) -> Report {
    let program = env!("CARGO_BIN_EXE_vextir-crash").into();
    let folder = folder.to_owned();
    let plan = Plan { program, subject, folder, kills, least, seed, longest: None, chatty: false };
    plan.run().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_program_that_is_killed_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(Subject::Events, folder.path(), 15, 300, 1);
    let found = check::file(&folder.path().join("hub.db"), &report.told).unwrap();
    assert!(found.promises.hold(), "{found}");
    assert!(
        found.acknowledged > 100 && found.ordered > 10 && found.documents > 50 && found.approved > 3,
        "too little happened: {found}"
    );
}

#[test]
fn the_check_finds_what_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(Subject::Events, folder.path(), 5, 300, 2);
    let found = check::file(&folder.path().join("hub.db"), &report.told).unwrap();
    assert!(found.promises.hold(), "{found}");
    for way in sabotage::ALL {
        let file = folder.path().join(format!("{}.db", way.name));
        copy(&folder.path().join("hub.db"), &file).unwrap();
        way.apply(&file).unwrap();
        let found = check::file(&file, &report.told).unwrap();
        assert!(found.promises.is_broken(way.promise), "{}: {found}", way.name);
    }
}

#[test]
fn plans_whose_program_is_killed_do_each_step_once_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(Subject::Plans, folder.path(), 12, 60, 3);
    let found = plans::check::file(&folder.path().join("hub.db"), &report.told).unwrap();
    assert!(found.promises.hold(), "{found}");
    assert!(found.plans > 50 && found.effects > 100, "too little happened: {found}");
}

#[test]
fn plans_are_not_sabotaged_in_silence() {
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_vextir-crash"))
        .args(["--plans", "--kills", "1", "--sabotage", sabotage::ALL[0].name])
        .output()
        .unwrap();
    assert_eq!(program.status.code(), Some(2));
    let said = String::from_utf8(program.stderr).unwrap();
    assert!(said.starts_with("--sabotage breaks a file of events or of agents"), "{said}");
}

#[test]
fn agents_whose_program_is_killed_ask_no_model_again_that_has_answered() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(Subject::Agents, folder.path(), 12, 60, 4);
    let file = folder.path().join("hub.db");
    let found = agents::check::file(&file, &report.told).unwrap();
    assert!(found.promises.hold(), "{found}");
    let ended = |status: &str| found.ended.get(status).copied().unwrap_or(0);
    assert!(
        found.models > 100 && found.tools > 60 && ended("completed") > 40,
        "too little happened: {found}"
    );
    assert!(ended("failed") > 2 && ended("cancelled") > 2, "too little happened: {found}");
    let file_ways = agents::sabotage::ALL.iter().map(|way| way.name);
    for name in file_ways.chain(agents::sabotage::FORGETFUL.map(|(name, _)| name)) {
        let broken = folder.path().join(format!("{name}.db"));
        let promise = agents::sabotage::apply(name, &file, &broken).unwrap();
        let found = agents::check::file(&broken, &report.told).unwrap();
        assert!(found.promises.is_broken(promise), "{name}: {found}");
    }
}
