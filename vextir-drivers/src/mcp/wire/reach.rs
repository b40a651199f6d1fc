//! The way to a server: a child's pipes, or HTTP.

use super::lines::Lines;
use super::{Client, Fault, Session};
use crate::mcp::McpConfig;
use crate::mcp::child::Child;
use crate::mcp::config::{McpText, Place, without_query};
use crate::mcp::mask::Masks;
use crate::secret::SecretRef;
use crate::service::pause;
use axum::http::{HeaderName, HeaderValue};
use rmcp::RoleClient;
use rmcp::service::{RunningService, ServiceExt};
use rmcp::transport::DynamicTransportError;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig, StreamableHttpError,
};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use vextir::{Error, ErrorKind, Result};

/// How long the handshake may take: a package runner may have to fetch the server first.
const GREETING: Duration = Duration::from_secs(60);
/// The least bound of one message, in bytes: lists of tools are larger than answers need to be.
const LEAST_LINE: usize = 4 << 20;
/// What a message has beside the answer in it, in bytes.
const FRAME: usize = 4 << 10;

/// The HTTP status of a server that has no time for a request, and did not take it.
const TOO_MANY: u16 = 429;
/// The longest pause that a server is believed when it has no time.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);
const TOO_LARGE: &str = "its answer is larger than `max_answer_bytes`";

type Running = RunningService<RoleClient, Client>;

pub(super) async fn open(config: &McpConfig) -> Result<Session> {
    config.place.check()?;
    let changed = Arc::new(Notify::new());
    let client = Client { changed: changed.clone() };
    let stop = CancellationToken::new();
    let (running, child, masks) = match &config.place {
        Place::Command { .. } => {
            let (child, output, input) = Child::start(&config.place).await?;
            // Two bounds in one: what is no larger than a list of tools may be is measured when it was read.
            let longest = config.max_answer_bytes.saturating_add(FRAME).max(LEAST_LINE);
            let lines = Lines::new(output, input, longest);
            let masks = child.masks();
            match greet(client.serve_with_ct(lines, stop.clone()), &masks).await {
                Ok(running) => (running, Some(child), masks),
                Err(error) => {
                    let words = child.end().await;
                    let what = format!("the server does not greet: {} ({words})", error.message());
                    return Err(Error::new(ErrorKind::Unavailable, what));
                }
            }
        }
        Place::Url { url, headers, key } => {
            let (http, masks) = http(config, url, headers, key.as_ref()).await?;
            let transport = StreamableHttpClientTransport::from_config(http);
            let running = greet(client.serve_with_ct(transport, stop.clone()), &masks).await;
            (running.map_err(|error| error.context(without_query(url)))?, None, masks)
        }
    };
    let peer = running.peer().clone();
    let ended = CancellationToken::new();
    let guard = ended.clone().drop_guard();
    tokio::spawn(async move {
        // However the service ends, the guard says so.
        let _ = running.waiting().await;
        drop(guard);
    });
    Ok(Session {
        peer,
        stop,
        ended,
        child: Mutex::new(child),
        changed,
        suspect: Notify::new(),
        busy: AtomicUsize::new(0),
        most: config.max_answer_bytes,
        masks,
    })
}

async fn greet<E: Display>(
    greeting: impl Future<Output = Result<Running, E>>,
    masks: &Masks,
) -> Result<Running> {
    match tokio::time::timeout(GREETING, greeting).await {
        Ok(Ok(running)) => Ok(running),
        Ok(Err(error)) => Err(Error::new(ErrorKind::Unavailable, shown(&error, masks))),
        Err(_) => {
            Err(Error::new(ErrorKind::Unavailable, format!("no greeting within {} s", GREETING.as_secs())))
        }
    }
}

/// An error in at most 512 bytes, without the keys in it: a server's answer may be in it.
fn shown(error: &impl Display, masks: &Masks) -> String {
    crate::mcp::tool::cut(&masks.hide(&without_query(&error.to_string())), 512).to_owned()
}

async fn http(
    config: &McpConfig,
    url: &str,
    headers: &BTreeMap<String, McpText>,
    key: Option<&SecretRef>,
) -> Result<(StreamableHttpClientTransportConfig, Masks)> {
    let (mut sent, mut values) = (HashMap::new(), Vec::new());
    for (name, value) in headers {
        let bad = || Error::invalid(format!("headers: {name:?} cannot be sent"));
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let text = value.resolve().await?;
        let mut value = HeaderValue::from_str(&text).map_err(|_| bad())?;
        value.set_sensitive(true);
        values.push(text);
        sent.insert(header, value);
    }
    let most = config.max_answer_bytes.saturating_add(FRAME).max(LEAST_LINE);
    let http = StreamableHttpClientTransportConfig::with_uri(url)
        .custom_headers(sent)
        .max_concurrent_requests(config.concurrency)
        .max_sse_event_size(most)
        .max_json_response_size(most);
    let http = match key {
        Some(place) => {
            let secret = place.resolve().await?;
            values.push(secret.expose().to_owned());
            http.auth_header(secret.expose())
        }
        None => http,
    };
    Ok((http, Masks::of(values.iter().map(String::as_str))))
}

/// What a failure to send means. A line that did not go through a pipe was not read as a message by anybody; of an HTTP
/// request nobody knows, unless the server says that it did not take it, or there was no connection.
pub(super) fn send_fault(error: &DynamicTransportError, masks: &Masks) -> Fault {
    let text = shown(&error.error, masks);
    let unsent = |text: String| Fault::Unsent(format!("the server cannot be reached: {text}"));
    if error.error.is::<std::io::Error>() {
        return unsent(text);
    }
    match error.error.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
        Some(StreamableHttpError::HttpStatus(status)) if status.status == TOO_MANY => {
            let pause = status.retry_after.as_deref().and_then(|said| pause(said, SystemTime::now()));
            Fault::Busy(text, pause.map(|pause| pause.min(LONGEST_PAUSE)))
        }
        Some(StreamableHttpError::Client(error)) if error.is_connect() || error.is_builder() => unsent(text),
        Some(StreamableHttpError::AuthRequired(_) | StreamableHttpError::SessionExpired) => unsent(text),
        Some(StreamableHttpError::InsufficientScope(_)) => Fault::Refused(text),
        Some(StreamableHttpError::ResponseBodyTooLarge { .. }) => Fault::Refused(TOO_LARGE.into()),
        _ => Fault::Lost(text),
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Masks, StreamableHttpError, send_fault};
    use rmcp::transport::DynamicTransportError;
    use rmcp::transport::streamable_http_client::{AuthRequiredError, HttpStatusError};
    use std::any::TypeId;
    use std::time::Duration;

    type Http = StreamableHttpError<reqwest::Error>;

    fn fault(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
        send_fault(
            &DynamicTransportError::from_parts("http", TypeId::of::<()>(), Box::new(error)),
            &Masks::of(["a-long-key"]),
        )
    }

    #[tokio::test]
    async fn a_failure_to_send_is_known_by_its_kind() {
        let status = |status, after: Option<&str>| {
            fault(Http::HttpStatus(HttpStatusError::new(status, after.map(str::to_owned))))
        };
        assert!(matches!(status(429, None), Fault::Busy(_, None)));
        assert!(
            matches!(status(429, Some("7")), Fault::Busy(_, Some(pause)) if pause == Duration::from_secs(7))
        );
        let long = status(429, Some("999999999"));
        assert!(matches!(long, Fault::Busy(_, Some(pause)) if pause == Duration::from_secs(3600)));
        assert!(matches!(status(503, Some("7")), Fault::Lost(_)));
        let who = AuthRequiredError::new("Bearer".into());
        assert!(matches!(fault(Http::AuthRequired(who)), Fault::Unsent(_)));
        assert!(matches!(fault(Http::ResponseBodyTooLarge { max_size: 1 }), Fault::Refused(_)));
        assert!(matches!(fault(std::io::Error::other("a pipe")), Fault::Unsent(_)));
        // Words say nothing.
        let words =
            Http::UnexpectedServerResponse("too large, exceeded, error trying to connect, a-long-key".into());
        assert!(
            matches!(fault(words), Fault::Lost(text) if text.contains("***") && !text.contains("a-long-key"))
        );
        // Nobody listens at a port that was given back.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = reqwest::get(format!("http://{free}/mcp")).await.unwrap_err();
        assert!(matches!(fault(Http::Client(error)), Fault::Unsent(_)));
    }
}
