use vextir::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "list.of")]
struct List<T> {
    items: Vec<T>,
}

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "array.of")]
struct Array<const N: usize> {
    length: u8,
}

fn main() {}
