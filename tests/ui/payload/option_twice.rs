use vextir::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.get", type = "weather.set")]
struct First;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.get")]
#[payload(type = "weather.set")]
struct Second;

fn main() {}
