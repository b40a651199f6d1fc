//! What is written is what is read.

use crate::crdt::{Body, Content};
use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

/// Any JSON value, with names and numbers of every difficult kind.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just(String::new()),
        "[a-c]",
        "[/~01]{1,3}",
        "\\PC{0,6}",
        Just("id".to_owned()),
        Just("\u{0}".to_owned()),
    ];
    let number = prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        (-3_i64..3).prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
        Just(Number::from_f64(-0.0).unwrap()),
        Just(Number::from(i64::from(i32::MIN))),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number.prop_map(Value::Number),
        "\\PC{0,12}".prop_map(Value::from),
        "[a-z \n]{190,260}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn stored_and_loaded(body: &Body) -> Body {
    Body::load(99, &body.state()).unwrap()
}

proptest! {
    #[test]
    fn json_comes_back_exactly_whatever_stood_there_before(values in prop::collection::vec(any_json(), 1..5)) {
        let mut body = Body::new(1);
        let mut follower = Body::new(2);
        for value in &values {
            body.set_json(value).unwrap();
            prop_assert_eq!(body.content(), Content::Json(value.clone()));
            prop_assert_eq!(stored_and_loaded(&body).content(), Content::Json(value.clone()));
            follower.apply(&body.take_update()).unwrap();
            prop_assert_eq!(follower.content(), body.content());
            prop_assert_eq!(body.take_update(), Vec::<u8>::new());
        }
    }

    #[test]
    fn texts_and_json_take_turns(turns in prop::collection::vec((any::<bool>(), any_json(), "\\PC{0,300}"), 1..5)) {
        let mut body = Body::new(1);
        for (is_text, value, text) in turns {
            if is_text {
                body.set_text(&text).unwrap();
                prop_assert_eq!(body.content(), Content::Text(text));
            } else {
                body.set_json(&value).unwrap();
                prop_assert_eq!(body.content(), Content::Json(value));
            }
        }
    }
}

#[test]
fn a_new_document_is_an_empty_text_without_metadata() {
    let body = Body::new(1);
    assert_eq!(body.content(), Content::Text(String::new()));
    assert_eq!(body.metadata(), json!({}));
    assert_eq!(stored_and_loaded(&body).content(), body.content());
}

#[test]
fn metadata_stands_beside_the_content() {
    let mut body = Body::new(1);
    body.set_text("a note").unwrap();
    body.set_metadata(&json!({"priority": "high", "tags": ["a"]})).unwrap();
    let body = stored_and_loaded(&body);
    assert_eq!(body.content(), Content::Text("a note".to_owned()));
    assert_eq!(body.metadata(), json!({"priority": "high", "tags": ["a"]}));
    assert!(Body::new(1).set_metadata(&json!(["no object"])).is_err());
}
