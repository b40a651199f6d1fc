//! For each element of a list.

use super::{Shell, at, each, emit, emitted, nth, retry};
use crate::workflow::instruction::OnError;
use crate::workflow::run::{Due, Happened, KeptIn, RunStatus};
use serde_json::{Value, json};

#[test]
fn elements_are_done_so_many_at_a_time_and_the_output_is_in_their_order() {
    let mut fan = emit("fan", &[]);
    fan.for_each = each(json!(["a", "b", "c", "d"]), 2);
    let mut shell = Shell::begin(vec![fan, emit("then", &["fan"])]);
    assert_eq!(emitted(&shell.log), ["fan/0/1", "fan/1/1"]);
    assert_eq!(emitted(&shell.ended(&at("fan/1"), &[json!(1)])), ["fan/2/1"]);
    assert_eq!(emitted(&shell.ended(&at("fan/2"), &[json!(2)])), ["fan/3/1"]);
    assert_eq!(shell.ended(&at("fan/0"), &[json!(0)]), []);
    assert_eq!(emitted(&shell.ended(&at("fan/3"), &[])), ["then/1"]);
    assert_eq!(shell.run().dag.nodes["fan"].output.as_deref(), Some(&json!([0, 1, 2, null])));
    assert_eq!(shell.parts.len(), 0, "a small list stands in the document");
}

#[test]
fn an_empty_list_is_done_at_once_and_what_is_no_list_fails() {
    let fan = |items: Value| {
        let mut fan = emit("fan", &[]);
        fan.for_each = each(items, 2);
        Shell::begin(vec![fan]).end()
    };
    assert_eq!(fan(json!([])), (RunStatus::Completed, json!([]), None));
    let error = "step `fan`: its `for_each`: it needs a list, and this is a number";
    assert_eq!(fan(json!(7)).2.as_deref(), Some(error));
    let many: Vec<u32> = (0..10_001).collect();
    let error = "step `fan`: its `for_each`: the list has 10001 elements; at most 10000 fit";
    assert_eq!(fan(json!(many)).2.as_deref(), Some(error));
}

#[test]
fn an_element_is_tried_again_and_keeps_its_place_meanwhile() {
    let mut fan = emit("fan", &[]);
    fan.for_each = each(json!([0, 1, 2]), 2);
    fan.retry = retry(2);
    let mut shell = Shell::begin(vec![fan]);
    assert_eq!(emitted(&shell.failed(&at("fan/0"))), [""; 0]);
    assert_eq!(emitted(&shell.ended(&at("fan/1"), &[json!(1)])), ["fan/2/1"]);
    assert_eq!(emitted(&shell.due(&at("fan/0"), Due::Retry)), ["fan/0/2"]);
    shell.ended(&nth("fan/0", 2), &[json!(0)]);
    shell.ended(&at("fan/2"), &[json!(2)]);
    assert_eq!(shell.end().1, json!([0, 1, 2]));
}

#[test]
fn an_element_that_fails_is_null_where_the_run_goes_on() {
    let mut fan = emit("fan", &[]);
    fan.for_each = each(json!([0, 1]), 2);
    fan.on_error = OnError::Continue;
    let mut shell = Shell::begin(vec![fan]);
    shell.failed(&at("fan/0"));
    shell.ended(&at("fan/1"), &[json!(1)]);
    assert_eq!(shell.end(), (RunStatus::Completed, json!([null, 1]), None));
}

#[test]
fn an_element_that_fails_fails_the_step_and_only_what_is_not_done_is_done_again() {
    let mut fan = emit("fan", &[]);
    fan.for_each = each(json!([0, 1, 2, 3, 4]), 2);
    let mut shell = Shell::begin(vec![fan]);
    shell.ended(&at("fan/0"), &[json!(0)]);
    assert_eq!(shell.failed(&at("fan/1")), [], "nothing new begins");
    shell.ended(&at("fan/2"), &[json!(2)]);
    let (status, _, error) = shell.end();
    assert_eq!((status, error.as_deref()), (RunStatus::Failed, Some("step `fan`: element 1: broken")));
    let again = shell.step(Happened::RetryFrom { step: "fan".into() });
    assert_eq!(emitted(&again), ["fan/1/2", "fan/3/2"]);
    shell.ended(&nth("fan/1", 2), &[json!(1)]);
    shell.ended(&nth("fan/3", 2), &[json!(3)]);
    shell.ended(&nth("fan/4", 2), &[json!(4)]);
    assert_eq!(shell.end(), (RunStatus::Completed, json!([0, 1, 2, 3, 4]), None));
}

#[test]
fn a_long_list_lies_in_parts_beside_the_document() {
    let list: Vec<u32> = (0..1_000).collect();
    let mut fan = emit("fan", &[]);
    fan.for_each = each(json!(list), 7);
    let mut shell = Shell::begin(vec![fan]);
    assert_eq!(shell.parts.len(), 63);
    for item in 0..1_000 {
        shell.ended(&at(&format!("fan/{item}")), &[json!({"n": item})]);
        assert!(shell.document.len() < 10_000, "{} bytes", shell.document.len());
    }
    assert_eq!(shell.run().dag.nodes["fan"].kept_in, Some(KeptIn::Items(1_000)));
    let (status, output, _) = shell.end();
    assert_eq!(status, RunStatus::Completed);
    let expected: Vec<Value> = (0..1_000).map(|n| json!({"n": n})).collect();
    assert_eq!(output, json!(expected));
}

#[test]
fn what_a_piped_element_lacks_comes_from_the_element() {
    let mut fan = emit("fan", &[]);
    fan.for_each = each(json!([{"path": "/a"}, {"path": "/b"}]), 2);
    fan.piped = true;
    let mut world = super::Surroundings::default();
    world.schemas.insert("do.fan".into(), json!({"required": ["path"]}));
    let mut shell = Shell::begin_with(super::instruction(vec![fan]), world, super::start());
    let paths = shell.log.iter().map(|command| match command {
        super::Command::Emit { data, .. } => data["path"].clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(paths.collect::<Vec<_>>(), ["/a", "/b"]);
    shell.ended(&at("fan/0"), &[]);
    shell.ended(&at("fan/1"), &[json!(1)]);
    assert_eq!(shell.end().1, json!([{"path": "/a"}, 1]), "without an answer it is passed on");
}
