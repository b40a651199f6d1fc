//! What templates and conditions can read.

use super::{Shell, at, emit, instruction, started_by};
use crate::workflow::expression::{Names, Reference};
use crate::workflow::run::names::Element;
use crate::workflow::run::turn::Turn;
use serde_json::{Value, json};
use std::sync::Arc;

fn names(shell: &Shell, paths: &[&str], element: Option<&Element>) -> Result<Value, String> {
    let references: Vec<Reference> = paths
        .iter()
        .map(|path| Reference {
            path: path.split('.').map(str::to_owned).collect(),
            within: Vec::new(),
            at: 0..0,
        })
        .collect();
    let mut run = shell.run();
    let names: Names = Turn::new(&shell.instruction, &mut run, &shell.world).names(&references, element)?;
    Ok(Value::Object(names))
}

#[test]
fn only_what_is_referred_to_is_there() {
    let start = started_by(json!({"wind": 12}));
    let steps = instruction(vec![emit("a", &[]), emit("fetch-mails", &[]), emit("b", &["a"])]);
    let mut shell = Shell::begin_with(steps, super::Surroundings::default(), start);
    shell.ended(&at("a"), &[json!({"n": 1})]);
    let a = json!({"status": "completed", "output": {"n": 1}, "error": null});
    let running = json!({"status": "running", "output": null, "error": null});
    assert_eq!(names(&shell, &[], None), Ok(json!({})));
    assert_eq!(names(&shell, &["a.output.n", "a.status"], None), Ok(json!({"a": a})));
    assert_eq!(names(&shell, &["nobody.output", "inputs.x"], None), Ok(json!({"inputs": {}})));
    let steps = names(&shell, &["steps.fetch-mails.output", "steps.a"], None);
    assert_eq!(steps, Ok(json!({"steps": {"a": a, "fetch-mails": running}})));
    let all = names(&shell, &["steps"], None).expect("names");
    assert_eq!(all["steps"].as_object().map(serde_json::Map::len), Some(3));
    let trigger = names(&shell, &["trigger.data.wind"], None).expect("names");
    assert_eq!(trigger["trigger"]["data"], json!({"wind": 12}));
    assert_eq!(trigger["trigger"]["type"], "weather.severe");
}

#[test]
fn nobody_reads_more_than_there_is_room_for() {
    let large = json!("x".repeat(900 << 10));
    let steps: Vec<_> = (0..20).map(|n| emit(&format!("s{n}"), &[])).collect();
    let mut shell = Shell::begin(steps);
    for n in 0..20 {
        shell.ended(&at(&format!("s{n}")), std::slice::from_ref(&large));
    }
    let all: Vec<String> = (0..20).map(|n| format!("s{n}.output")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert!(names(&shell, &all[..18], None).is_ok());
    assert_eq!(names(&shell, &all, None), Err("it reads more than 16 MiB".into()));
    assert_eq!(names(&shell, &["steps"], None), Err("it reads more than 16 MiB".into()));
}

#[test]
fn an_element_has_its_name_and_its_place() {
    let shell = Shell::begin(vec![emit("a", &[])]);
    let element = Element { name: "mail".into(), index: 3, value: Arc::new(json!("x")) };
    let read = names(&shell, &["mail", "index", "item"], Some(&element));
    assert_eq!(read, Ok(json!({"mail": "x", "index": 3})));
    assert_eq!(names(&shell, &["mail", "index"], None), Ok(json!({})));
}
