//! What is said of an instruction that an application cannot run.

use serde_json::json;
use vextir::Manifest;
use vextir_drivers::workflow::{Catalogue, Instruction};

fn manifest(id: &str, capabilities: serde_json::Value) -> Manifest {
    serde_json::from_value(json!({"id": id, "capabilities": capabilities})).unwrap()
}

fn app() -> Catalogue {
    let mail = manifest(
        "mail",
        json!([
            {"type": "email.fetch", "outputs": [{"type": "email.fetched", "schema": {}}], "input": {
                "type": "object",
                "properties": {
                    "provider": {"enum": ["gmail", "imap"]},
                    "limit": {"type": "integer", "minimum": 1},
                    "filters": {"type": "object", "properties": {"since": {"type": "string", "format": "date"}}, "additionalProperties": false}
                },
                "required": ["provider"],
                "additionalProperties": false
            }},
            "email.summarize",
            {"type": "email.send", "input": {
                "$defs": {"Address": {"type": "string"}},
                "type": "object",
                "properties": {"to": {"$ref": "#/$defs/Address"}, "text": {"type": "string", "description": "What it says."}},
                "required": ["to", "text"]
            }}
        ]),
    );
    let chat = manifest("chat", json!(["chat.*", {"type": "broken.one", "input": {"type": "objekt"}}]));
    let standup = "name: Standup\ntrigger: {event: standup.due}\ninputs: [{name: team, type: list}, {name: days, type: integer, default: 1}]\nplan: [emit: {type: chat.message}]\n";
    Catalogue::of([&mail, &chat])
        .with("ui.**".parse().unwrap())
        .with_instruction(&Instruction::from_yaml("standup.yaml", standup).unwrap())
}

fn said(steps: &str) -> String {
    let text = format!("name: A\nplan:\n{steps}");
    let instruction = Instruction::from_yaml("a.yaml", &text).unwrap();
    match instruction.check(&app()) {
        Ok(()) => String::new(),
        Err(faults) => faults.iter().map(|fault| format!("{fault}\n")).collect(),
    }
}

#[test]
fn what_fits_is_taken() {
    let fits = r#"
  - id: a
    emit: {type: email.fetch, data: {provider: gmail, limit: 5, filters: {since: yesterday}}}
  - id: b
    emit: {type: email.fetch, data: {provider: "{{inputs.p}}", limit: "{{inputs.n}}", filters: "{{inputs.f}}"}}
  - id: c
    emit: {type: email.fetch, data: "{{inputs.all}}"}
  - id: d
    emit: {type: chat.anything, data: {x: 1}}
  - id: e
    emit: {type: ui.alert.show}
  - id: f
    emit: {type: standup.due}
  - id: g
    run: {instruction: standup, inputs: {team: [a]}}
  - id: h
    run: {instruction: standup, inputs: "{{inputs.all}}"}
  - id: i
    run: {instruction: standup, inputs: {team: "{{inputs.team}}", days: 2}}
"#;
    let inputs = "inputs: [{name: p}, {name: n}, {name: f}, {name: all}, {name: team}]\n";
    let instruction = Instruction::from_yaml("a.yaml", &format!("name: A\n{inputs}plan:{fits}")).unwrap();
    instruction.check(&app()).unwrap();
}

#[test]
fn what_the_step_before_may_bring_is_not_missing() {
    assert_eq!(said("  - emit: {type: email.fetch}\n  - emit: {type: email.send}\n"), "");
    assert_eq!(
        said("  - id: a\n    emit: {type: email.fetch}\n  - id: b\n    emit: {type: email.send, to: me}\n"),
        "4:18: `email.fetch` needs `provider`\n6:11: `email.send` needs `text`\n"
    );
    // But what is there has to fit.
    assert_eq!(
        said("  - emit: {type: email.fetch, data: {limit: 0}}\n"),
        "3:45: `limit` of `email.fetch` does not fit: this is less than the minimum of 1\n"
    );
}

#[test]
fn each_misfit_is_found_where_it_stands() {
    let misfits = r#"  - emit:
      type: email.fetch
      data:
        provider: outlook
        limit: "5"
        folders: [inbox]
        filters:
          sinse: yesterday
  - emit: {type: email.send, to: 5, text: [a]}
  - emit: {type: email.fetsh}
  - emit: {type: pager.call}
  - emit: {type: broken.one}
"#;
    assert_eq!(
        said(misfits),
        r#"6:19: `provider` of `email.fetch` does not fit: this is not one of "gmail" or "imap"
7:16: `limit` of `email.fetch` does not fit: this is not of type "integer"
8:9: `email.fetch` has no "folders"
10:11: `filters` of `email.fetch` has no "sinse"
11:34: `to` of `email.send` does not fit: this is not of type "string"
11:43: `text` of `email.send` does not fit: this is not of type "string"
12:18: no driver handles `email.fetsh`
13:18: no driver handles `pager.call`
14:18: the schema of `broken.one` cannot be used: "objekt" is not valid under any of the schemas listed in the 'anyOf' keyword
"#
    );
}

#[test]
fn instructions_that_are_run_are_known() {
    let runs = r#"  - id: a
    run: standap
  - id: b
    run: standup
  - id: c
    run: {instruction: standup, inputs: {teem: [a], days: two, team: x}}
"#;
    assert_eq!(
        said(runs),
        "4:10: there is no instruction \"standap\"\n6:10: `standup` needs the input `team`\n8:42: `standup` has no input \"teem\"\n8:53: the input `days` of `standup` is an integer\n8:64: the input `team` of `standup` is a list\n"
    );
}

#[test]
fn both_can_be_shared_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Instruction>();
    is_shared::<Catalogue>();
}

#[test]
fn a_catalogue_tells_what_drivers_say() {
    let app = app();
    assert_eq!(app.replies("email.fetch"), ["email.fetched"]);
    assert!(app.replies("chat.message").is_empty());
    assert_eq!(app.schema("email.send").unwrap()["required"], json!(["to", "text"]));
    assert!(app.schema("chat.message").is_none());
    assert!(app.handles("chat.message") && app.handles("ui.x") && !app.handles("mail.x"));
    assert!(format!("{app:?}").contains("chat.*"));
}
