use vextir::prelude::*;

#[derive(Payload)]
#[payload(type = "weather.get")]
union Ask {
    number: u32,
    bytes: [u8; 4],
}

fn main() {}
