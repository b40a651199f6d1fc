use super::super::{Flaw, Names, Reference};
use super::Template;
use jiff::Zoned;
use serde_json::{Value, json};

fn names() -> Names {
    let names = json!({
        "inputs": {"name": "Ann", "members": ["ann", "bob"], "none": null, "odd key": 7, "brace": "{{ x }}"},
        "trigger": {"data": {"count": 3, "share": 0.5, "whole": 2.0, "big": 18_446_744_073_709_551_615_u64, "on": true}},
        "fetch": {"status": "completed", "output": {
            "emails": [{"from": "x@y.z", "subject": "Hi <b>"}, {"from": "q@y.z", "subject": "it's"}],
            "text": "two\nlines"
        }},
        "fetch-mails": {"output": [1, 2]},
        "item": {"name": "third"},
        "index": 2
    });
    names.as_object().unwrap().clone()
}

fn now() -> Zoned {
    "2025-06-16T09:00:00-04:00[America/New_York]".parse().unwrap()
}

fn render(value: Value) -> Result<Value, String> {
    Template::parse(&value).unwrap().render(&names(), &now())
}

fn text(text: &str) -> Value {
    render(json!(text)).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> Flaw {
    match Template::parse(&json!(text)) {
        Ok(_) => panic!("taken: {text}"),
        Err(mut flaws) => flaws.remove(0),
    }
}

#[test]
fn a_template_alone_keeps_the_type_of_what_it_reads() {
    for (written, read) in [
        ("{{inputs.name}}", json!("Ann")),
        ("{{ inputs.members }}", json!(["ann", "bob"])),
        ("{{ inputs.members[1] }}", json!("bob")),
        ("{{ inputs['odd key'] }}", json!(7)),
        ("{{ trigger.data.count }}", json!(3)),
        ("{{ trigger.data.share }}", json!(0.5)),
        ("{{ trigger.data.whole }}", json!(2.0)),
        ("{{ trigger.data.big }}", json!(18_446_744_073_709_551_615_u64)),
        ("{{ trigger.data.on }}", json!(true)),
        ("{{ inputs.none }}", json!(null)),
        ("{{ fetch.output.emails[0] }}", json!({"from": "x@y.z", "subject": "Hi <b>"})),
        ("{{ steps['fetch-mails'].output }}", json!([1, 2])),
        ("{{ steps.fetch.status }}", json!("completed")),
        ("\n  {{- index -}}\n", json!(2)),
        // What is computed keeps its type, too.
        ("{{ fetch.output.emails | length }}", json!(2)),
        ("{{ trigger.data.count + 1 }}", json!(4)),
        ("{{ trigger.data.count > 2 }}", json!(true)),
        ("{{ inputs.none | default('nobody') }}", json!("nobody")),
        ("{{ inputs.who | default([]) }}", json!([])),
        ("{{ inputs.members | first }}", json!("ann")),
        ("{{ fetch.output.emails | map(attribute='from') }}", json!(["x@y.z", "q@y.z"])),
        ("{{ inputs.who is defined }}", json!(false)),
        ("{{ inputs.none }}\n", json!(null)),
        ("{{ '5' | int }}", json!(5)),
        ("{{ 2.9 | int }}", json!(2)),
        ("{{ '1.5' | float }}", json!(1.5)),
        ("{{ trigger.data.big | default(0) }}", json!(18_446_744_073_709_551_615_u64)),
    ] {
        assert_eq!(text(written), read, "{written}");
    }
}

#[test]
fn within_a_text_values_are_written_plainly_or_as_json() {
    for (written, read) in [
        ("Dear {{inputs.name}}!", "Dear Ann!"),
        ("{{inputs.name}}{{inputs.name}}", "AnnAnn"),
        ("n={{trigger.data.count}} s={{trigger.data.share}} b={{trigger.data.on}}", "n=3 s=0.5 b=true"),
        ("m: {{ inputs.members }}", "m: [\"ann\",\"bob\"]"),
        ("e: {{ fetch.output.emails[0] }}", "e: {\"from\":\"x@y.z\",\"subject\":\"Hi <b>\"}"),
        ("{{ inputs.members | join(', ') }}.", "ann, bob."),
        ("{{ inputs.name | upper }} {{ inputs.name | lower }}", "ANN ann"),
        ("[{{ '  x ' | trim }}]", "[x]"),
        ("{{ inputs.name | replace('n', 'm') }}.", "Amm."),
        ("{{ 2.567 | round(1) }}.", "2.6."),
        (
            "{{ fetch.output.emails | tojson }}.",
            "[{\"from\":\"x@y.z\",\"subject\":\"Hi <b>\"},{\"from\":\"q@y.z\",\"subject\":\"it's\"}].",
        ),
        ("{{ inputs.brace }}.", "{{ x }}."),
        ("{{ '{{' }} and {{ '{%' }} and {{ '{#' }}", "{{ and {% and {#"),
        ("two lines\n{{ index }}\n", "two lines\n2\n"),
        ("é {{ index }} €", "é 2 €"),
        ("a }} b %} #} {{ index }} } {", "a }} b %} #} 2 } {"),
        ("{{ inputs.who | default('nobody') }}!", "nobody!"),
        ("{% if trigger.data.on %}yes{% else %}no{% endif %}", "yes"),
        ("{% for m in inputs.members %}\n* {{ m }}\n{% endfor %}", "* ann\n* bob\n"),
        (
            "{% for m in inputs.members if m != 'ann' %}{{ loop.index }}{{ m }}{% else %}none{% endfor %}",
            "1bob",
        ),
        ("{% if index == 1 %}a{% elif index == 2 %}b{% else %}c{% endif %}", "b"),
    ] {
        assert_eq!(text(written), json!(read), "{written}");
    }
}

#[test]
fn texts_without_tags_stay_as_they_are() {
    let written = json!({"a": "100 % {safe} {#5} }}", "b": [1, null, "x{y}z"], "{{ key }}": 2.0});
    assert_eq!(render(written.clone()).unwrap(), written);
}

#[test]
fn a_nested_value_is_filled_in_where_it_has_templates() {
    let written =
        json!({"to": ["{{inputs.name}}", "x"], "deep": {"n": "{{index}}", "s": "#{{index}}"}, "keep": null});
    assert_eq!(
        render(written.clone()).unwrap(),
        json!({"to": ["Ann", "x"], "deep": {"n": 2, "s": "#2"}, "keep": null})
    );
    assert_eq!(*Template::parse(&written).unwrap().source(), written);
}

#[test]
fn words_for_days_are_dates_under_keys_of_time_alone() {
    let written = json!({
        "filters": {"since": "yesterday", "folders": ["today"]},
        "range": {"start": "today", "end": "tomorrow"},
        "message": "yesterday",
        "query": "since yesterday"
    });
    assert_eq!(
        render(written).unwrap(),
        json!({
            "filters": {"since": "2025-06-15", "folders": ["today"]},
            "range": {"start": "2025-06-16", "end": "2025-06-17"},
            "message": "yesterday",
            "query": "since yesterday"
        })
    );
    // What came from elsewhere is no word of the instruction's.
    let names = json!({"trigger": {"data": {"to": "today"}}});
    let template = Template::parse(&json!({"to": "{{trigger.data.to}}"})).unwrap();
    assert_eq!(template.render(names.as_object().unwrap(), &now()).unwrap(), json!({"to": "today"}));
}

#[test]
fn what_is_missing_is_an_error_that_says_what_there_is() {
    for (written, error) in [
        (
            "{{ fetsh.output }}",
            "there is no `fetsh`, did you mean `fetch`?; there is `fetch`, `fetch-mails`, `index`, `inputs`, `item`, `trigger`",
        ),
        (
            "{{ inputs.nam }}",
            "`inputs` has no `nam`, did you mean `name`?; it has `brace`, `members`, `name`, `none`, `odd key`",
        ),
        (
            "Dear {{ inputs.nam }}",
            "`inputs` has no `nam`, did you mean `name`?; it has `brace`, `members`, `name`, `none`, `odd key`",
        ),
        ("{{ inputs.name }} {{ inputs.name.first }}", "`inputs.name` is a text and has no `first`"),
        ("{{ inputs.members[2] }}", "`inputs.members` has 2 elements and no [2]"),
        (
            "{{ inputs.nam | upper }}",
            "`inputs` has no `nam`, did you mean `name`?; it has `brace`, `members`, `name`, `none`, `odd key`",
        ),
        (
            "{{ inputs.name }}: {{ inputs.none }}",
            "`inputs.none`: null has no text; write `| default('..')` for what stands there instead",
        ),
        (
            "{{ inputs.none | upper }}",
            "`inputs.none | upper`: null has no text; write `| default('..')` for what stands there instead",
        ),
        (
            "{% for x in inputs.lists %}x{% endfor %}",
            "`inputs` has no `lists`; it has `brace`, `members`, `name`, `none`, `odd key`",
        ),
        (
            "{% if inputs.nam %}x{% endif %}",
            "`inputs` has no `nam`, did you mean `name`?; it has `brace`, `members`, `name`, `none`, `odd key`",
        ),
        (
            "{{ fetch.output.emails | map(attribute='to') | join }}",
            "`fetch.output.emails | map(attribute='to') | join`: an element has no `to`",
        ),
        ("{% for e in fetch.output.emails %}{{ e.to }}{% endfor %}", "`e.to`: it is not there"),
        ("{{ [] | first }}", "`[] | first`: it is not there"),
        ("{{ 'x' if false }}", "`'x' if false`: it is not there"),
        ("{{ 'x' | int }}", "`'x' | int`: `int` reads whole numbers only"),
    ] {
        let found = render(json!(written)).unwrap_err();
        assert!(found.contains(error), "{written}: {found}");
    }
    let within = render(json!({"a": [{"b": "x{{ inputs.nam }}"}]})).unwrap_err();
    assert!(within.starts_with("in `a.0.b`: `inputs` has no `nam`"), "{within}");
}

#[test]
fn what_is_not_allowed_is_refused_at_load() {
    for (written, at, message) in [
        ("{{ }}", 0..5, "nothing is named between the braces"),
        ("a {{ x", 2..4, "`{{` is not closed"),
        ("{{ 'x }}", 3..4, "the text in quotes is not closed"),
        ("{{ x }} {# note #}", 8..10, "`{#` would begin a comment, and there are none"),
        ("{% set x = 1 %}{{ x }}", 0..15, "`{% set %}` is not known in templates"),
        ("{% include 'x' %}", 0..17, "`{% include %}` is not known in templates"),
        ("{% macro x() %}{% endmacro %}", 0..15, "`{% macro %}` is not known in templates"),
        ("{% raw %}{% endraw %}", 0..9, "`{% raw %}` is not known in templates"),
        ("{% %}", 0..5, "`{%  %}` is not known in templates"),
        ("{% if x %}", 0..10, "`if` has no end"),
        ("{% if x %}{% endfor %}", 10..22, "`endfor` without for"),
        ("{% else %}", 0..10, "`else` without if or for"),
        ("{% for x %}{% endfor %}", 0..11, "`for` without `in`"),
        ("{% for 1 in x %}{% endfor %}", 0..16, "`for` needs a name and a list"),
        ("{% for x in y recursive %}{% endfor %}", 14..23, "loops do not call themselves"),
        ("{{ x.items() }}", 3..11, "`items` cannot be called"),
        ("{{ range(9) }}", 3..9, "`range` cannot be called"),
        ("{{ 'a'(1) }}", 6..7, "nothing can be called here"),
        ("{{ x | uper }}", 7..11, "there is no filter `uper`, did you mean `upper`?"),
        ("{{ x is odd }}", 8..11, "there is no test `odd`"),
        ("{{ x is not defnd }}", 12..17, "there is no test `defnd`, did you mean `defined`?"),
        ("{{ fetch-mails.output }}", 3..14, "`fetch-mails` reads as a subtraction"),
        ("{{ {'a': 1} }}", 3..4, "`{` has no meaning here"),
        ("{{ a && b }}", 5..6, "`&` has no meaning here"),
        ("{{ !a }}", 3..4, "`!` has no meaning here"),
        ("{{ a ~ b }}", 5..6, "`~` has no meaning here"),
        ("{{ null }}", 3..7, "`null` is not known"),
        ("{{ steps }}", 3..8, "`steps` is read by the id of a step"),
        ("{{ steps[index] }}", 3..8, "`steps` is read by the id of a step"),
        ("{{ naïve }}", 5..7, "`ï` has no meaning here"),
    ] {
        let flaw = refused(written);
        assert!(flaw.message.starts_with(message), "{written}: {}", flaw.message);
        assert_eq!(flaw.at, at, "{written}");
    }
    for engines in [
        "{{ a b }}",
        "{{ a. }}",
        "{{ (a }}",
        "{{ a) }}",
        "{{ x | upper( }}",
        "{{ 1 + }}",
        "{% if %}{% endif %}",
        "{{ a[ }}",
    ] {
        let flaw = refused(engines);
        assert!(!flaw.message.is_empty() && flaw.at.end <= engines.len(), "{engines}: {flaw:?}");
    }
}

#[test]
fn all_flaws_are_found_and_say_where() {
    let flaws =
        Template::parse(&json!({"a": ["{{ }}"], "b": "{{ x | uper }}", "c": "{{ fine }}"})).unwrap_err();
    let within: Vec<Vec<String>> = flaws.iter().map(|flaw| flaw.within.clone()).collect();
    assert_eq!(within, [vec!["a".to_owned(), "0".to_owned()], vec!["b".to_owned()]]);
}

#[test]
fn references_are_the_fixed_paths_with_their_places() {
    let paths = |written: &str| -> Vec<(String, String)> {
        let references = Template::parse(&json!(written)).unwrap().references();
        references.iter().map(|read| (read.path.join("."), written[read.at.clone()].to_owned())).collect()
    };
    let read = |path: &str, at: &str| (path.to_owned(), at.to_owned());
    assert_eq!(paths("{{ a.output.x }} é {{ b }}"), [read("a.output.x", "a.output.x"), read("b", "b")]);
    assert_eq!(paths("{{ a.list[0].x }}"), [read("a.list", "a.list[0].x")]);
    assert_eq!(paths("{{ a[inputs.key].x }}"), [read("a", "a"), read("inputs.key", "inputs.key")]);
    assert_eq!(paths("{{ steps['f-m'].output['k'] }}"), [read("f-m.output.k", "steps['f-m'].output['k']")]);
    assert_eq!(paths("{{ 'inputs.x' }} {{ a | default(b.c) }}"), [read("a", "a"), read("b.c", "b.c")]);
    assert_eq!(
        paths("{% for x in a.b if x.ok and c %}{{ x.y }}{{ loop.index }}{{ z }}{% endfor %}{{ x }}"),
        [read("a.b", "a.b"), read("c", "c"), read("z", "z"), read("x", "x")]
    );
    assert_eq!(paths("{% if not a.b and 'c' in d %}{% elif e is defined %}{% endif %}").len(), 3);
    let nested = Template::parse(&json!({"k": ["{{ a.b }}"]})).unwrap().references();
    let expected =
        Reference { path: vec!["a".into(), "b".into()], within: vec!["k".into(), "0".into()], at: 3..6 };
    assert_eq!(nested, [expected]);
}

#[test]
fn what_the_scanner_finds_is_what_the_engine_reads() {
    for written in [
        "{{ a.b.c }}",
        "{{ a[b].c }}",
        "{{ a | default(b) }}",
        "{% for x, y in a.b %}{{ x.z }}{{ c }}{% endfor %}{{ x }}",
        "{{ a if b else c }}",
        "{{ [a, b.c, 'd', 1.5] | join(e) }}",
        "{{ a.b is defined and not c.d }}",
        "{{ a in b.c }}",
        "{% if a == b.c %}{% elif d %}{{ e }}{% else %}{{ f }}{% endif %}",
        "{{ a[1:b] }}",
        "{{ (a.b).c }}",
        "{{ a.b|map(attribute='x')|first }}",
        "{% for x in x %}{{ x }}{% endfor %}",
        "{{ -a // b ** c % d }}",
    ] {
        let mut ours: Vec<String> = Template::parse(&json!(written))
            .unwrap()
            .references()
            .into_iter()
            .map(|mut read| read.path.remove(0))
            .collect();
        let engine = super::engine::engine();
        let mut theirs: Vec<String> =
            engine.template_from_str(written).unwrap().undeclared_variables(false).into_iter().collect();
        for names in [&mut ours, &mut theirs] {
            names.sort();
            names.dedup();
        }
        // The engine's own list leaves out what a slice is taken of.
        theirs.extend((written == "{{ a[1:b] }}").then(|| "a".to_owned()));
        theirs.sort();
        assert_eq!(ours, theirs, "{written}");
    }
}

#[test]
fn bombs_are_stopped() {
    let list: Vec<u32> = (0..2_000).collect();
    let deep = json!({"a": {"b": vec![json!({"c": [1, 2, 3]}); 20_000]}});
    let names = json!({"l": list, "t": "x".repeat(300_000), "d": deep, "e": deep});
    let names = names.as_object().unwrap();
    for (bomb, reason) in [
        (
            "{% for a in l %}{% for b in l %}{% for c in l %}{% endfor %}{% endfor %}{% endfor %}",
            "do too much",
        ),
        ("{% for a in l %}{{ t }}{% endfor %}", "larger than"),
        ("{{ t }}{{ t }}{{ t }}{{ t }}", "larger than"),
        ("{{ t * 100000 }}", "do too much"),
        ("{{ t | replace('x', t) }}", "more than"),
        ("{{ l | join(t) }}", "more than"),
        ("{{ [t, t, t, t, t] }}", "larger than"),
        ("{{ [t, t, t, t, t] | tojson }}", "more than"),
        ("{{ l | map(attribute='x') }}", "no `x`"),
        ("{% for a in l %}{% if d == e %}{% endif %}{% endfor %}", "do too much"),
        ("{% for a in l %}{% if [d] in [[e]] %}{% endif %}{% endfor %}", "do too much"),
        ("{% for a in l %}{% if d | tojson == t %}{% endif %}{% endfor %}", "do too much"),
    ] {
        let found = Template::parse(&json!(bomb)).unwrap().render(names, &now()).unwrap_err();
        assert!(found.contains(reason), "{bomb}: {found}");
    }
    let many = Template::parse(&json!(vec!["{{ t }}"; 4])).unwrap();
    assert!(many.render(names, &now()).unwrap_err().contains("larger than"));
    let busy = vec!["{% for a in l %}{% for b in l[:40] %}{% endfor %}{% endfor %}x"; 100];
    assert!(
        Template::parse(&json!(busy)).unwrap().render(names, &now()).unwrap_err().contains("do too much")
    );
}

/// In a debug build on a stack of 2 MiB.
#[test]
fn what_is_nested_or_chained_does_not_end_the_process() {
    let cases = [
        format!("{{{{ {}a{} }}}}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("{{{{ {}a{} }}}}", "(".repeat(120), ")".repeat(120)),
        format!("{{{{ {}a{} }}}}", "[".repeat(120), "]".repeat(120)),
        format!("{{{{ a{} }}}}", " + a".repeat(120)),
        format!("{{{{ a{} }}}}", ".b".repeat(120)),
        format!("{{{{ a{} }}}}", "|trim".repeat(120)),
        format!("{{{{ {}a }}}}", "not ".repeat(250)),
        format!("{{{{ {}a }}}}", "- ".repeat(250)),
        format!("{{{{ a{} }}}}", " if a else a".repeat(60)),
        format!("{{{{ a{} }}}}", " ** a".repeat(120)),
        format!("{{{{ a{} }}}}", "[a".repeat(120) + &*"]".repeat(120)),
        format!("{}{}", "{% if a %}".repeat(16), "{% endif %}".repeat(16)),
        format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(500)),
        "{% for a in a %}".repeat(500),
        "{{ a }}".repeat(1_001),
        "{{".repeat(30_000),
        "x".repeat(70_000) + "{{ a }}",
    ];
    let names = json!({"a": "1"});
    std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(move || {
            for case in cases {
                if let Ok(template) = Template::parse(&json!(case)) {
                    let _ = template.render(names.as_object().unwrap(), &now());
                }
            }
        })
        .unwrap()
        .join()
        .unwrap();
    let mut deep = json!("{{ a }}");
    for _ in 0..100 {
        deep = json!([deep]);
    }
    assert_eq!(Template::parse(&deep).unwrap_err()[0].message, "nested deeper than 64");
}

#[test]
fn templates_go_between_threads_and_are_cheap_to_clone() {
    fn sendable<T: Send + Sync + Clone + 'static>(_: &T) {}
    let template = Template::parse(&json!({"a": "{{ inputs.name | upper }}"})).unwrap();
    sendable(&template);
    let copies: Vec<Template> = vec![template; 10_000];
    assert_eq!(copies[9_999].render(&names(), &now()).unwrap(), json!({"a": "ANN"}));
}
