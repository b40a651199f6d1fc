//! Instructions as they are written, with templates and conditions.

use super::{Shell, Start, Surroundings, at, emitted, start, started_by};
use crate::workflow::Instruction;
use crate::workflow::run::{Command, RunStatus};
use serde_json::{Value, json};

fn begin(text: &str, world: Surroundings, start: Start) -> Shell {
    let instruction = Instruction::from_yaml("test.yaml", text).expect("a good instruction");
    Shell::begin_with(instruction, Surroundings { evaluates: true, ..world }, start)
}

fn data(commands: &[Command]) -> Vec<Value> {
    let data = commands.iter().filter_map(|command| match command {
        Command::Emit { data, .. } => Some(data.clone()),
        _ => None,
    });
    data.collect()
}

const STANDUP: &str = include_str!("../../../../tests/workflow/good/daily_standup.yaml");

#[test]
fn the_daily_standup_does_what_it_says() {
    let mut world = Surroundings::default();
    let chat = json!({"required": ["channel", "message"], "properties":
        {"channel": {"type": "string"}, "message": {"type": "string"}}});
    world.schemas.insert("chat.message".into(), chat);
    world.replies.insert("email.fetch".into(), vec!["it.done".into()]);
    let mut shell = begin(STANDUP, world, start());
    assert_eq!(emitted(&shell.log), ["fetch_emails/1", "fetch_calendar/1", "read_tasks/1"]);
    let first = data(&shell.log);
    assert_eq!(first[0]["filters"]["since"], "2025-06-15", "yesterday in New York");
    assert_eq!(first[1]["range"], json!({"start": "2025-06-16", "end": "2025-06-17"}));
    shell.ended(&at("fetch_emails"), &[json!({"emails": []})]);
    shell.ended(&at("read_tasks"), &[]);
    assert_eq!(emitted(&shell.ended(&at("fetch_calendar"), &[json!([])])), ["generate_summary/1"]);
    let last = shell.ended(&at("generate_summary"), &[json!({"text": "All is well.", "sources": 3})]);
    assert_eq!(data(&last), [json!({"channel": "standup", "message": "All is well."})]);
    shell.ended(&at("notify_team"), &[]);
    assert_eq!(shell.end(), (RunStatus::Completed, Value::Null, None));
}

#[test]
fn the_shorthand_is_a_sequence() {
    let text = r#"
instruction:
  name: "Morning Email Summary"
  trigger:
    schedule: "0 8 * * *"
  plan:
    - emit: {type: "email.fetch", data: {since: "yesterday"}}
    - emit: {type: "email.summarize"}
    - emit: {type: "chat.message", data: {channel: "personal"}}
"#;
    let mut world = Surroundings::default();
    world.schemas.insert("email.summarize".into(), json!({"required": ["emails"]}));
    let chat = json!({"required": ["channel", "message"], "properties": {"message": {"type": "string"}}});
    world.schemas.insert("chat.message".into(), chat);
    let mut shell = begin(text, world, start());
    assert_eq!(data(&shell.log), [json!({"since": "2025-06-15"})]);
    let second = shell.ended(&at("n1"), &[json!({"emails": [{"id": 1}], "cursor": 7})]);
    assert_eq!(data(&second), [json!({"emails": [{"id": 1}]})]);
    let third = shell.ended(&at("n2"), &[json!({"text": "One mail."})]);
    assert_eq!(data(&third), [json!({"channel": "personal", "message": "One mail."})]);
}

#[test]
fn an_alert_is_sent_and_written_down() {
    let text = r#"{"name": "Severe Weather Alert", "trigger": {"event": "weather.severe"}, "plan": [
        {"emit": {"type": "notification.urgent"}},
        {"emit": {"type": "context.write", "path": "/Alerts/Weather"}}]}"#;
    let mut world = Surroundings::default();
    world.schemas.insert("context.write".into(), json!({"required": ["path", "content"]}));
    let weather = json!({"wind": 12});
    let mut shell = begin(text, world, started_by(weather.clone()));
    assert_eq!(data(&shell.log), std::slice::from_ref(&weather));
    let second = shell.ended(&at("n1"), &[]);
    assert_eq!(data(&second), [json!({"path": "/Alerts/Weather", "content": weather})]);
}

#[test]
fn templates_and_conditions_read_what_was_done() {
    let text = r#"
id: read
name: Read
inputs:
  - {name: limit, type: integer, default: 1}
plan:
  - {id: fetch-mails, emit: {type: email.fetch}}
  - id: n1
    depends_on: [fetch-mails]
    emit: {type: count, data: {of: "{{ steps['fetch-mails'].output.emails | length }}"}}
  - id: each
    depends_on: [fetch-mails]
    condition: "steps['fetch-mails'].output.emails.length > inputs.limit"
    for_each: {items: "{{ steps['fetch-mails'].output.emails }}", as: mail, parallel: 1}
    emit: {type: answer, data: {to: "{{mail.from}}", place: "{{index}}", text: "Dear {{mail.from}}"}}
  - id: wait
    depends_on: [n1]
    wait_for: {event: "email.*", condition: "event.data.from == n1.output.name"}
  - id: never
    depends_on: [each]
    condition: each.output.length == 7
    emit: {type: x}
"#;
    let mut shell = begin(text, Surroundings::default(), start());
    let mails = json!({"emails": [{"from": "ann"}, {"from": "bob"}]});
    let then = shell.ended(&at("fetch-mails"), std::slice::from_ref(&mails));
    assert_eq!(data(&then), [json!({"of": 2}), json!({"to": "ann", "place": 0, "text": "Dear ann"})]);
    shell.ended(&at("n1"), &[json!({"name": "eve"})]);
    let came = |from: &str| {
        let event = super::Answer {
            event_type: "email.received".into(),
            ..super::answer(&at("wait"), json!({"from": from}))
        };
        super::Happened::Came { at: at("wait"), event }
    };
    assert_eq!(shell.step(came("bob")), []);
    shell.step(came("eve"));
    assert_eq!(shell.status("wait"), "completed");
    let second = shell.ended(&at("each/0"), &[]);
    assert_eq!(data(&second), [json!({"to": "bob", "place": 1, "text": "Dear bob"})]);
    shell.ended(&at("each/1"), &[]);
    assert_eq!(shell.status("never"), "skipped");
    assert_eq!(shell.end(), (RunStatus::Completed, json!({"never": null, "wait": {"from": "eve"}}), None));
}

#[test]
fn what_is_not_there_fails_the_step_that_reads_it() {
    let text = "
name: Missing
plan:
  - {id: a, emit: {type: x}}
  - {id: b, depends_on: [a], emit: {type: y, data: {z: '{{a.output.mails}}'}}, retry: 3}
";
    let mut shell = begin(text, Surroundings::default(), start());
    shell.ended(&at("a"), &[json!({"emails": []})]);
    let error = shell.end().2.expect("an error");
    assert_eq!(error, "step `b`: `a.output` has no `mails`, did you mean `emails`?; it has `emails`");
}

#[test]
fn a_dry_run_fills_in_what_is_known() {
    let text = r#"
name: Dry
inputs: [{name: team, type: list, default: [ann]}]
plan:
  - {id: a, emit: {type: x, data: {since: yesterday, to: "{{inputs.team}}", by: "{{trigger.data.who}}"}}}
  - {id: b, depends_on: [a], emit: {type: y, data: {z: "{{a.output.mails}}", of: "{{inputs.team[0]}}"}}}
"#;
    let instruction = Instruction::from_yaml("test.yaml", text).expect("a good instruction");
    let world = Surroundings::default();
    let started = started_by(json!({"who": "eve"}));
    let planned = crate::workflow::dry::dry_run(&instruction, started, &world, &|_| Vec::new());
    let data: Vec<Value> = planned.expect("a plan").into_iter().map(|step| step.data).collect();
    assert_eq!(data[0], json!({"since": "2025-06-15", "to": ["ann"], "by": "eve"}));
    assert_eq!(data[1], json!({"z": "{{a.output.mails}}", "of": "ann"}));
}
