use vextir::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.get", category = "outputs")]
struct Ask;

fn main() {}
