//! Beside the interpreter of the `cel` crate: what both can tell, they tell alike.

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

#[test]
fn what_holds_here_holds_in_cel() {
    // Its interpreter goes deep.
    let work = || {
        let mut told = 0_u32;
        let mut runner =
            TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() });
        let cases = std::cell::RefCell::new(&mut told);
        runner
            .run(&expression(), |text| {
                let Ok(ours) = Condition::parse(&text).map(|condition| condition.holds(&names())) else {
                    return Ok(());
                };
                if let Ok(ours) = ours {
                    prop_assert_eq!(Some(Value::from(ours)), theirs(&text), "{}", text);
                    **cases.borrow_mut() += 1;
                }
                Ok(())
            })
            .unwrap();
        told
    };
    let told = std::thread::Builder::new().stack_size(256 * 1024 * 1024).spawn(work).unwrap().join().unwrap();
    assert!(told > 60, "only {told} expressions could be told");
}
