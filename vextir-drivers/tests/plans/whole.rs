//! The check of a whole application: the instructions of the specification with drivers that say what they take.

use crate::{hub, workflow};
use serde_json::json;
use std::time::Duration;
use vextir::check::{Check, FindingKind, Report, Severity};
use vextir::schedule::Deadline;
use vextir_core::prelude::*;
use vextir_core::{Processor, ProcessorBuilder};
use vextir_drivers::context::{ContextDriver, ContextWatch};

const STANDUP: &str = include_str!("../workflow/good/daily_standup.yaml");
const EMAIL: &str = include_str!("../workflow/good/email_summary.yaml");
const WEATHER: &str = include_str!("../workflow/good/severe_weather.yaml");

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "email.fetch")]
struct FetchMails {
    since: Option<String>,
    filters: Option<serde_json::Value>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "email.fetched", category = "output")]
struct MailsFetched {
    emails: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "email.summarize")]
struct Summarize {
    emails: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "calendar.fetch")]
struct FetchCalendar {
    range: Days,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Days {
    start: String,
    end: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "research.request")]
struct Request {
    query: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "chat.message")]
struct ChatMessage {
    channel: String,
    message: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "notification.urgent")]
struct Urgent {
    text: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.report", category = "input")]
struct WeatherReport {
    gusts: u32,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.severe", category = "output")]
struct Severe {
    text: String,
}

/// Everything that is asked for in an office.
struct Office;

#[driver("office", effect = "reads")]
impl Office {
    #[on]
    async fn fetch(&self, _ask: FetchMails) -> MailsFetched {
        MailsFetched { emails: Vec::new() }
    }
    #[on]
    async fn sum_up(&self, _ask: Summarize) {}
    #[on]
    async fn calendar(&self, _ask: FetchCalendar) {}
    #[on]
    async fn look_up(&self, _ask: Request) {}
    #[on]
    async fn warn(&self, report: WeatherReport) -> Option<Severe> {
        (report.gusts > 90).then(|| Severe { text: "storm".into() })
    }
    #[on]
    async fn page(&self, _ask: Urgent) {}
}

struct Chat;

#[driver("chat", effect = "reads")]
impl Chat {
    #[on]
    async fn say(&self, _ask: ChatMessage) {}
}

fn office() -> ProcessorBuilder {
    let builder = Processor::builder(hub()).driver(Office).driver(ContextDriver);
    [STANDUP, EMAIL, WEATHER].into_iter().fold(builder, |builder, text| builder.driver(workflow(text)))
}

/// As soon as these schedules are armed.
async fn check(builder: ProcessorBuilder, schedules: usize, check: Check) -> Report {
    let app = builder.start().await.unwrap();
    while app.schedules().await.unwrap().len() < schedules {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let report = app.check_with(check).await.unwrap();
    app.shutdown().await.unwrap();
    report
}

/// What is more than a note.
fn bad(report: &Report) -> Vec<String> {
    let bad = report.findings().iter().filter(|finding| finding.severity != Severity::Note);
    bad.map(ToString::to_string).collect()
}

#[tokio::test]
async fn the_instructions_of_the_specification_fit_their_drivers() {
    let check_it = || Check::new().inputs(["weather.report", "context.*"]);
    let report = check(office().driver(Chat), 2, check_it()).await;
    assert!(report.is_clean(), "{report}");
    let drawn = report.graph().to_mermaid();
    for part in [
        "[[\"instruction-daily_standup\"]]",
        "step #96;notify_team#96;",
        "the trigger",
        "((\"weather.report\"))",
    ] {
        assert!(drawn.contains(part), "{part}\n{drawn}");
    }

    // Without the chat two steps speak to nobody, and each says where it was written.
    let report = check(office(), 2, check_it()).await;
    assert!(!report.is_clean());
    assert_eq!(
        bad(&report),
        [
            "warning: test.yaml:67:13: step `notify_team` of `instruction.daily_standup` emits `chat.message`, and no driver handles it; register a driver for it",
            "warning: test.yaml:9:20: step `n3` of `instruction.morning_email_summary` emits `chat.message`, and no driver handles it; register a driver for it",
        ]
    );
}

#[tokio::test]
async fn what_drivers_and_instructions_do_not_take_is_found_where_it_stands() {
    let faulty = "name: Faulty
trigger: {event: office.opened}
inputs: [{name: team, type: list}]
plan:
  - id: a
    emit: {type: calendar.fetch, data: {range: {start: today}}}
  - id: b
    emit: {type: chat.mesage, data: {channel: x}}
  - id: c
    run: {instruction: faulti, inputs: {team: []}}
  - id: d
    run: {instruction: faulty, inputs: {team: x}}
";
    let report = check(office().driver(Chat).driver(workflow(faulty)), 2, Check::new()).await;
    assert_eq!(
        bad(&report),
        [
            "error: test.yaml: each run that the trigger of `instruction.faulty` begins fails: its input `team` has no default; give it one, or take the trigger away",
            "error: test.yaml:10:24: `instruction.faulty`: there is no instruction \"faulti\"; did you mean `faulty`?",
            "error: test.yaml:12:41: `instruction.faulty`: the input `team` of `faulty` is a list",
            "error: test.yaml:6:48: `instruction.faulty`: `range` of `calendar.fetch` needs `end`",
            "warning: test.yaml:8:18: step `b` of `instruction.faulty` emits `chat.mesage`, and no driver handles it; did you mean `chat.message`? Otherwise register a driver for it",
            "warning: test.yaml:12:24: `instruction.faulty.run` -> `instruction.faulty.run`: these events cause each other (by step `d` of `instruction.faulty`), each time; give the trigger or one of the steps a condition, or take one of them away",
        ]
        .map(str::to_owned)
    );
    let opened = report.findings().iter().find(|finding| finding.message.contains("office.opened")).unwrap();
    assert_eq!((opened.severity, opened.kind), (Severity::Note, FindingKind::Unreachable));
    assert!(opened.message.starts_with("the trigger of `instruction.faulty` is started by"), "{opened}");
}

#[tokio::test]
async fn an_instruction_that_changes_what_begins_it_is_found() {
    let text = |path: &str| {
        format!(
            "name: Loop\ntrigger: {{context: /Alerts}}\nplan:\n  - emit: {{type: context.write, path: {path}, content: x}}\n"
        )
    };
    let with = |text: &str| {
        let hub = hub();
        let watch = ContextWatch::new(hub.context("local"), "/Alerts");
        Processor::builder(hub).driver(ContextDriver).driver(watch).driver(workflow(text))
    };
    let report = check(with(&text("/Alerts/Weather")), 0, Check::new().inputs(["context.*"])).await;
    assert_eq!(
        bad(&report),
        [
            "warning: test.yaml:4:18: step `n1` of `instruction.loop` changes what is at or below `/Alerts`, which begins the next run; no limit counts them: each change begins a causal tree of its own; write elsewhere, or give the step a condition that ends it"
        ]
    );
    let report = check(with(&text("/Elsewhere")), 0, Check::new().inputs(["context.*"])).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn schedules_and_deadlines_are_part_of_it() {
    let overdue = Deadline::new("late", "mail.sent", Duration::from_hours(1), Event::new("mail.overdue"))
        .unless("mail.read");
    let app = Processor::builder(hub()).driver(Chat).driver(overdue).start().await.unwrap();
    let hour = Duration::from_hours(1);
    app.schedule_every(Event::new("raport.generate"), hour).id("nightly").await.unwrap();
    let wrong = Event::new("chat.message").with_data(json!({"channel": 5}));
    app.as_user("ann").schedule_every(wrong, hour).id("hello").await.unwrap();
    app.schedule_every(Event::new("x.y"), hour).id("paused").await.unwrap();
    app.pause_schedule("paused", "later").await.unwrap();
    let report = app.check_with(Check::new().inputs(["mail.sent", "chat.*"])).await.unwrap();
    let said = bad(&report);
    assert_eq!(said.len(), 4, "{report}");
    assert!(
        said[0].starts_with(
            "error: schedule `hello` of user `ann` emits `chat.message`, which `chat` cannot take: "
        ),
        "{report}"
    );
    assert!(
        said[1].starts_with("warning: `deadline.late` emits `mail.overdue`, and no driver handles it"),
        "{report}"
    );
    assert!(
        said[2].starts_with("warning: schedule `nightly` emits `raport.generate`, and no driver handles it")
    );
    assert!(
        said[3].starts_with("warning: `deadline.late` waits for `mail.read`, which nothing is known to emit")
    );

    // What somebody else wrote there is no schedule, and stops no check.
    app.context("local").write("/System/Schedules/nightly", "every night").await.unwrap();
    let report = app.check_with(Check::new().inputs(["mail.sent", "chat.*"])).await.unwrap();
    let broken = report.findings().iter().find(|finding| finding.kind == FindingKind::Incomplete).unwrap();
    assert!(broken.to_string().contains("/System/Schedules/nightly is no schedule"), "{broken}");
    app.shutdown().await.unwrap();
}

/// Takes no payload, and does not say so as it should.
struct Touchy;

#[vextir_core::async_trait]
impl Driver for Touchy {
    fn manifest(&self) -> Manifest {
        Manifest::new("touchy").handles("touchy.do")
    }

    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(Vec::new())
    }

    fn check(&self, _event: &Event) -> vextir_core::Result<()> {
        panic!("not this one");
    }
}

#[tokio::test]
async fn a_driver_that_panics_over_a_payload_is_a_finding() {
    let app = Processor::builder(hub()).driver(Touchy).start().await.unwrap();
    app.schedule_every(Event::new("touchy.do"), Duration::from_hours(1)).id("hourly").await.unwrap();
    let report = app.check().await.unwrap();
    let said = bad(&report);
    assert!(said[0].contains("`touchy` cannot take: checking the payload panicked"), "{report}");
    app.shutdown().await.unwrap();
}
