//! Run with `cargo run --example quickstart`. It opens (or makes) `vextir.db` in the current folder.

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

#[tokio::main]
async fn main() -> vextir::Result<()> {
    let app = Processor::builder(Hub::open("vextir.db")?).driver(Weather).start().await?;
    let answer: WeatherData = app.request(GetWeather { location: "Oslo".into() }).await?;
    println!("{answer:?}");

    let mut weather = app.subscribe("weather.*").await?;
    app.emit(GetWeather { location: "Bergen".into() }).await?;
    println!("{:?}", weather.next().await);
    app.shutdown().await
}
