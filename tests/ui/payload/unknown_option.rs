use vextir::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.get", kind = "output")]
struct Ask;

fn main() {}
