use super::{Place, for_processor, places, rank, trigger, values};
use crate::workflow::instruction::Instruction;
use crate::workflow::runner::known::cause as cause_of;
use serde_json::{Value, json};
use vextir::{Event, Flow, Name};

fn instruction(flow: &str) -> Instruction {
    let text = format!(
        "name: A\ninputs: [{{name: account, type: object}}, {{name: host, default: example.org}}]\nflow: {flow}\n\
         plan: [emit: {{type: a.b}}]\n"
    );
    Instruction::from_yaml("a.yaml", &text).unwrap()
}

fn cause() -> Value {
    let data = json!({"urgency": "high", "lines": [{"id": 7}], "long": "x".repeat(1_000)});
    let event = Event::new("mail.received").with_user("ann").with_data(data);
    trigger(&cause_of(&event), &event.user_id)
}

fn counted(flow: &str) -> Vec<Value> {
    let inputs = json!({"account": {"id": "a-1"}}).as_object().cloned().unwrap();
    values(&instruction(flow), &inputs, &cause())
}

#[test]
fn a_place_is_looked_up_in_what_the_run_begins_with() {
    let key = |place: &str| counted(&format!("{{concurrency: 1, key: {place}}}")).remove(0);
    for (place, value) in [
        ("inputs.account.id", json!("a-1")),
        ("inputs.account", json!({"id": "a-1"})),
        ("inputs.host", json!("example.org")),
        ("inputs.host.name", Value::Null),
        ("trigger.type", json!("mail.received")),
        ("trigger.user_id", json!("ann")),
        ("trigger.data.urgency", json!("high")),
        ("trigger.data.lines.0.id", json!(7)),
        ("trigger.data.lines.x.id", Value::Null),
        ("trigger.data.nothing", Value::Null),
    ] {
        assert_eq!(key(place), value, "{place}");
    }
    let long = key("trigger.data.long");
    assert_eq!(long.as_str().unwrap().len(), 64, "a long value is told apart by its hash");
    assert_eq!(counted("[{concurrency: 1}, {priority: trigger.data.urgency}]"), [Value::Null, json!("high")]);
}

#[test]
fn the_twin_is_decided_first_and_what_all_go_through_last() {
    let flow = "[{concurrency: 9}, {throttle: 1, per: 1s}, {concurrency: 2, key: inputs.account.id}, \
                {singleton: skip, key: trigger.data.urgency}]";
    let places = places(&instruction(flow), &counted(flow));
    let place =
        |rule: &'static str, key: &'static str| Place { rule: Name::literal(rule), key: Name::literal(key) };
    let expected = [
        place("singleton by trigger.data.urgency", "\"high\""),
        place("concurrency by inputs.account.id", "\"a-1\""),
        place("concurrency", ""),
    ];
    assert_eq!(places, expected);
    for place in &places {
        assert_eq!(place.code().len(), 32);
        assert!(place.rule(&instruction(flow)).is_some());
        assert!(place.rule(&instruction("{debounce: 1s}")).is_none());
    }
    assert_ne!(place("a", "b").code(), place("ab", "").code());
}

#[test]
fn the_processor_gets_its_rules_with_places_of_the_first_event() {
    let flow = "[{concurrency: 9}, {rate_limit: 1, per: 1s, key: inputs.host}, {throttle: 2, per: 1m}, \
                {throttle: 3, per: 1m, across_users: true}, {debounce: 1s, at_most: 5s, key: trigger.data.id}, \
                {priority: trigger.data.urgency}, {singleton: replace}]";
    let rules: Vec<String> = for_processor(&instruction(flow)).iter().map(Flow::to_string).collect();
    let expected = [
        "rate_limit 1 per 1s by data.flow.1",
        "throttle 2 per 1m by data.flow.2",
        "throttle 3 per 1m across users",
        "debounce 1s and 5s at most by data.flow.4",
        "priority data.flow.5",
    ];
    assert_eq!(rules, expected);
    assert_eq!(counted(flow)[2], json!("ann"), "each user's are counted by themselves");
    for rule in for_processor(&instruction(flow)) {
        rule.check().unwrap();
    }
}

#[test]
fn a_priority_is_a_word_or_a_number() {
    let instruction = instruction("{priority: trigger.data.urgency}");
    let cases = [
        (json!("high"), 1),
        (json!("low"), -1),
        (json!("normal"), 0),
        (json!("HIGH"), 0),
        (json!(3), 1),
        (json!(-0.5), -1),
        (json!(0), 0),
        (Value::Null, 0),
        (json!([1]), 0),
    ];
    for (value, expected) in cases {
        assert_eq!(rank(&instruction, std::slice::from_ref(&value)), expected, "{value}");
    }
}
