//! Whatever is written, and whatever it reads: an answer or an error. In a debug build, on a stack of 2 MiB.

use super::{Condition, Names, Template};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

const TEMPLATES: [&str; 8] = [
    "{{ inputs.name | upper }} é {{ steps['f-m'].output[0] }}",
    "{% for x in inputs.list if x > 1 %}{{ loop.index }}: {{ x }}\n{% else %}none{% endfor %}",
    "{% if inputs.name is defined and not inputs.none %}a{% elif 'x' in inputs.list %}b{% else %}c{% endif %}",
    "{{ inputs.list | map(attribute='x') | join(', ') | replace('a', \"b\") }}",
    "{{- inputs.list[1:2] | first | default({}) -}}",
    "{{ 1.5e3 // 2 ** 3 % 4 if inputs.a.b.c == none else [1, 'x', true] }}",
    "{{ inputs.name }}",
    "{{ '{{' }} {{ \"%}\" }} {{ inputs.list | sum | round(1) | int }}",
];
pub(super) const CONDITIONS: [&str; 7] = [
    "inputs.list.length > 0 && !(inputs.name in ['a', \"b\"])",
    "inputs.list.exists(x, x > 1.5 || x == -2u) ? has(inputs.name) : steps['f-m'].output[0] == null",
    "size(inputs.name) * 2 + 1 % 3 >= 4 / 2 && inputs.name.startsWith('\\u00e9')",
    "inputs.list.filter(x, x != 2).map(y, y + 1) == [2, 4.0]",
    "r'a\\b' == '''x''' // note",
    "0x1F < int('5') && string(true).contains('r') || double(inputs.list[0]) < 1e3",
    "inputs.a.b.c == 'é' && {'a': 1}.a == 1",
];
const PIECES: [&str; 60] = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "|",
    "'",
    "\"",
    "\\",
    ".",
    ",",
    ":",
    "=",
    "==",
    "!=",
    "<",
    ">",
    "&&",
    "||",
    "!",
    "?",
    "+",
    "-",
    "*",
    "**",
    "/",
    "//",
    "%",
    "~",
    "é",
    "\u{0}",
    "\n",
    " ",
    "for x in ",
    "if ",
    "endfor",
    "endif",
    "else",
    "is ",
    "not ",
    "inputs",
    ".list",
    ".name",
    "steps",
    "['f-m']",
    "9999999999999999999",
    "1e999",
    ".length",
    ".all(x,",
    "has(",
    "null",
    "b'",
    "size(",
];

fn names() -> Names {
    let names = json!({"inputs": {"name": "é", "list": [1, 2, 3], "none": null, "a": {"b": {"c": 1.5}}}, "f-m": {"output": [null]}});
    names.as_object().unwrap().clone()
}

/// Texts of all kinds: from pieces, from one with a part cut out, doubled or replaced, and anything.
pub(super) fn hostile(seeds: &'static [&'static str]) -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(select(&PIECES[..]), 0..24).prop_map(|pieces| pieces.concat());
    let mutated = (select(seeds), any::<[Index; 2]>(), select(&PIECES[..]), 0..4_u8).prop_map(
        |(seed, ends, piece, how)| {
            let signs: Vec<char> = seed.chars().collect();
            let mut cut = ends.map(|end| end.index(signs.len() + 1));
            cut.sort_unstable();
            let [before, part, behind] = [&signs[..cut[0]], &signs[cut[0]..cut[1]], &signs[cut[1]..]]
                .map(|part| part.iter().collect::<String>());
            match how {
                0 => format!("{before}{behind}"),
                1 => format!("{before}{part}{part}{behind}"),
                2 => format!("{before}{piece}{behind}"),
                _ => format!("{before}{piece}{part}{piece}{behind}"),
            }
        },
    );
    prop_oneof![3 => mutated, 2 => pieces, 1 => any::<String>()]
}

fn on_a_small_stack(cases: u32, seeds: &'static [&'static str], check: fn(&str)) {
    let work = move || {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&hostile(seeds), |text| {
            check(&text);
            Ok(())
        })
    };
    std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work).unwrap().join().unwrap().unwrap();
}

fn fits(text: &str, at: &std::ops::Range<usize>) {
    assert!(text.get(at.clone()).is_some(), "{text:?}: {at:?}");
}

#[test]
fn any_template_is_read_or_refused() {
    on_a_small_stack(1_500, &TEMPLATES, |text| {
        let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
        match Template::parse(&json!({"since": text})) {
            Err(flaws) => flaws.iter().for_each(|flaw| fits(text, &flaw.at)),
            Ok(template) => {
                template.references().iter().for_each(|read| fits(text, &read.at));
                let rendered = template.render(&names(), &now);
                assert!(!text.contains("{{") || rendered.as_ref() != Ok(&json!({"since": text})), "{text:?}");
                assert!(
                    template.render(&Names::new(), &now).is_ok()
                        || !template.references().is_empty()
                        || rendered.is_err()
                );
            }
        }
    });
}

#[test]
fn any_condition_is_read_or_refused() {
    on_a_small_stack(700, &CONDITIONS, |text| match Condition::parse(text) {
        Err(flaw) => fits(text, &flaw.at),
        Ok(condition) => {
            condition.references().iter().for_each(|read| {
                fits(text, &read.at);
                assert!(!read.at.is_empty(), "{text:?}: {read:?}");
            });
            let _ = (condition.holds(&names()), condition.holds(&Names::new()));
        }
    });
}

/// The seeds themselves are fine, or the mutations would test little.
#[test]
fn the_seeds_are_read() {
    for seed in TEMPLATES.iter().filter(|seed| !seed.contains("{}")) {
        assert!(Template::parse(&json!(seed)).is_ok(), "{seed}");
    }
    for seed in CONDITIONS.iter().filter(|seed| !seed.contains('{')) {
        assert!(Condition::parse(seed).is_ok(), "{seed}");
    }
}

proptest! {
    #![proptest_config(Config { cases: 64, failure_persistence: None, ..Config::default() })]

    #[test]
    fn length_within_a_text_stays(before in "[a-z .é]{0,20}", behind in "[a-z .é()]{0,20}", quote in select(&["'", "\""][..])) {
        let text = format!("{before}.length{behind}");
        let condition = Condition::parse(&format!("a.text == {quote}{text}{quote} && a.text.length == a.size")).unwrap();
        let size = text.chars().count();
        let names = json!({"a": {"text": text, "size": size}});
        prop_assert_eq!(condition.holds(names.as_object().unwrap()), Ok(true));
        let other = json!({"a": {"text": text.replace(".length", ".size()"), "size": size}});
        prop_assert_eq!(condition.holds(other.as_object().unwrap()), Ok(false));
    }

    #[test]
    fn a_path_alone_gives_the_very_value(value in json_value()) {
        let names = json!({"trigger": {"data": value}});
        let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
        let render = |text: &str| Template::parse(&json!(text)).unwrap().render(names.as_object().unwrap(), &now);
        prop_assert_eq!(render("{{trigger.data}}"), Ok(names["trigger"]["data"].clone()));
        if !names["trigger"]["data"].is_null() {
            // The engine keeps it, too.
            prop_assert_eq!(render("{{ trigger.data | default(1) }}"), Ok(names["trigger"]["data"].clone()));
        }
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300_f64).prop_map(Value::from),
        "[a-z{}% é'\"]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z é-]{0,6}", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}
