//! Each case is a program with a mistake; beside it stands what the pinned compiler says to it.
//!
//! After a change of a sentence: `TRYBUILD=overwrite cargo test -p vextir-ui-tests`, and read the difference.

#[test]
fn every_mistake_has_its_sentence() {
    let cases = trybuild::TestCases::new();
    for folder in ["driver", "handler", "hook", "payload"] {
        cases.compile_fail(format!("{folder}/*.rs"));
    }
}
