//! What a driver's schema says about the data of its event: which fields are missing, and which want text.

use serde_json::{Map, Value};

/// Puts in what is missing: required fields by name; after that a single missing text gets the input's `text`, and any
/// other single missing value the whole input. Where the driver has no schema, the input stands in for data that are not
/// written at all.
pub(super) fn filled(data: Value, input: &Value, schema: Option<&Value>) -> Value {
    let Value::Object(mut data) = data else {
        return if data.is_null() { filled(Value::Object(Map::new()), input, schema) } else { data };
    };
    let Some(schema) = schema else {
        return if data.is_empty() && input.is_object() { input.clone() } else { Value::Object(data) };
    };
    let top = resolved(schema, schema);
    let required = top.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut missing: Vec<&str> = required.iter().filter_map(Value::as_str).collect();
    missing.retain(|name| !data.contains_key(*name));
    missing.retain(|name| match input.get(*name) {
        Some(value) => {
            data.insert((*name).to_owned(), value.clone());
            false
        }
        None => true,
    });
    if let [name] = missing.as_slice()
        && let Some(value) = whole(input, property(schema, top, name))
    {
        data.insert((*name).to_owned(), value);
    }
    Value::Object(data)
}

/// The input for the only field that is missing.
fn whole(input: &Value, wanted: Option<&Value>) -> Option<Value> {
    if input.is_null() {
        return None;
    }
    if !wanted.is_some_and(wants_text) {
        return Some(input.clone());
    }
    let text = if input.is_string() { input } else { input.get("text")? };
    text.is_string().then(|| text.clone())
}

/// The value in the types that the schema wants: what a template gave where a text is wanted becomes text.
pub(super) fn fitted(value: Value, source: &Value, schema: &Value) -> Value {
    fit(value, source, schema, schema)
}

fn fit(value: Value, source: &Value, wanted: &Value, schema: &Value) -> Value {
    let wanted = resolved(wanted, schema);
    match (value, source) {
        (Value::Object(fields), Value::Object(sources)) => {
            let fields = fields.into_iter().map(|(name, value)| {
                let value = match (sources.get(&name), property(schema, wanted, &name)) {
                    (Some(source), Some(wanted)) => fit(value, source, wanted, schema),
                    _ => value,
                };
                (name, value)
            });
            Value::Object(fields.collect())
        }
        (Value::Array(values), Value::Array(sources)) if values.len() == sources.len() => {
            let Some(wanted) = wanted.get("items") else { return Value::Array(values) };
            let values = values.into_iter().zip(sources);
            values.map(|(value, source)| fit(value, source, wanted, schema)).collect()
        }
        // The source is a text and the value is none: a template stood alone.
        (value, Value::String(_)) if !value.is_string() && !value.is_null() && wants_text(wanted) => {
            Value::String(text(value))
        }
        (value, _) => value,
    }
}

/// A value as text: a text itself, an object's `text` where it has one, else its JSON.
pub(super) fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Object(mut fields) if fields.get("text").is_some_and(Value::is_string) => {
            fields.remove("text").map(text).unwrap_or_default()
        }
        other => other.to_string(),
    }
}

fn property<'a>(schema: &'a Value, of: &'a Value, name: &str) -> Option<&'a Value> {
    of.get("properties")?.get(name).map(|wanted| resolved(wanted, schema))
}

/// Where a schema refers to another part of itself, that part.
fn resolved<'a>(mut wanted: &'a Value, schema: &'a Value) -> &'a Value {
    // A circle of references ends too.
    for _ in 0..8 {
        let Some(pointer) = wanted.get("$ref").and_then(Value::as_str) else { break };
        match pointer.strip_prefix('#').and_then(|pointer| schema.pointer(pointer)) {
            Some(target) => wanted = target,
            None => break,
        }
    }
    wanted
}

/// Whether it takes text and nothing else but null.
fn wants_text(wanted: &Value) -> bool {
    match wanted.get("type") {
        Some(Value::String(kind)) => kind == "string",
        Some(Value::Array(kinds)) => {
            kinds.iter().any(|kind| kind == "string")
                && kinds.iter().all(|kind| kind == "string" || kind == "null")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{filled, fitted, text};
    use serde_json::{Value, json};

    fn chat() -> Value {
        json!({
            "type": "object", "required": ["channel", "message"],
            "properties": {
                "channel": {"type": "string"}, "message": {"$ref": "#/$defs/Message"},
                "note": {"type": ["string", "null"]}, "tags": {"type": "array", "items": {"type": "string"}},
                "round": {"$ref": "#/properties/round"}
            },
            "$defs": {"Message": {"type": "string"}}
        })
    }

    #[test]
    fn what_is_missing_comes_from_the_input() {
        let schema = chat();
        let cases = [
            // By name, and the rest of the input stays out.
            (
                json!({"channel": "a"}),
                json!({"message": "m", "x": 1}),
                json!({"channel": "a", "message": "m"}),
            ),
            (json!({}), json!({"message": "m", "channel": "b"}), json!({"channel": "b", "message": "m"})),
            // A single text.
            (json!({"channel": "a"}), json!({"text": "t"}), json!({"channel": "a", "message": "t"})),
            (json!({"channel": "a"}), json!("t"), json!({"channel": "a", "message": "t"})),
            // Nothing that fits, or more than one: it stays as it is.
            (json!({"channel": "a"}), json!({"x": 1}), json!({"channel": "a"})),
            (json!({"channel": "a"}), json!(null), json!({"channel": "a"})),
            (json!(null), json!({"text": "t"}), json!({})),
            // What is written stays.
            (
                json!({"channel": "a", "message": "w"}),
                json!({"text": "t"}),
                json!({"channel": "a", "message": "w"}),
            ),
            (json!([1]), json!({"text": "t"}), json!([1])),
        ];
        for (data, input, expected) in cases {
            assert_eq!(filled(data.clone(), &input, Some(&schema)), expected, "{data} from {input}");
        }
    }

    #[test]
    fn any_other_single_value_takes_the_whole() {
        let schema = json!({"required": ["path", "content"], "properties": {"path": {"type": "string"}, "content": true}});
        let data = json!({"path": "/Alerts/Weather"});
        let expected = json!({"path": "/Alerts/Weather", "content": {"wind": 12}});
        assert_eq!(filled(data, &json!({"wind": 12}), Some(&schema)), expected);
    }

    #[test]
    fn without_a_schema_the_input_stands_in_for_data_that_are_not_written() {
        assert_eq!(filled(json!({}), &json!({"wind": 12}), None), json!({"wind": 12}));
        assert_eq!(filled(json!({"a": 1}), &json!({"wind": 12}), None), json!({"a": 1}));
        assert_eq!(filled(json!({}), &json!([1]), None), json!({}));
    }

    #[test]
    fn what_a_template_gave_becomes_text_where_text_is_wanted() {
        let source = json!({"message": "{{a.output}}", "channel": 7, "note": "{{b}}", "tags": ["{{c}}", "x"],
            "round": "{{d}}", "free": "{{e}}"});
        let value = json!({"message": {"text": "t"}, "channel": 7, "note": null, "tags": [1.5, "x"], "round": 3,
            "free": [1]});
        let expected = json!({"message": "t", "channel": 7, "note": null, "tags": ["1.5", "x"], "round": 3,
            "free": [1]});
        assert_eq!(fitted(value, &source, &chat()), expected);
        assert_eq!(text(json!({"a": [1]})), r#"{"a":[1]}"#);
    }
}
