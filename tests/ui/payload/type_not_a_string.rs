use vextir::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = weather)]
struct First;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type)]
struct Second;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload = "weather.get"]
struct Third;

fn main() {}
