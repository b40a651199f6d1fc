use super::*;
use crate::{Event, Timestamp};
use proptest::prelude::*;
use serde_json::json;

#[test]
fn a_rule_loads_and_prints() {
    let minute = Duration::from_secs(60);
    let cases = [
        (json!({"concurrency": 5, "key": "user_id"}), Flow::concurrency(5).key("user_id")),
        (
            json!({"throttle": 10, "per": "1m", "across_users": true}),
            Flow::throttle(10, minute).across_users(),
        ),
        (json!({"rate_limit": 10, "per": "1m"}), Flow::rate_limit(10, minute)),
        (json!({"debounce": "30s", "at_most": "1m"}), Flow::debounce(minute / 2).at_most(minute)),
        (json!({"batch": 100, "within": "1m", "key": "data.a"}), Flow::batch(100, minute).key("data.a")),
        (json!({"singleton": "replace"}), Flow::singleton(Twin::Replace)),
        (json!({"priority": "data.urgency"}), Flow::priority("data.urgency")),
    ];
    for (form, flow) in cases {
        let read: Flow = serde_json::from_value(form.clone()).unwrap();
        assert_eq!(read, flow);
        assert_eq!(serde_json::to_value(&flow).unwrap(), form);
    }
}

#[test]
fn a_faulty_rule_says_what_would_do() {
    let cases = [
        (json!({}), "says one of"),
        (json!({"concurrency": 0}), "from 1 to"),
        (json!({"concurrency": 5, "throttle": 5, "per": "1m"}), "only one of"),
        (json!({"throttle": 5}), "needs `per`"),
        (json!({"throttle": 5, "per": "soon"}), "write 30s"),
        (json!({"throttle": 5, "per": "0s"}), "from 1ms"),
        (json!({"concurrency": 5, "per": "1m"}), "belongs to"),
        (json!({"debounce": "1m", "at_most": "1s"}), "shorter"),
        (json!({"batch": 5000, "within": "1s"}), "1000 at the most"),
        (json!({"singleton": "ask"}), "skip"),
        (json!({"concurrency": 5, "key": "payload.x"}), "no place of an event"),
        (json!({"concurrency": 5, "key": "data..x"}), "no place of an event"),
        (json!({"concurrency": 5, "keys": "data.x"}), "unknown field"),
        (json!({"priority": "data.x", "key": "data.y"}), "counted by nothing"),
    ];
    for (form, why) in cases {
        let error = serde_json::from_value::<Flow>(form.clone()).unwrap_err().to_string();
        assert!(error.contains(why), "{form}: {error}");
    }
}

#[test]
fn a_place_is_told_by_what_stands_there() {
    let data = json!({"a": {"b": [10, {"c": "x.y"}]}, "n": null, "long": "l".repeat(5_000)});
    let mut event = Event::new("shop.order").with_user("ada").with_data(data);
    event.edit().metadata.insert("shop".into(), "north.1".into());
    let value = |path: &str| EventPath::from(path).value(&event);
    assert_eq!(value("user_id"), "\"ada\"");
    assert_eq!(value("type"), "\"shop.order\"");
    assert_eq!(value("metadata.shop"), "\"north.1\"");
    assert_eq!(value("data.a.b.0"), "10");
    assert_eq!(value("data.a.b.1.c"), "\"x.y\"");
    for nothing in ["data.n", "data.z", "data.a.b.9", "data.a.b.x", "data.n.more", "ordering_key"] {
        assert_eq!(value(nothing), "null", "{nothing}");
    }
    assert_eq!(value("data.long").len(), 64);
    let spaced =
        Event::new("a.b").with_data(crate::Data::from_json(r#"{ "a" : [ 1 , "\u0061" ] }"#).unwrap());
    let plain = Event::new("a.b").with_data(json!({"a": [1, "a"]}));
    let path = EventPath::from("data.a");
    assert_eq!(path.value(&spaced), path.value(&plain));
}

proptest! {
    #[test]
    fn a_window_never_lets_too_many_begin(
        most in prop_oneof![1u32..6, 100u32..200, 1_000u32..5_000],
        pauses in proptest::collection::vec(prop_oneof![9 => Just(0u64), 1 => 0u64..3_000], 1..2_500),
    ) {
        let per = Duration::from_micros(333_333);
        let mut now = Timestamp::from_micros(1_750_000_000_000_000);
        let (mut window, mut began) = (Window::default(), Vec::new());
        for pause in pauses {
            now = now.after(Duration::from_micros(pause * 100));
            let at = window.next(now, most, per);
            prop_assert!(at >= now);
            if at == now {
                window.add(now, most, per);
                began.push(now);
            } else {
                // What it names is a time at which one may begin.
                prop_assert_eq!(window.next(at, most, per), at);
            }
            let within = began.iter().filter(|at| now.since(**at) < per && **at <= now).count();
            prop_assert!(within <= most as usize, "{within} of {most}");
        }
    }
}
