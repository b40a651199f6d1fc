//! Run with `cargo run -p embed_axum -- 127.0.0.1:8080`, then `curl -H 'Authorization: Bearer anns-token' localhost:8080/weather/Oslo`.
//!
//! The processor inside an axum service. Each request acts through the handle of its tenant, so that nobody sees
//! what belongs to somebody else. The log is `weather.db` in the current folder. Ctrl-C stops in order.

use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{Stream, StreamExt};
use tokio::sync::watch;
use vextir::prelude::*;
use vextir::{ErrorKind, Tenant};

/// Ask for the weather at one place.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.get", category = "input")]
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

#[driver("weather_tool")]
impl Weather {
    /// Current weather at a location.
    #[on]
    async fn get(&self, ask: GetWeather) -> WeatherData {
        WeatherData { location: ask.location, celsius: 21.5 }
    }
}

#[derive(Clone)]
struct Service {
    app: Processor,
    /// Changes when the service stops: streams without an end have to know.
    stop: watch::Receiver<()>,
}

/// The tenant of a request. Who it is follows from a secret, never from what a client says about itself.
struct User(Tenant);

impl FromRequestParts<Service> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, StatusCode> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let user = match header.and_then(|value| value.strip_prefix("Bearer ")) {
            Some("anns-token") => "ann",
            Some("bobs-token") => "bob",
            _ => return Err(StatusCode::UNAUTHORIZED),
        };
        Ok(Self(service.app.as_user(user)))
    }
}

/// An error as a response. The kernel's sentences name nothing of other tenants.
struct Failed(vextir::Error);

impl From<vextir::Error> for Failed {
    fn from(error: vextir::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let status = match self.0.kind() {
            ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Denied => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::Busy | ErrorKind::Unavailable | ErrorKind::Closed => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.0.to_string()).into_response()
    }
}

/// Takes the question, and answers with its id as soon as it is durable. `try_emit` says 503 instead of waiting.
async fn ask(User(user): User, Json(ask): Json<GetWeather>) -> Result<(StatusCode, String), Failed> {
    Ok((StatusCode::ACCEPTED, user.try_emit(ask).await?.to_string()))
}

/// Asks, and waits for the answer.
async fn weather(User(user): User, Path(location): Path<String>) -> Result<Json<WeatherData>, Failed> {
    Ok(Json(user.request(GetWeather { location }).await?))
}

/// The tenant's events, as they are logged. A client that comes back says which one it saw last, and misses none.
async fn events(
    User(user): User,
    State(service): State<Service>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, vextir::Error>>>, Failed> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let start = match last {
        Some(id) => Start::After(id.parse()?),
        None => Start::Now,
    };
    let events = user.subscribe_from("weather.*", start).await?.map(|event| {
        let event = event?;
        Ok(sse::Event::default().id(event.id.to_string()).event(&*event.event_type).data(event.to_json()))
    });
    let mut stop = service.stop;
    let events = events.take_until(async move { stop.changed().await });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let app = Processor::builder(Hub::open("weather.db")?).driver(Weather).start().await?;

    let (stopping, stop) = watch::channel(());
    let router = Router::new()
        .route("/weather", post(ask))
        .route("/weather/{location}", get(weather))
        .route("/events", get(events))
        .with_state(Service { app: app.clone(), stop });
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stopped = async move {
        if let Err(error) = tokio::signal::ctrl_c().await {
            eprintln!("stopping, because Ctrl-C cannot be waited for: {error}");
        }
        stopping.send_replace(());
    };
    axum::serve(listener, router).with_graceful_shutdown(stopped).await?;

    // The last answers are out; now the handlers that still run are waited for, and the file is left in order.
    app.shutdown().await?;
    println!("stopped in order");
    Ok(())
}
