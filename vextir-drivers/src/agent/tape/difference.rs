//! What differs between a question and the nearest one on the tape.

use serde_json::Value;

/// How much of a value is shown, in bytes.
const SHOWN: usize = 120;
/// How much of two texts is shown before they part, in bytes.
const BEFORE: usize = 30;

/// The first difference from the question that agrees longest; nothing if there is none.
pub(super) fn nearest<'v>(known: impl Iterator<Item = &'v Value>, asked: &Value) -> Option<String> {
    let mut best: Option<(usize, Difference)> = None;
    for question in known {
        let mut same = 0;
        let Some(difference) = first(question, asked, String::new(), &mut same) else { continue };
        if best.as_ref().is_none_or(|(most, _)| same > *most) {
            best = Some((same, difference));
        }
    }
    best.map(|(_, Difference { place, then, now })| format!("at {place}: {then} on the tape, {now} now"))
}

struct Difference {
    place: String,
    then: String,
    now: String,
}

/// The first difference; `same` counts the values that agree before it.
fn first(then: &Value, now: &Value, place: String, same: &mut usize) -> Option<Difference> {
    let within = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}/{key}") };
    match (then, now) {
        (Value::Object(one), Value::Object(other)) => {
            let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            keys.into_iter().find_map(|key| differ(one.get(key), other.get(key), within(key), same))
        }
        (Value::Array(one), Value::Array(other)) => (0..one.len().max(other.len()))
            .find_map(|at| differ(one.get(at), other.get(at), within(&at.to_string()), same)),
        _ if then == now => {
            *same += 1;
            None
        }
        (Value::String(one), Value::String(other)) => {
            let [one, other] = apart(one, other).map(|text| shown(Some(&Value::String(text))));
            Some(Difference { place, then: one, now: other })
        }
        _ => Some(Difference { place, then: shown(Some(then)), now: shown(Some(now)) }),
    }
}

/// Two texts from a little before the place where they part.
fn apart(one: &str, other: &str) -> [String; 2] {
    let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    [one, other].map(|text| {
        let from = text.floor_char_boundary(same.saturating_sub(BEFORE));
        let cut = if from > 0 { ".." } else { "" };
        format!("{cut}{}", &text[from..])
    })
}

fn differ(then: Option<&Value>, now: Option<&Value>, place: String, same: &mut usize) -> Option<Difference> {
    match (then, now) {
        (Some(then), Some(now)) => first(then, now, place, same),
        _ => Some(Difference { place, then: shown(then), now: shown(now) }),
    }
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let text = value.to_string();
    if text.len() <= SHOWN {
        return text;
    }
    format!("{}..", &text[..text.floor_char_boundary(SHOWN)])
}
