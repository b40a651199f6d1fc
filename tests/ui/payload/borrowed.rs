use vextir::prelude::*;

#[derive(Serialize, JsonSchema, Payload)]
#[payload(type = "weather.get")]
struct Ask<'a> {
    location: &'a str,
}

fn main() {}
