//! What a service answered, read with distrust: pure.

use serde::Deserialize;
use serde_json::error::Category;

/// Bytes for each number of a vector, indented and written out long, and for all around the vectors.
const NUMBER: usize = 64;
const AROUND: usize = 64 << 10;

/// Why an answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It broke off.
    Cut,
    /// It is no answer of such a service.
    Foreign(String),
    /// The service has no vector for one of these texts.
    Text(&'static str),
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    index: Option<usize>,
    embedding: Vec<Option<f32>>,
}

/// How many bytes an answer with so many vectors may have.
pub(super) fn limit(texts: usize, dimensions: usize) -> usize {
    texts.saturating_mul(dimensions).saturating_mul(NUMBER).saturating_add(AROUND)
}

/// The vectors of an answer in the order of the texts; of `dimensions` numbers, if that is known.
pub(super) fn read(body: &[u8], texts: usize, dimensions: Option<usize>) -> Result<Vec<Vec<f32>>, Fault> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| unread(body, &error))?;
    if answer.data.len() != texts {
        return Err(Fault::Foreign(format!("{} vectors for {texts} texts", answer.data.len())));
    }
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; texts];
    let has_order = answer.data.iter().any(|entry| entry.index.is_some());
    for (at, entry) in answer.data.into_iter().enumerate() {
        let index = if has_order { entry.index } else { Some(at) };
        let place = index.and_then(|index| vectors.get_mut(index)).filter(|place| place.is_none());
        let Some(place) = place else {
            return Err(Fault::Foreign("its indices do not name each text once".to_owned()));
        };
        *place = Some(finite(entry.embedding)?);
    }
    let vectors: Vec<Vec<f32>> = vectors.into_iter().flatten().collect();
    let expected = dimensions.or_else(|| vectors.first().map(Vec::len)).unwrap_or(0);
    if let Some(other) = vectors.iter().map(Vec::len).find(|length| *length != expected) {
        return Err(Fault::Foreign(format!(
            "a vector of {other} numbers instead of {expected}: see `.dimensions(..)` and the model's name"
        )));
    }
    Ok(vectors)
}

fn finite(embedding: Vec<Option<f32>>) -> Result<Vec<f32>, Fault> {
    let numbers: Option<Vec<f32>> =
        embedding.into_iter().map(|number| number.filter(|number| number.is_finite())).collect();
    numbers.ok_or(Fault::Text("a vector with numbers that are not finite"))
}

/// What was not understood. The parser's own words may repeat what the answer holds.
fn unread(body: &[u8], error: &serde_json::Error) -> Fault {
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    match error.classify() {
        Category::Eof if is_object => Fault::Cut,
        // Some services write NaN, which is no JSON, when a text is too much for the model.
        Category::Syntax if is_object => Fault::Text("an answer that is no JSON"),
        Category::Data => Fault::Foreign(format!(
            "JSON without `data[].embedding` of numbers (line {}, column {})",
            error.line(),
            error.column()
        )),
        _ => Fault::Foreign("something other than JSON".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(body: &str) -> Result<Vec<Vec<f32>>, Fault> {
        read(body.as_bytes(), 2, Some(2))
    }

    fn is_foreign(body: &str) -> bool {
        matches!(two(body), Err(Fault::Foreign(_)))
    }

    #[test]
    fn vectors_come_in_the_order_of_their_indices() {
        let swapped =
            r#"{"data": [{"index": 1, "embedding": [3, 4]}, {"index": 0, "embedding": [1, 2e0]}], "x": 1}"#;
        assert_eq!(two(swapped).unwrap(), [[1.0, 2.0], [3.0, 4.0]]);
        let silent = r#"{"data": [{"embedding": [1, 2]}, {"embedding": [3, 4]}]}"#;
        assert_eq!(two(silent).unwrap(), [[1.0, 2.0], [3.0, 4.0]]);
        let alone = r#"{"data": [{"index": 0, "embedding": [1, 2, 3]}]}"#;
        assert_eq!(read(alone.as_bytes(), 1, None).unwrap(), [[1.0, 2.0, 3.0]]);
    }

    #[test]
    fn an_answer_of_another_shape_is_refused() {
        for body in [
            r#"{"data": []}"#,
            r#"{"data": [{"index": 0, "embedding": [1, 2]}]}"#,
            r#"{"data": [{"index": 0, "embedding": [1, 2]}, {"index": 0, "embedding": [1, 2]}]}"#,
            r#"{"data": [{"index": 0, "embedding": [1, 2]}, {"index": 2, "embedding": [1, 2]}]}"#,
            r#"{"data": [{"index": 0, "embedding": [1, 2]}, {"embedding": [1, 2]}]}"#,
            r#"{"data": [{"index": -1, "embedding": [1, 2]}, {"index": 1, "embedding": [1, 2]}]}"#,
            r#"{"data": [{"index": 0, "embedding": [1, 2]}, {"index": 1, "embedding": [1]}]}"#,
            r#"{"data": [{"index": 0, "embedding": "AAAA"}, {"index": 1, "embedding": [1, 2]}]}"#,
            r#"{"error": {"message": "no"}}"#,
            "<html></html>",
            "[]",
            "null",
            "",
            "\u{0}",
        ] {
            assert!(is_foreign(body), "{body}: {:?}", two(body));
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_about_the_texts_and_an_end_that_is_missing_is_not() {
        for number in ["null", "NaN", "1e39", "-1e300"] {
            let body = format!(
                r#"{{"data": [{{"index": 0, "embedding": [1, {number}]}}, {{"index": 1, "embedding": [1, 2]}}]}}"#
            );
            assert!(matches!(two(&body), Err(Fault::Text(_))), "{number}: {:?}", two(&body));
        }
        assert_eq!(two(r#"{"data": [{"index": 0, "embed"#), Err(Fault::Cut));
    }

    #[test]
    fn what_was_not_understood_is_not_repeated() {
        let Err(Fault::Foreign(why)) = two(r#"{"data": "the secret"}"#) else { panic!("no fault") };
        assert!(!why.contains("secret"), "{why}");
    }
}
