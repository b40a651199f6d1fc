use vextir::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather get")]
struct First;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "")]
struct Second;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather..get")]
struct Third;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.*")]
struct Fourth;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "-weather")]
struct Fifth;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww")]
struct Sixth;

fn main() {}
