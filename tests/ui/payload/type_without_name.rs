use vextir::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload("weather.get")]
struct Ask;

fn main() {}
