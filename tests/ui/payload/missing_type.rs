use vextir::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
struct First;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(category = "output")]
struct Second;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload]
struct Third;

fn main() {}
