//! The inputs of an instruction as a JSON Schema: what the manifest says of the event that runs it, and what others read
//! there.

use super::instruction::{Input, InputKind};
use serde_json::{Map, Value, json};

/// The schema of the event's data.
pub(super) fn schema(inputs: &[Input]) -> Value {
    let fields: Map<String, Value> = inputs.iter().map(|input| (input.name.clone(), field(input))).collect();
    let required = inputs.iter().filter(|input| input.default.is_none());
    let required: Vec<&str> = required.map(|input| input.name.as_str()).collect();
    json!({
        "type": "object",
        "properties": {
            "inputs": {
                "type": "object",
                "properties": fields,
                "required": required,
                "additionalProperties": false,
            },
        },
    })
}

fn field(input: &Input) -> Value {
    let mut field = Map::new();
    if let Some(word) = word(input.kind) {
        field.insert("type".to_owned(), word.into());
    }
    field.extend(input.description.clone().map(|text| ("description".to_owned(), text.into())));
    field.extend(input.default.clone().map(|default| ("default".to_owned(), default)));
    Value::Object(field)
}

/// The inputs that such a schema tells of.
pub(super) fn inputs(schema: &Value) -> Option<Vec<Input>> {
    let inputs = schema.get("properties")?.get("inputs")?;
    let required = inputs.get("required")?.as_array()?;
    let fields = inputs.get("properties")?.as_object()?;
    let input = |(name, field): (&String, &Value)| {
        let is_required = required.iter().any(|one| *one == **name);
        let kind = InputKind::ALL.into_iter().find(|kind| word(*kind) == field["type"].as_str());
        Input {
            name: name.clone(),
            kind: kind.unwrap_or(InputKind::Any),
            default: (!is_required).then(|| field["default"].clone()),
            description: field["description"].as_str().map(str::to_owned),
        }
    };
    Some(fields.iter().map(input).collect())
}

/// What a kind is called in a schema; nothing for what takes anything.
fn word(kind: InputKind) -> Option<&'static str> {
    match kind {
        InputKind::List => Some("array"),
        InputKind::Any => None,
        other => Some(other.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::{inputs, schema};
    use crate::workflow::Instruction;
    use serde_json::json;

    #[test]
    fn inputs_are_read_as_they_were_said() {
        let text = "name: A\ninputs:\n  - {name: team, type: list, description: Who.}\n  - {name: days, type: integer, default: 1}\n  - {name: any}\n  - {name: no, type: any, default: null}\nplan: [emit: {type: x}]\n";
        let instruction = Instruction::from_yaml("a.yaml", text).unwrap();
        let schema = schema(&instruction.inputs);
        assert_eq!(schema["properties"]["inputs"]["required"], json!(["team", "any"]));
        let mut read = inputs(&schema).unwrap();
        let mut said = instruction.inputs.clone();
        for all in [&mut read, &mut said] {
            all.sort_by(|one, other| one.name.cmp(&other.name));
        }
        assert_eq!(format!("{read:?}"), format!("{said:?}"));
        assert!(inputs(&json!({"type": "object"})).is_none());
    }
}
