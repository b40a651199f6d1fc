//! Beside the interpreter of the `cel` crate: what both can tell, they tell alike.

use super::super::super::hostile::{CONDITIONS, hostile};
use super::super::Condition;
use super::names;
use cel::{Context, Program};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

/// What CEL makes of it; `None` for an error.
fn theirs(text: &str) -> Option<Value> {
    let program = Program::compile(text).ok()?;
    let mut context = Context::default();
    for (name, value) in names() {
        context.add_variable(name, cel::to_value(value).ok()?).ok()?;
    }
    match program.execute(&context).ok()? {
        cel::Value::Bool(truth) => Some(Value::from(truth)),
        _ => None,
    }
}

fn leaf() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "1",
        "2",
        "-3",
        "0",
        "2.5",
        "2.0",
        "-0.5",
        "7u",
        "'ann'",
        "'a'",
        "''",
        "'é'",
        "true",
        "false",
        "null",
        "[1, 2]",
        "['ann', 'x']",
        "[]",
        "inputs.name",
        "inputs.members",
        "inputs.limit",
        "inputs.none",
        "inputs.who",
        "trigger.data.count",
        "trigger.data.share",
        "trigger.data.big",
        "trigger.data.on",
        "trigger.data.empty",
        "trigger.data.umlaut",
        "n1.output.emails",
        "n1.output.emails[0]",
        "n1.output.emails[1].size",
        "inputs.members[0]",
        "inputs",
        "nothing",
    ])
    .prop_map(str::to_owned)
}

/// Arithmetic mixes whole numbers and floats with us and not in CEL, so it is left out.
fn expression() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 24, 3, |inner| {
        let operators = vec!["==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"];
        let each = vec!["all", "exists", "exists_one", "filter", "map"];
        let bodies = vec!["e == 1", "e.unread", "e.from == 'ann'", "true", "e", "e in inputs.members", "e.size > 2", "e > 1"];
        prop_oneof![
            2 => (inner.clone(), prop::sample::select(operators.clone()), inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            4 => (inner.clone(), prop::sample::select(operators), inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            1 => inner.clone().prop_map(|a| format!("!({a})")),
            1 => inner.clone().prop_map(|a| format!("size({a})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}.contains({b})")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            2 => (inner, prop::sample::select(each), prop::sample::select(bodies)).prop_map(|(a, how, body)| format!("{a}.{how}(e, {body})")),
            1 => Just("has(inputs.name)".to_owned()),
            1 => Just("has(inputs.who)".to_owned()),
        ]
    })
}

/// Without brackets: which operator goes first is the grammar's affair.
fn sum() -> impl Strategy<Value = String> {
    let sign = prop::sample::select(vec![
        "+", "-", "*", "/", "%", " - ", "-(2)*", "==", "<", ">=", "!=", "&&", "||", "? true :",
    ]);
    let number =
        prop::sample::select(vec!["1", "2", "-3", "7", "(4 + 1)", "true", "-(5)", "!false", "1 > 2", "0x1F"]);
    prop::collection::vec((number, sign), 1..7).prop_map(|parts| {
        parts.iter().map(|(number, sign)| format!("{number} {sign} ")).collect::<String>() + "3"
    })
}

/// CEL's parser and interpreter go deep.
fn on_a_large_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(256 * 1024 * 1024).spawn(work).unwrap().join().unwrap()
}

/// How many of the texts could be told; all of these are told alike.
fn told(texts: impl Strategy<Value = String>, cases: u32) -> u32 {
    let told = std::cell::Cell::new(0_u32);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let alike = |text: String| {
        if let Ok(Ok(ours)) = Condition::parse(&text).map(|condition| condition.holds(&names())) {
            prop_assert_eq!(Some(Value::from(ours)), theirs(&text), "{}", text);
            told.set(told.get() + 1);
        }
        Ok(())
    };
    runner.run(&texts, alike).unwrap();
    told.get()
}

#[test]
fn what_holds_here_holds_in_cel() {
    let told = on_a_large_stack(|| told(expression(), 600));
    assert!(told > 60, "only {told} expressions could be told");
}

#[test]
fn operators_bind_as_in_cel() {
    let told = on_a_large_stack(|| told(sum(), 600));
    assert!(told > 60, "only {told} expressions could be told");
}

/// The other way round it is not: there is less here.
#[test]
fn what_is_read_here_is_cel() {
    let read = on_a_large_stack(|| {
        let read = std::cell::Cell::new(0_u32);
        let mut runner =
            TestRunner::new(Config { cases: 1_000, failure_persistence: None, ..Config::default() });
        let taken = |text: String| {
            if Condition::parse(&text).is_ok() {
                prop_assert!(Program::compile(&text).is_ok(), "{}", text);
                read.set(read.get() + 1);
            }
            Ok(())
        };
        runner.run(&hostile(&CONDITIONS), taken).unwrap();
        read.get()
    });
    assert!(read > 50, "only {read} texts were read");
}
