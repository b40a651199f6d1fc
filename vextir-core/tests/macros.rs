//! What `#[derive(Payload)]` and `#[driver]` make of a declaration.

extern crate vextir_core as vextir;

use vextir::prelude::*;

/// Ask for the weather at one place.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.get")]
struct GetWeather {
    location: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.data", category = "output")]
struct WeatherData {
    location: String,
    celsius: f64,
}

struct Weather;

#[driver("weather_tool", kind = "tool", version = "1.0.0", timeout = "30s", retries = 3)]
impl Weather {
    /// Current weather at a location.
    #[on]
    async fn get(&self, ask: GetWeather) -> Result<WeatherData, std::io::Error> {
        Ok(WeatherData { location: ask.location, celsius: 21.5 })
    }
}

#[tokio::test]
async fn the_first_example() {
    let event = Event::of(&GetWeather { location: "Oslo".into() }).unwrap();
    let outputs = Weather.handle_event(event.clone(), &Ctx::detached(&event)).await.unwrap();
    assert_eq!(outputs.len(), 1);
    let data: WeatherData = outputs[0].decode().unwrap();
    assert_eq!(data.location, "Oslo");
    println!("{}", serde_json::to_string_pretty(&Weather.manifest()).unwrap());
}
