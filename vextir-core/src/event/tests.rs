use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const SPEC: &str = r#"{
    "id": "evt_123",
    "type": "email.received",
    "category": "input",
    "timestamp": "2025-06-15T12:00:00Z",
    "user_id": "user_456",
    "source": "email_driver",
    "data": {
        "from": "client@example.com",
        "subject": "Project Update",
        "body": "..."
    }
}"#;

#[test]
fn the_specs_example_comes_back_identical() {
    let event = Event::from_json(SPEC).unwrap();
    let expected: Value = serde_json::from_str(SPEC).unwrap();
    let actual: Value = serde_json::from_str(&event.to_json()).unwrap();
    assert_eq!(actual, expected);
    assert_eq!(event.id.to_string(), "evt_123");
}

#[test]
fn a_misfit_names_its_path_and_what_was_expected() {
    #[derive(Debug, Deserialize)]
    struct Ask {
        #[expect(dead_code)]
        places: Vec<u32>,
    }
    let data = Data::from(json!({"places": [1, "two"]}));
    let error = data.decode::<Ask>().unwrap_err().to_string();
    assert!(error.contains("data.places[1]"), "{error}");
    assert!(error.contains("expected u32"), "{error}");
}

#[test]
fn deep_json_is_refused_or_left_alone_but_never_overflows() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = format!(r#"{{"type":"a.b","data":{deep}}}"#);
    if let Ok(event) = Event::from_json(&text) {
        assert_eq!(event.data.value(), Value::Null);
        assert!(event.data.decode::<Vec<u32>>().is_err());
    }
}

#[test]
fn what_is_not_too_deep_can_be_parsed() {
    let nested = |levels| Data::from_json(format!("{}{}", "[".repeat(levels), "]".repeat(levels))).unwrap();
    let event = |levels| Event::new("a.b").with_data(nested(levels));
    event(MAX_JSON_DEPTH).check_depth().unwrap();
    assert!(serde_json::from_str::<Value>(nested(MAX_JSON_DEPTH).as_json()).is_ok());
    assert!(event(MAX_JSON_DEPTH + 1).check_depth().is_err(), "nobody could parse it");
    assert!(serde_json::from_str::<Value>(nested(MAX_JSON_DEPTH + 1).as_json()).is_err());
}

#[test]
fn a_cloudevent_has_one_payload_and_binary_is_base64() {
    let read = |payload: &str| {
        let text = format!(r#"{{"specversion":"1.0","id":"1","source":"/a","type":"a.b",{payload}}}"#);
        Event::from_cloudevent(&text).map_err(|error| error.to_string())
    };
    let both = read(r#""data":null,"data_base64":"AAAA""#).unwrap_err();
    assert!(both.contains("data and data_base64 are both there"), "{both}");
    for wrong in ["5", "{}", r#""AAA""#, r#""A===""#, r#""AA=A""#, r#""A-_A""#] {
        let error = read(&format!(r#""data_base64":{wrong}"#)).unwrap_err();
        assert!(error.contains("expected a string of padded base64"), "{wrong}: {error}");
    }
    assert_eq!(read(r#""data_base64":null,"data":7"#).unwrap().data.value(), 7);
    // Escaped, it is the same text.
    assert_eq!(read(r#""data_base64":"AA\/+""#).unwrap().data.value(), "AA/+");
}

#[test]
fn ids_grow_even_when_the_clock_jumps_back() {
    let ids = IdSource::new(Some(7));
    let now: Timestamp = "2025-06-15T12:00:00Z".parse().unwrap();
    let mut last = ids.next(now);
    for step in 0..10_000u64 {
        let next = ids.next(now.before(std::time::Duration::from_millis(step)));
        assert!(next > last, "{next} after {last}");
        assert_eq!(next.to_string().as_bytes()[14], b'7');
        last = next;
    }
}

#[test]
fn foreign_ids_are_kept_as_they_came() {
    for text in ["evt_123", "550E8400-E29B-41D4-A716-446655440000", "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(text.parse::<EventId>().unwrap().to_string(), text);
        assert!(text.parse::<EventId>().unwrap().foreign().is_some());
    }
}

fn id() -> impl Strategy<Value = EventId> {
    prop_oneof![
        any::<u128>()
            .prop_filter("nil means unset", |bits| *bits != 0)
            .prop_map(|bits| EventId::from_uuid_bytes(bits.to_be_bytes())),
        "[a-zA-Z0-9_:/.-]{1,40}".prop_map(|text| text.parse().unwrap()),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    (1..253_402_207_200_999_999i64).prop_map(Timestamp::from_micros)
}

prop_compose! {
    fn event()(
        (id, cause, root) in (id(), proptest::option::of(id()), proptest::option::of(id())),
        event_type in "[a-z_][a-z0-9_-]{0,9}(\\.[a-z0-9_]{1,9}){0,4}",
        category in prop_oneof![Just(Category::Input), Just(Category::Internal), Just(Category::Output)],
        (at, due) in (time(), proptest::option::of(time())),
        (user, source) in ("\\PC{0,20}", "\\PC{1,20}"),
        json in "[a-z\"\\\\ ü]{0,20}",
        binary in "([a-zA-Z0-9+/]{4}){0,3}={0,2}",
        number in any::<f64>().prop_filter("finite", |number| number.is_finite()),
        labels in proptest::collection::btree_set("[a-z, ]{1,8}", 0..4),
        key in proptest::option::of("\\PC{1,10}"),
        priority in prop_oneof![Just(Priority::High), Just(Priority::Normal), Just(Priority::Low)],
        metadata in proptest::collection::btree_map("(ce-[a-z0-9]{1,8}|ce-datacontenttype|ce-data_base64|[a-zA-Z-]{1,10})", "(\\PC{0,10}|true|application/json)", 0..4),
        depth in 0..100u32,
    ) -> Event {
        let mut event = Event::new(event_type)
            .with_id(id)
            .with_category(category)
            .with_timestamp(at)
            .with_user(user)
            .with_source(source)
            .with_data(if depth % 4 == 0 { json!(binary) } else { json!({"text": json, "number": number}) })
            .with_priority(priority);
        let envelope = event.edit();
        envelope.correlation_id = cause;
        envelope.root_id = root;
        envelope.deliver_at = due;
        envelope.depth = depth;
        envelope.labels = labels.into_iter().map(Name::from).collect();
        envelope.ordering_key = key.map(Name::from);
        envelope.metadata = metadata;
        event
    }
}

/// A CloudEvent of somebody who never heard of us.
fn foreign() -> impl Strategy<Value = Value> {
    let types =
        ["application/json", "application/json; charset=utf-8", "application/vnd.a+json", "text/plain"];
    let payload = prop_oneof![
        Just(None),
        "\\PC{0,9}".prop_map(|text| Some(("data", json!(text)))),
        any::<i32>().prop_map(|number| Some(("data", json!({ "a": [number, null] })))),
        "([a-zA-Z0-9+/]{4}){0,3}([a-z]{2}==)?".prop_map(|text| Some(("data_base64", json!(text)))),
    ];
    let more = proptest::collection::btree_map("(subject|dataschema|x[a-z0-9]{0,19})", "\\PC{0,9}", 0..4);
    let kind = proptest::option::of(proptest::sample::select(types.to_vec()));
    ("\\PC{1,9}", proptest::option::of(time()), kind, payload, more).prop_map(
        |(id, at, kind, payload, more)| {
            let mut event =
                json!({ "specversion": "1.0", "id": id, "source": "//a/b", "type": "com.a.done" });
            more.into_iter().for_each(|(name, value)| event[name] = json!(value));
            if let Some(at) = at {
                event["time"] = json!(at.to_string());
            }
            if let Some(kind) = kind {
                event["datacontenttype"] = json!(kind);
            }
            if let Some((name, value)) = payload {
                event[name] = value;
            }
            event
        },
    )
}

proptest! {
    #[test]
    fn json_round_trip(event in event()) {
        prop_assert_eq!(Event::from_json(&event.to_json()).unwrap(), event);
    }

    #[test]
    fn cloudevents_round_trip(event in event()) {
        let text = event.to_cloudevent().unwrap();
        prop_assert_eq!(Event::from_cloudevent(&text).unwrap(), event, "{}", text);
    }

    #[test]
    fn what_others_sent_goes_out_as_it_came(sent in foreign()) {
        let event = Event::from_cloudevent(&sent.to_string()).unwrap();
        let mut out: Value = serde_json::from_str(&event.to_cloudevent().unwrap()).unwrap();
        // What is implied may be said.
        for (name, value) in [("category", json!("internal")), ("datacontenttype", json!("application/json")), ("data", Value::Null)] {
            let attributes = out.as_object_mut().unwrap();
            if sent.get(name).is_none() && attributes.get(name) == Some(&value) {
                attributes.remove(name);
            }
        }
        prop_assert_eq!(out, sent);
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in "\\PC{0,200}") {
        let _ = Event::from_json(&text);
        let _ = Event::from_cloudevent(&text);
        let _ = text.parse::<EventId>();
        let _ = text.parse::<Timestamp>();
        let _ = check_type(&text);
    }
}
