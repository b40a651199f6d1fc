//! What is found, for facts that are made up.

use super::circuit::Scheduled;
use super::*;
use crate::{Capability, Category, Limits, Manifest, Name, OutputSpec};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An application that is made up.
#[derive(Default)]
struct App {
    manifests: Vec<Manifest>,
    wirings: BTreeMap<Name, Wiring>,
    schedules: Vec<Scheduled>,
    subscriptions: Vec<&'static str>,
    limits: Option<Limits>,
}

impl App {
    /// A driver that handles some types, and for each of them emits these.
    fn driver(self, id: &str, handles: &[&str], emits: &[&str]) -> Self {
        self.typed(id, handles, emits, Category::Internal)
    }

    fn typed(mut self, id: &str, handles: &[&str], emits: &[&str], category: Category) -> Self {
        let mut manifest = Manifest::new(id);
        for handled in handles {
            let mut capability = Capability::new(*handled);
            capability.outputs = emits.iter().map(|kind| output(kind, json!(true), category)).collect();
            manifest = manifest.can(capability);
        }
        self.manifests.push(manifest);
        self
    }

    fn wired(mut self, id: &str, wires: impl IntoIterator<Item = Wire>) -> Self {
        self.manifests.push(Manifest::new(id));
        self.wirings.insert(id.into(), Wiring::new(wires));
        self
    }

    fn schedule(mut self, id: &str, event_type: &str) -> Self {
        let (user, id, event_type) = (Name::literal("local"), id.into(), event_type.into());
        self.schedules.push(Scheduled { user, id, event_type });
        self
    }

    fn subscribed(mut self, pattern: &'static str) -> Self {
        self.subscriptions.push(pattern);
        self
    }

    fn check(self, asked: Check) -> Report {
        let subscriptions = self.subscriptions.iter().map(|text| text.parse().unwrap()).collect();
        let (wirings, schedules, limits) = (self.wirings, self.schedules, self.limits);
        let (known, told) = (Known::of(self.manifests.into()), Vec::new());
        let built_in = &["scheduler"];
        Report::of(&Facts { known, wirings, built_in, schedules, subscriptions, asked, limits, told })
    }

    fn said(self, asked: Check) -> Vec<String> {
        self.check(asked).findings().iter().map(ToString::to_string).collect()
    }

    fn open(self) -> Vec<String> {
        self.said(Check::new())
    }

    fn closed<const N: usize>(self, inputs: [&str; N]) -> Vec<String> {
        self.said(Check::new().inputs(inputs))
    }
}

fn output(kind: &str, schema: Value, category: Category) -> OutputSpec {
    OutputSpec { event_type: kind.into(), schema: schema.try_into().unwrap(), category }
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn an_application_that_fits_together_is_clean() {
    let app = App::default()
        .driver("mail", &["mail.received"], &["mail.sorted"])
        .typed("archive", &["mail.*"], &["archive.done"], Category::Output)
        .subscribed("archive.*")
        .schedule("nightly", "mail.received");
    let report = app.check(Check::new().inputs(["mail.**"]));
    assert_eq!(report.findings(), []);
    assert!(report.is_clean());
    assert_eq!(report.to_string(), "nothing found in 2 drivers, 1 schedule and 3 types of events");
}

#[test]
fn what_nobody_handles_is_found_by_who_emits_it() {
    let app = App::default()
        .driver("mail", &["mail.received"], &["mail.sorted"])
        .typed("chat", &["chat.say"], &["chat.said"], Category::Output)
        .driver("fetch", &["email.fetch"], &["email.fetched"])
        .wired(
            "instruction.x",
            [
                Wire::asked("instruction.x.run"),
                Wire::emits("email.fetch").part("step `a`"),
                Wire::emits("email.fetsh").part("step `b`").at("x.yaml:7:12"),
            ],
        )
        .schedule("nightly", "raport.generate");
    assert_eq!(
        app.closed(["chat.say", "mail.received"]),
        [
            "warning: x.yaml:7:12: step `b` of `instruction.x` emits `email.fetsh`, and no driver handles it; did you mean `email.fetch`? Otherwise register a driver for it",
            "warning: `mail` emits `mail.sorted`, and no driver handles it; handle it, give its payload the category `output`, or name it among the outputs of the check",
            "warning: schedule `nightly` emits `raport.generate`, and no driver handles it; register a driver for it, or cancel the schedule",
            "note: `chat` emits `chat.said` for the outside: no driver handles it",
            "note: `fetch` emits `email.fetched` as the answer to a step: no driver handles it",
        ]
    );
}

#[test]
fn who_takes_it_otherwise_is_known() {
    let app = || App::default().driver("mail", &["mail.received"], &["mail.sorted"]);
    assert_eq!(app().subscribed("mail.*").open().len(), 1);
    assert_eq!(app().subscribed("mail.sorted").closed(["mail.received"]), none());
    assert_eq!(app().said(Check::new().inputs("mail.received").outputs(["mail.*"])), none());
    // Who observes everything waits for nothing in particular.
    assert_eq!(app().subscribed("**").closed(["mail.received"]).len(), 1);
}

#[test]
fn what_nothing_emits_is_a_note_until_the_inputs_are_named() {
    let app =
        || App::default().driver("mail", &["mail.received", "mail.lost"], &[]).driver("log", &["**"], &[]);
    assert_eq!(
        app().open(),
        [
            "note: `mail` handles `mail.lost`, which nothing is known to emit; if it comes from outside, name it among the inputs of the check",
            "note: `mail` handles `mail.received`, which nothing is known to emit; if it comes from outside, name it among the inputs of the check",
        ]
    );
    assert!(app().check(Check::new()).is_clean());
    let said = app().closed(["mail.recieved"]);
    assert!(
        said[0].starts_with("warning: `mail` handles `mail.lost`, which nothing is known to emit"),
        "{said:?}"
    );
    assert_eq!(said.len(), 2);
    assert_eq!(app().closed(["*.*"]), none());
}

#[test]
fn what_only_the_unreached_emit_is_not_reached() {
    let app = App::default()
        .driver("a", &["a.in"], &["b.in"])
        .driver("b", &["b.in"], &["c.in"])
        .driver("c", &["c.in"], &[])
        .driver("d", &["d.in"], &["e.in"])
        .driver("e", &["e.in"], &["d.in"]);
    let said = app.closed(["b.in"]);
    let about: Vec<&str> =
        said.iter().map(String::as_str).filter(|line| line.starts_with("warning")).collect();
    assert_eq!(
        about,
        [
            "warning: `a` handles `a.in`, which nothing is known to emit; emit it, or name it among the inputs of the check",
            "warning: `d` handles `d.in`, which only `e` emits, and nothing reaches that; emit it, or name it among the inputs of the check",
            "warning: `e` handles `e.in`, which only `d` emits, and nothing reaches that; emit it, or name it among the inputs of the check",
        ]
    );
}

#[test]
fn what_the_kernel_says_and_what_is_asked_for_is_reached() {
    let app = App::default()
        .driver("alarm", &["error", "lease.held"], &[])
        .wired(
            "instruction.x",
            [
                Wire::asked("instruction.x.run"),
                Wire::emits("chat.say").part("step `n1`"),
                Wire::awaits("chat.heard").part("step `n2`").at("x.yaml:9:3"),
            ],
        )
        .driver("chat", &["chat.say"], &[]);
    assert_eq!(
        app.closed([]),
        [
            "warning: x.yaml:9:3: step `n2` of `instruction.x` waits for `chat.heard`, which nothing is known to emit; emit it, or name it among the inputs of the check"
        ]
    );
}

#[test]
fn subscriptions_that_nothing_can_be_heard_on_are_found() {
    let app = App::default()
        .driver("weather", &["weather.get"], &[])
        .driver("audit", &["**"], &[])
        .subscribed("wether.*")
        .subscribed("weather.gte")
        .subscribed("weather.get")
        .subscribed("lease.*")
        .subscribed("mail.**");
    assert_eq!(
        app.closed(["weather.get", "mail.received"]),
        [
            "warning: a subscription waits for `weather.gte`, which nothing emits or handles; did you mean `weather.get`? Otherwise check how it is written",
            "warning: a subscription waits for `wether.*`, which nothing emits or handles; check how it is written",
        ]
    );
}

#[test]
fn cycles_are_notes_where_a_limit_stops_them() {
    let app = || App::default().driver("ping", &["ping"], &["pong"]).driver("pong", &["pong"], &["ping"]);
    assert_eq!(
        app().open(),
        [
            "note: `ping` -> `pong` -> `ping`: these events cause each other (by `ping`, `pong`); the limits of a causal tree hold it at last"
        ]
    );
    let mut limited = app();
    limited.limits = Some(Limits::default());
    assert!(limited.open()[0].ends_with("; a causal tree is held at depth 64 or 10000 events"));
    let mut unlimited = app();
    unlimited.limits = Some(Limits { depth: u32::MAX, events: u64::MAX, units: BTreeMap::new() });
    assert_eq!(
        unlimited.open(),
        [
            "warning: `ping` -> `pong` -> `ping`: these events cause each other (by `ping`, `pong`), and a causal tree has no limits; give the processor `limits`"
        ]
    );
}

#[test]
fn a_cycle_of_instructions_that_nothing_decides_is_a_warning() {
    let app = |condition: Option<&str>| {
        let step = Wire::emits("b").part("step `n1`").at("x.yaml:4:9");
        let step = condition.into_iter().fold(step, Wire::when);
        App::default()
            .wired("instruction.x", [Wire::starts("a"), step])
            .wired("instruction.y", [Wire::starts("b"), Wire::emits("a").part("step `n1`")])
    };
    let said = app(None).open();
    assert_eq!(
        said,
        [
            "warning: x.yaml:4:9: `a` -> `b` -> `a`: these events cause each other (by step `n1` of `instruction.x`, step `n1` of `instruction.y`), each time; give the trigger or one of the steps a condition, or take one of them away"
        ]
    );
    let said = app(Some("n < 3")).open();
    assert!(said[0].starts_with("note: x.yaml:4:9: `a` -> `b` -> `a`"), "{said:?}");
    // One that waits for what it caused does not begin again.
    let waits = App::default()
        .wired("instruction.x", [Wire::asked("go"), Wire::emits("ask"), Wire::awaits("answer")])
        .driver("person", &["ask"], &["answer"]);
    assert_eq!(waits.open(), none());
}

#[test]
fn a_cycle_that_begins_its_tree_anew_has_no_limit() {
    let app = App::default()
        .wired("deadline.overdue", [Wire::starts("sent"), Wire::emits("overdue").when("late").planted()])
        .driver("reminder", &["overdue"], &["reminded"])
        .driver("mail", &["reminded"], &["sent"]);
    assert_eq!(
        app.open(),
        [
            "warning: `overdue` -> `reminded` -> `sent` -> `overdue`: these events cause each other (by `reminder`, `mail`, `deadline.overdue`), and no limit counts them: a causal tree begins anew on the way; make sure that something ends it"
        ]
    );
}

#[test]
fn schemas_that_do_not_meet_are_found() {
    let object = |fields: Value, required: Value| json!({"type": "object", "properties": fields, "required": required});
    let given =
        object(json!({"place": {"type": "string"}, "degrees": {"type": ["number", "null"]}}), json!([]));
    let asked = object(
        json!({"place": {"type": "object"}, "degrees": {"type": "number"}, "at": {"type": "string"}}),
        json!(["place", "at"]),
    );
    let mut station = Capability::new("report");
    station.outputs = vec![output("weather", given, Category::Internal)];
    let mut alarm = Capability::new("weather");
    alarm.input = Some(asked.try_into().unwrap());
    let manifests = vec![Manifest::new("station").can(station), Manifest::new("alarm").can(alarm)];
    assert_eq!(
        App { manifests, ..App::default() }.closed(["report"]),
        [
            "error: `station` emits `weather` with `place` of type string, and `alarm` asks for object; let both use one payload type, or make the field optional where it is taken",
            "error: `station` emits `weather` without the field `at` that `alarm` asks for; let both use one payload type, or make the field optional where it is taken",
            "note: `station` emits `weather` with `degrees` that may be null; `alarm` takes no null",
        ]
    );
}

#[test]
fn drawings_hold_names_of_any_signs() {
    let app = App::default()
        .driver("odd\"];end", &["a.*"], &[])
        .wired("x", [Wire::starts("a.b"), Wire::emits("a.c").part("step `n1`").when("x > \"1\"")])
        .schedule("nightly", "a.b")
        .subscribed("a.c");
    let report = app.check(Check::new().inputs(["a.b"]));
    assert_eq!(
        report.graph().to_mermaid(),
        "flowchart LR
    n0((\"a.b\"))
    n1[[\"nightly\"]]
    n2(\"a.b\")
    n3(\"a.c\")
    n4{{\"a.#42;\"}}
    n5[\"odd#34;#93;#59;end\"]
    n6[\"x\"]
    n7>\"a.c\"]
    n0 --> n2
    n0 --> n4
    n1 --> n2
    n2 --> n4
    n2 --> n6
    n3 --> n4
    n3 --> n7
    n4 --> n5
    n6 -->|\"step #96;n1#96;, if x #62; #34;1#34;\"| n3
"
    );
    let dot = report.graph().to_dot();
    assert!(dot.contains("    n5 [label=\"odd\\\"];end\", shape=box];\n"), "{dot}");
    assert!(dot.contains("    n6 -> n3 [label=\"step `n1`, if x > \\\"1\\\"\"];\n"), "{dot}");
    let value = serde_json::to_value(&report).unwrap();
    assert_eq!(value["graph"]["nodes"][0], json!({"kind": "outside", "name": "a.b"}));
}

#[test]
fn the_same_application_gives_the_same_report_in_any_order() {
    let drivers: Vec<(String, String, String)> =
        (0..50).map(|n| (format!("d{n}"), format!("t{}", n % 7), format!("t{}", (n * 3 + 1) % 11))).collect();
    let report = |drivers: &[(String, String, String)]| {
        let app =
            drivers.iter().fold(App::default(), |app, (id, one, other)| app.driver(id, &[one], &[other]));
        serde_json::to_string(&app.check(Check::new())).unwrap()
    };
    let mut other = drivers.clone();
    other.reverse();
    assert_eq!(report(&drivers), report(&other));
}

#[test]
fn notes_are_shown_to_who_wants_them() {
    let app = App::default().driver("mail", &["mail.received"], &["mail.sorted"]);
    let report = app.check(Check::new());
    let (short, long) = (report.to_string(), format!("{report:#}"));
    assert!(short.starts_with("warning: ") && !short.contains("note: "), "{short}");
    assert!(long.contains("\nnote: `mail` handles `mail.received`"), "{long}");
    for drawn in [short, long] {
        assert!(
            drawn.ends_with("\n1 warning, 1 note in 1 driver, 0 schedules and 2 types of events"),
            "{drawn}"
        );
    }
}

#[test]
fn a_bad_pattern_is_told() {
    let mut check = Check::new().inputs(["mail.*", "ma*l"]).outputs("x..y");
    let error = check.take_wrong().unwrap_err();
    assert!(error.to_string().contains("ma*l"), "{error}");
}

#[test]
fn a_thousand_drivers_and_ten_thousand_instructions_take_no_square_of_time() {
    let app = || {
        let mut app = App::default();
        for n in 0..1_000 {
            let (own, next) = (format!("work.{n}"), format!("work.{}", (n + 1) % 1_000));
            app = app.driver(&format!("driver{n}"), &[&own, "all.*"], &[&next]);
        }
        for n in 0..10_000 {
            let lost = |step| Wire::emits(format!("lost.{n}.{step}")).part(format!("step `n{step}`"));
            let own = format!("own.{n}");
            let wires = [Wire::starts("all.start"), Wire::starts(own.clone()), Wire::emits(own)];
            app = app.wired(&format!("instruction.{n}"), wires.into_iter().chain((0..5).map(lost)));
        }
        app
    };
    let begin = std::time::Instant::now();
    for inputs in ["all.start", "something.else"] {
        let report = app().check(Check::new().inputs([inputs]));
        assert_eq!(report.findings().len(), 500);
        assert!(report.omitted() > 50_000);
        let drawn = report.to_string();
        assert_eq!(drawn.lines().count(), 102);
        assert!(
            drawn.lines().last().is_some_and(|line| line.contains(" findings in 11000 drivers, 0 schedules"))
        );
    }
    // Some seconds without optimization; squares of these numbers would take minutes.
    assert!(begin.elapsed().as_secs() < 40, "{:?}", begin.elapsed());
}
