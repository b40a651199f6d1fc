//! Payloads for the cases in the folders beside this one.

use vextir::prelude::*;

/// Ask for the weather at one place.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.get")]
pub struct GetWeather {
    /// Where.
    pub location: String,
}

/// The weather at one place.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.data", category = "output")]
pub struct WeatherData {
    /// How warm.
    pub celsius: f64,
}
