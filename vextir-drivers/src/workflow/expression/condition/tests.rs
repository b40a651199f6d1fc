use super::super::{Flaw, Names, Reference};
use super::Condition;
use serde_json::{Value, json};

mod oracle;

fn names() -> Names {
    let names = json!({
        "inputs": {"name": "Ann", "members": ["ann", "bob"], "limit": 2, "odd key": true, "none": null},
        "trigger": {"data": {
            "count": 3, "share": 0.5, "whole": 2.0, "big": 18_446_744_073_709_551_615_u64, "minus": -4, "on": true,
            "length": 7, "text": "it's .length", "path": "/Personal/Notes", "empty": [], "umlaut": "äöü"
        }},
        "n1": {"status": "completed", "output": {"emails": [
            {"from": "ann", "unread": true, "size": 10},
            {"from": "eve", "unread": false, "size": 2.5}
        ]}},
        "fetch-mails": {"output": [1, 2]},
        "item": {"tags": ["x"]}
    });
    names.as_object().unwrap().clone()
}

fn holds(text: &str) -> Result<bool, String> {
    let condition = Condition::parse(text).unwrap_or_else(|flaw| panic!("{text}: {flaw:?}"));
    assert_eq!(condition.source(), text);
    condition.holds(&names())
}

fn refused(text: &str) -> Flaw {
    match Condition::parse(text) {
        Ok(_) => panic!("taken: {text}"),
        Err(flaw) => flaw,
    }
}

#[test]
fn conditions_hold_and_do_not() {
    for (text, expected) in [
        ("n1.output.emails.length > 0", true),
        ("n1.output.emails.length == 2 && n1.output.emails.size() == 2 && size(n1.output.emails) == 2", true),
        ("trigger.data.empty.length > 0", false),
        ("true", true),
        ("!trigger.data.on", false),
        // Whole numbers, floats and large ones.
        ("trigger.data.count > 0 && trigger.data.share > 0 && trigger.data.big > 0", true),
        ("trigger.data.whole == 2 && trigger.data.whole >= 2.0 && 2 == 2.0", true),
        ("trigger.data.share < 1 && trigger.data.count > 2.5", true),
        ("trigger.data.big > 1.5 && trigger.data.big == 18446744073709551615u", true),
        ("trigger.data.minus < 0 && trigger.data.minus == -4 && -trigger.data.minus == 4", true),
        ("trigger.data.count + 1 == 4 && trigger.data.count * 2 - 1 == 5 && 7 / 2 == 3 && 7 % 2 == 1", true),
        ("trigger.data.count / 2.0 == 1.5 && double(trigger.data.count) / 2 == 1.5", true),
        ("0x10 == 16 && 1e3 == 1000 && 5u == 5 && .5 == 1 / 2.0 && 1.5e-1 == 0.15", true),
        ("-9223372036854775808 < 0 && 1-1 == 0 && 1 -1 == 0 && - -1 == 1 && --1 == 1 && !!true", true),
        // Texts.
        (
            "trigger.data.path.contains('/Personal') && trigger.data.path.startsWith('/') && trigger.data.path.endsWith(\"s\")",
            true,
        ),
        (
            "inputs.name == 'Ann' && inputs.name != 'ann' && inputs.name < 'Bob' && inputs.name + '!' == 'Ann!'",
            true,
        ),
        ("trigger.data.umlaut.length == 3", true),
        ("trigger.data.text == 'it\\'s .length'", true),
        ("'a\\nb'.length == 3 && r'a\\nb'.length == 4 && '\\u00e4' == 'ä'", true),
        // Lists and objects.
        ("'ann' in inputs.members && !('eve' in inputs.members) && 'name' in inputs", true),
        ("1 in [1, 2.0, 'x'] && 2 in [1, 2.0]", true),
        ("inputs.members == ['ann', 'bob'] && inputs.members[1] == 'bob' && [[1], [2]] != [[1], [3]]", true),
        ("inputs['odd key'] && steps['fetch-mails'].output[0] == 1 && steps.n1.status == 'completed'", true),
        ("trigger.data.length == 7 && size(item) == 1", true),
        ("n1.output.emails[0].from == 'ann'", true),
        // Each element.
        ("n1.output.emails.exists(e, e.unread) && !n1.output.emails.all(e, e.unread)", true),
        ("n1.output.emails.exists_one(e, e.unread && e.from in inputs.members)", true),
        ("n1.output.emails.filter(e, e.size > 2).length == 2", true),
        ("n1.output.emails.filter(e, e.unread).map(e, e.from) == ['ann']", true),
        ("n1.output.emails.map(e, e.from).exists(f, f == 'eve')", true),
        ("trigger.data.empty.all(e, e > 5) && !trigger.data.empty.exists(e, e > 5)", true),
        ("[1, 2, 3].all(inputs, inputs > 0)", true),
        // What is there and what is not.
        ("has(inputs.name) && !has(inputs.who) && has(trigger.data.length) && has(inputs.none)", true),
        ("has(inputs.who) && inputs.who == 'x'", false),
        ("inputs.none == null && inputs.name != null && null == null", true),
        ("trigger.data.count > 5 ? inputs.who : true", true),
        ("'1' == 1", false),
        (
            "int('5') == 5 && int(2.9) == 2 && string(5) == '5' && double('0.5') == 0.5 && string(true) == 'true'",
            true,
        ),
        ("trigger.data.count > 0 // a remark", true),
        ("\n  trigger.data.count\n  > 0\n", true),
    ] {
        assert_eq!(holds(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_cannot_be_told_is_an_error_with_its_reason() {
    for (text, reason) in [
        (
            "fetsh.output > 0",
            "there is no `fetsh`, did you mean `fetch-mails`?; there is `fetch-mails`, `inputs`, `item`, `n1`, `trigger`",
        ),
        ("n1.output.mails.length > 0", "`n1.output` has no `mails`, did you mean `emails`?; it has `emails`"),
        ("n1.status.text > 0", "`n1.status` is a text and has no `text`"),
        ("n1.output.emails.count > 0", "`n1.output.emails` is a list and has no `count`"),
        ("item.length > 0", "`item` has no `length`; it has `tags`"),
        ("trigger.data.count.length > 0", "`trigger.data.count` is a number and has no size"),
        (
            "inputs.name > 5",
            "`inputs.name > 5`: a text and a number have no order; numbers have one, and texts",
        ),
        (
            "inputs.none > 0",
            "`inputs.none > 0`: null and a number have no order; numbers have one, and texts",
        ),
        ("trigger.data.count", "`trigger.data.count` is a number, not true or false"),
        ("trigger.data.count && true", "`trigger.data.count` is a number, not true or false"),
        ("!inputs.name", "`inputs.name` is a text, not true or false"),
        // Nothing makes up for an error.
        (
            "inputs.who > 0 || true",
            "`inputs` has no `who`; it has `limit`, `members`, `name`, `none`, `odd key`",
        ),
        (
            "inputs.who > 0 && false",
            "`inputs` has no `who`; it has `limit`, `members`, `name`, `none`, `odd key`",
        ),
        (
            "[1, 'a', 2].exists(x, x > 1)",
            "`x > 1`: a text and a number have no order; numbers have one, and texts",
        ),
        ("has(inputs.name.first)", "`inputs.name` is a text and has no fields"),
        ("inputs.members[2] == 'x'", "`inputs.members` has no element 2"),
        (
            "inputs.members[-1] == 'x'",
            "`inputs.members[-1]`: an index is a whole number from 0, and not a number",
        ),
        (
            "inputs.members['x'] == 'x'",
            "`inputs.members['x']`: an index is a whole number from 0, and not a text",
        ),
        ("inputs[0] == 'x'", "`inputs[0]`: a key is a text, and not a number"),
        ("inputs['who'] == 'x'", "`inputs` has no element \"who\""),
        ("inputs.name[0] == 'A'", "`inputs.name` is a text and has no elements"),
        (
            "'a' in inputs.name",
            "`inputs.name` is a text; `in` looks into lists and objects, x.contains(y) into texts",
        ),
        ("null in inputs", "`null`: a key is a text, and not null"),
        ("inputs.limit.contains('2')", "`inputs.limit` is a number, not a text"),
        ("inputs.name.contains(2)", "`2` is a number, not a text"),
        ("inputs.name.all(x, true)", "`inputs.name` is a text, not a list"),
        ("inputs.limit / 0 == 1", "`inputs.limit / 0`: it divides by zero"),
        ("inputs.limit % 0.0 == 1", "`inputs.limit % 0.0`: it divides by zero"),
        ("trigger.data.big + 1 > 0", "`trigger.data.big + 1`: the number is too large"),
        ("9223372036854775807 * 3 > 0", "`9223372036854775807 * 3`: the number is too large"),
        ("1e308 * 10 > 0", "`1e308 * 10`: the number is too large"),
        ("inputs.name - 1 > 0", "`inputs.name - 1` computes with a text and a number"),
        ("-inputs.name > 0", "`inputs.name` is a text, not a number"),
        ("int('x') > 0", "`int('x')`: the text is no whole number"),
        ("double('nan') > 0", "`double('nan')`: the number is too large"),
        ("string(inputs) == ''", "`string(inputs)`: an object cannot be converted"),
    ] {
        let error = holds(text).unwrap_err();
        assert_eq!(error, format!("`{text}` cannot be told: {reason}"), "{text}");
    }
}

#[test]
fn errors_are_bounded_whatever_was_read() {
    let key = "k".repeat(5_000);
    let names = json!({"a": {&key: "v".repeat(100_000)}});
    let condition = Condition::parse(&format!("a.b == '{}'", "x".repeat(900))).unwrap();
    let error = condition.holds(names.as_object().unwrap()).unwrap_err();
    assert!(error.len() < 600, "{}", error.len());
    assert!(!error.contains("vvv"));
}

#[test]
fn what_is_not_allowed_is_refused_at_load() {
    for (text, at, message) in [
        ("", 0..0, "the condition is empty"),
        (" \n", 0..2, "the condition is empty"),
        ("a >", 3..3, "something is missing at the end"),
        ("a > 0 && ", 8..9, "something is missing at the end"),
        ("a = 1", 2..3, "`=` has no meaning here"),
        ("a == 1 and b", 7..10, "`and` is not expected here"),
        ("not a", 4..5, "`a` is not expected here"),
        ("{{ a }}", 0..7, "a condition has no braces around it"),
        ("é == 1", 0..2, "`é` has no meaning here"),
        ("a == 'é' § 1", 10..12, "`§` has no meaning here"),
        ("loop > 1", 0..4, "`loop` cannot be a name"),
        ("a.b.matches('x')", 4..11, "there is no function `matches`"),
        ("a == 'é' && lenght(a) > 1", 13..19, "there is no function `lenght`"),
        ("sze(a) > 1", 0..3, "there is no function `sze`, did you mean `size`?"),
        ("timestamp(a) > 1", 0..9, "there is no function `timestamp`"),
        ("size() > 1", 0..4, "`size` is called in another way"),
        ("contains(a, 'x')", 0..8, "`contains` is called in another way"),
        ("a.all(b)", 2..5, "`all` names the element first"),
        ("a.all(b.c, true)", 2..5, "`all` names the element first"),
        ("has(a)", 0..3, "`has` asks for a field"),
        ("has(a['b'])", 0..3, "`has` asks for a field"),
        ("has(steps.a)", 0..3, "`has` asks for a field"),
        ("a.all(x, x.all(y, y))", 11..14, "`all` within"),
        ("a.exists(x, x in b.filter(y, y))", 19..25, "`filter` within"),
        ("{'a': 1} == a", 0..1, "`{` is not expected here"),
        ("A{b: 1} == a", 1..2, "`{` is not expected here"),
        ("b'x' == a", 0..1, "there are no bytes here"),
        ("steps == a", 0..5, "`steps` is read by the id of a step"),
        ("steps[a] == 1", 0..5, "`steps` is read by the id of a step"),
        ("fetch-mails.output > 1", 0..11, "`fetch-mails` reads as a subtraction"),
        (".a == 1", 0..1, "`.` is not expected here"),
        ("a.?b == 1", 2..3, "`?` is not expected here"),
        ("9223372036854775808 > a", 0..19, "the number is too large"),
        ("99999999999999999999u > a", 0..21, "`99999999999999999999u` is no number"),
        ("1e999 > a", 0..5, "`1e999` is no number"),
        ("12ab > a", 0..4, "`12ab` is no number"),
        ("0x > a", 0..2, "`0x` is no number"),
        ("a == 'x", 5..6, "the text in quotes is not closed"),
        ("a == 'x\ny'", 5..6, "the text in quotes is not closed"),
        ("a == 'é\\q'", 8..10, "`\\q` has no meaning in a text"),
        ("a == '\\ud800'", 6..8, "`\\u` has no meaning in a text"),
        ("a[1", 3..3, "something is missing at the end"),
        ("a.in", 2..4, "`in` is not expected here"),
        ("in > 1", 0..2, "`in` is not expected here"),
        ("(a, b)", 2..3, "`,` is not expected here"),
        ("a b", 2..3, "`b` is not expected here"),
        ("a & b", 2..3, "`&` has no meaning here"),
        ("size(a,) > 1", 7..8, "`)` is not expected here"),
    ] {
        let flaw = refused(text);
        assert!(flaw.message.starts_with(message), "{text}: {}", flaw.message);
        assert_eq!(flaw.at, at, "{text}: {}", flaw.message);
    }
    assert_eq!(refused("a and b").help.as_deref(), Some("write `&&`"));
    assert_eq!(refused("a = 1").help.as_deref(), Some("`==` compares"));
    assert!(
        refused(&format!("a == '{}'", "x".repeat(1024)))
            .message
            .starts_with("a condition has at most 1024 bytes")
    );
}

#[test]
fn references_are_the_fixed_paths_with_their_places() {
    let paths = |text: &str| -> Vec<(String, String)> {
        let references = Condition::parse(text).unwrap().references();
        references.iter().map(|read| (read.path.join("."), text[read.at.clone()].to_owned())).collect()
    };
    let read = |path: &str, at: &str| (path.to_owned(), at.to_owned());
    assert_eq!(paths("n1.output.emails.length > 0"), [read("n1.output.emails", "n1.output.emails")]);
    assert_eq!(paths("'é' == a.b && c"), [read("a.b", "a.b"), read("c", "c")]);
    assert_eq!(paths("a.list[0].x == b['k'].l"), [read("a.list", "a.list"), read("b.k.l", "b['k'].l")]);
    assert_eq!(paths("a[b.c].d > 1"), [read("a", "a"), read("b.c", "b.c")]);
    assert_eq!(paths("has(a.b.c)"), [read("a.b", "a.b")]);
    assert_eq!(
        paths("steps['f-m'].output > steps.g.x"),
        [read("f-m.output", "steps['f-m'].output"), read("g.x", "steps.g.x")]
    );
    assert_eq!(paths("a.b.exists(x, x.c == d.e)"), [read("a.b", "a.b"), read("d.e", "d.e")]);
    assert_eq!(paths("a.exists(x, x) || x"), [read("a", "a"), read("x", "x")]);
    assert_eq!(paths("size(a.b) > 1 ? c : -d > 1").len(), 3);
    assert_eq!(paths("'a.length' == \"b.length\""), []);
    let whole = Condition::parse("a.b").unwrap().references();
    assert_eq!(whole, [Reference { path: vec!["a".into(), "b".into()], within: Vec::new(), at: 0..3 }]);
}

#[test]
fn long_lists_are_gone_over_and_longer_ones_are_stopped() {
    let mails: Vec<Value> =
        (0..10_000).map(|at| json!({"from": format!("user{at}"), "size": at, "tags": ["a", "b"]})).collect();
    let names = json!({"mails": mails, "few": ["user1", "user2"], "many": (0..10_000).map(|at| format!("other{at}")).collect::<Vec<_>>(),
        "long": "x".repeat(1_000_000)});
    let names = names.as_object().unwrap();
    let tell = |text: &str| Condition::parse(text).unwrap().holds(names);
    let start = std::time::Instant::now();
    assert_eq!(tell("mails.length == 10000"), Ok(true));
    assert_eq!(tell("mails.all(m, m.size >= 0 && m.tags.length == 2)"), Ok(true));
    assert_eq!(tell("mails.exists(m, m.from in few)"), Ok(true));
    assert_eq!(
        tell("mails.filter(m, m.size % 2 == 0).map(m, m.from).filter(f, f.endsWith('8')).length == 1000"),
        Ok(true)
    );
    assert_eq!(tell("mails == mails && 'other9999' in many"), Ok(true));
    for quadratic in [
        "mails.exists(m, m.from in many)",
        "mails.all(m, mails.length > 0 && !(m in many))",
        "mails.all(m, !long.contains(m.from))",
        "mails.all(m, (long + long + m.from).length > 0)",
        "mails.map(m, long + 'x').all(t, t.length > 0)",
        "mails.all(m, mails == mails)",
    ] {
        let error = tell(quadratic).unwrap_err();
        assert!(error.contains("it does too much") || error.contains("longer than"), "{quadratic}: {error}");
    }
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

/// In a debug build on a stack of 2 MiB.
#[test]
fn what_is_nested_or_chained_does_not_end_the_process() {
    let cases = [
        format!("1{} > 0", "+1".repeat(500)),
        format!("1{} > 0", "+1".repeat(28)),
        format!("a{}", "&&a".repeat(300)),
        format!("a{}", "||a".repeat(120)),
        "(".repeat(500) + "a" + &*")".repeat(500),
        "(".repeat(90) + "a" + &*")".repeat(90),
        "[".repeat(500) + &*"]".repeat(500),
        "[".repeat(30) + &*"]".repeat(30),
        "!".repeat(1_000) + "a",
        "-".repeat(1_000) + "1 > 0",
        "!(".repeat(30) + "a" + &*")".repeat(30),
        format!("a{}", ".a".repeat(500)),
        format!("a{}", ".a".repeat(30)),
        format!("a{}", "[a".repeat(300)),
        format!("a{}", "?a:a".repeat(250)),
        format!("a{}", "?a:a".repeat(20)),
        format!("{}a{}", "size(".repeat(200), ")".repeat(200)),
        format!("a{}", ".all(a,a".repeat(100)),
        format!("a{}", ".filter(a,a)".repeat(80)),
        format!("[{}]", "a,".repeat(500)),
        "'".repeat(1_000),
        "\\".repeat(1_000),
        "\u{0}".repeat(1_000),
        "é".repeat(512),
    ];
    std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(move || {
            let names = json!({"a": true});
            for case in cases {
                if let Ok(condition) = Condition::parse(&case) {
                    let _ = condition.holds(names.as_object().unwrap());
                    condition.references();
                }
            }
        })
        .unwrap()
        .join()
        .unwrap();
    assert_eq!(refused(&format!("a in [{}]", "a,".repeat(300))).message, "it is made of more than 256 parts");
    assert!(refused(&format!("1{} > 0", "+1".repeat(40))).message.starts_with("nested deeper than 32"));
}

#[test]
fn conditions_go_between_threads_and_are_cheap_to_clone() {
    fn sendable<T: Send + Sync + Clone + 'static>(_: &T) {}
    let condition = Condition::parse("inputs.limit > 1").unwrap();
    sendable(&condition);
    let copies = vec![condition; 10_000];
    assert_eq!(copies[9_999].holds(&names()), Ok(true));
}
