//! Crashes between the runs of a handler.

use vextir_core::Event;
use vextir_core::testkit::Simulation;
use vextir_drivers::script::Scripts;

const FIRST: &str = "emit(\"two\", #{ n: 1 }); emit(\"two\", #{ n: 2 });";
const SECOND: &str = "let n = event.data.n; for x in 0..10 { n += x; } emit(\"three\", #{ n: n });";

#[test]
fn a_crash_repeats_nothing_and_loses_nothing() {
    let scripts = || Scripts::new().with_handler("first", "one", FIRST).with_handler("second", "two", SECOND);
    let checked = Simulation::new(move |app| app.driver(scripts()))
        .events((0..2).map(|_| Event::new("one")))
        .invariant("each event has its outputs once", |(), run| {
            run.count("two") == 4 && run.count("three") == 4 && run.count("error") == 0
        })
        .whatever_the_order()
        .check()
        .unwrap();
    assert!(checked.crashes > 8, "{checked:?}");
}
