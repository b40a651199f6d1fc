use vextir::prelude::*;

#[derive(Payload)]
#[payload(type = "weather.get")]
struct Ask;

fn main() {}
