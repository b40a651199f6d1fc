//! Labels of information flow in documents: the member `labels` of their metadata.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use vextir::Name;

/// What stands in a document's metadata. What is no list of texts is no label.
pub(crate) fn of(metadata: &Value) -> BTreeSet<Name> {
    let listed = metadata.get("labels").and_then(Value::as_array);
    let texts = listed.into_iter().flatten().filter_map(Value::as_str);
    texts.filter(|text| !text.is_empty()).map(Name::from).collect()
}

/// The metadata with these labels beside their own.
pub(crate) fn added(mut metadata: Value, labels: &BTreeSet<Name>) -> Value {
    let mut all = of(&metadata);
    all.extend(labels.iter().cloned());
    if all.is_empty() {
        return metadata;
    }
    let listed: Vec<&str> = all.iter().map(Name::as_str).collect();
    match metadata.as_object_mut() {
        Some(members) => {
            members.insert("labels".to_owned(), json!(listed));
            metadata
        }
        None => json!({"labels": listed}),
    }
}
