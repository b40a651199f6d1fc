//! The instructions of the specification, copied as they are printed, and each way to write a step.

use serde_json::json;
use std::time::Duration;
use vextir_drivers::workflow::{Act, InputKind, Instruction, OnError, Step, Trigger};

fn load(name: &str) -> Instruction {
    let path = format!("{}/tests/workflow/good/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    Instruction::from_file(path).unwrap()
}

#[test]
fn each_example_of_the_guide_loads() {
    let guide = include_str!("../../docs/instructions.md");
    let examples: Vec<&str> =
        guide.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 4);
    for example in examples {
        Instruction::from_yaml("guide.yaml", example).unwrap();
    }
}

fn ids(instruction: &Instruction) -> Vec<&str> {
    instruction.steps.iter().map(|step| step.id.as_str()).collect()
}

fn step<'i>(instruction: &'i Instruction, id: &str) -> &'i Step {
    instruction.steps.iter().find(|step| step.id == id).unwrap()
}

fn event_type(step: &Step) -> &str {
    match &step.act {
        Act::Emit { event_type, .. } => event_type,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_daily_standup_loads_as_printed() {
    let standup = load("daily_standup");
    assert_eq!(standup.id, "daily_standup");
    assert_eq!(standup.name, "Daily Standup Assistant");
    assert_eq!(standup.description.as_deref(), Some("Prepares daily standup summary"));
    assert_eq!(standup.author.as_deref(), Some("system"));
    assert_eq!(standup.version.as_deref(), Some("1.0"));
    let Some(Trigger::Schedule { cron, timezone }) = &standup.trigger else { panic!("{standup:?}") };
    assert_eq!((cron.as_str(), timezone.as_str()), ("0 9 * * MON-FRI", "America/New_York"));
    let [team] = standup.inputs.as_slice() else { panic!("{standup:?}") };
    assert_eq!((team.name.as_str(), team.kind), ("team_members", InputKind::List));
    assert_eq!(team.default, Some(json!(["alice", "bob", "charlie"])));
    assert_eq!(
        ids(&standup),
        ["fetch_emails", "fetch_calendar", "read_tasks", "generate_summary", "notify_team"]
    );
    assert!(standup.steps[..3].iter().all(|step| step.depends_on.is_empty() && !step.piped));
    assert_eq!(standup.steps[3].depends_on, ["fetch_emails", "fetch_calendar", "read_tasks"]);
    assert_eq!(standup.steps[4].depends_on, ["generate_summary"]);
    assert_eq!(event_type(step(&standup, "generate_summary")), "research.request");
}

#[test]
fn the_morning_summary_is_a_piped_sequence() {
    let summary = load("email_summary");
    assert_eq!(
        (summary.id.as_str(), summary.name.as_str()),
        ("morning_email_summary", "Morning Email Summary")
    );
    let Some(Trigger::Schedule { cron, timezone }) = &summary.trigger else { panic!("{summary:?}") };
    assert_eq!((cron.as_str(), timezone.as_str()), ("0 8 * * *", "UTC"));
    assert_eq!(ids(&summary), ["n1", "n2", "n3"]);
    assert!(summary.steps.iter().all(|step| step.piped));
    assert!(summary.steps[0].depends_on.is_empty());
    assert_eq!(summary.steps[1].depends_on, ["n1"]);
    assert_eq!(summary.steps[2].depends_on, ["n2"]);
    let types: Vec<&str> = summary.steps.iter().map(event_type).collect();
    assert_eq!(types, ["email.fetch", "email.summarize", "chat.message"]);
}

#[test]
fn the_weather_alert_takes_what_stands_beside_the_type_as_data() {
    let alert = load("severe_weather");
    assert_eq!(alert.id, "severe_weather_alert");
    let Some(Trigger::Event { event, condition: None }) = &alert.trigger else { panic!("{alert:?}") };
    assert_eq!(event.as_str(), "weather.severe");
    let beside = "name: Severe Weather Alert\ntrigger: {event: weather.severe}\nplan:\n  - emit: {type: notification.urgent}\n  - emit: {type: context.write, data: {path: /Alerts/Weather}}\n";
    assert_eq!(alert.hash, Instruction::from_yaml("b.yaml", beside).unwrap().hash);
}

#[test]
fn all_ways_to_write_a_step_load() {
    let all = load("everything");
    assert_eq!((all.id.as_str(), all.version.as_deref()), ("every-thing", Some("1.0")));
    let Some(Trigger::Context { path }) = &all.trigger else { panic!("{all:?}") };
    assert_eq!(path, "/Invoices");
    let limits = all.limits.as_ref().unwrap();
    assert_eq!((limits.events, limits.depth, limits.units["tokens"]), (20_000, 64, 5_000));
    assert_eq!(
        all.inputs.iter().map(|input| input.default.clone()).collect::<Vec<_>>(),
        [None, None, Some(json!(null)), Some(json!("no")),]
    );
    // `send` was written before what it depends on.
    assert_eq!(ids(&all), ["fetch", "send", "paid", "ask", "other", "third", "undo"]);
    let fetch = step(&all, "fetch");
    let retry = fetch.retry.unwrap();
    assert_eq!((retry.attempts, retry.delay, retry.factor), (5, Duration::from_secs(10), 1.5));
    assert_eq!(fetch.timeout, Some(Duration::from_secs(5_400)));
    assert_eq!(fetch.on_error, OnError::Compensate("undo".into()));
    assert_eq!(fetch.name.as_deref(), Some("Fetch the mails"));
    let send = step(&all, "send");
    assert_eq!(send.depends_on, ["fetch"]);
    let each = send.for_each.as_ref().unwrap();
    assert_eq!((each.name.as_str(), each.parallel), ("mail", 3));
    assert_eq!(send.retry.unwrap().attempts, 3);
    assert_eq!(send.on_error, OnError::Continue);
    let Act::WaitFor { event, condition: Some(_), look_back: true } = &step(&all, "paid").act else {
        panic!()
    };
    assert_eq!(event.as_str(), "invoice.*");
    assert!(matches!(&step(&all, "ask").act, Act::Approve { .. }));
    assert!(
        matches!(&step(&all, "other").act, Act::Run { instruction, .. } if *instruction == "daily_standup")
    );
    assert!(
        matches!(&step(&all, "third").act, Act::Run { instruction, .. } if *instruction == "daily_standup")
    );
}
