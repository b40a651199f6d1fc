//! The way to a server: a child's pipes, or HTTP.

use super::lines::Lines;
use super::{Client, Fault, Session};
use crate::mcp::McpConfig;
use crate::mcp::child::Child;
use crate::mcp::config::{McpText, Place, without_query};
use crate::secret::SecretRef;
use axum::http::{HeaderName, HeaderValue};
use rmcp::RoleClient;
use rmcp::service::{RunningService, ServiceExt};
use rmcp::transport::DynamicTransportError;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use vextir::{Error, ErrorKind, Result};

/// How long the handshake may take: a package runner may have to fetch the server first.
const GREETING: Duration = Duration::from_secs(60);
/// The least bound of one message, in bytes: lists of tools are larger than answers need to be.
const LEAST_LINE: usize = 4 << 20;
/// What a message has beside the answer in it, in bytes.
const FRAME: usize = 4 << 10;

type Running = RunningService<RoleClient, Client>;

pub(super) async fn open(config: &McpConfig) -> Result<Session> {
    config.place.check()?;
    let changed = Arc::new(Notify::new());
    let client = Client { changed: changed.clone() };
    let stop = CancellationToken::new();
    let (running, child) = match &config.place {
        Place::Command { .. } => {
            let (child, output, input) = Child::start(&config.place).await?;
            // Two bounds in one: what is no larger than a list of tools may be is measured when it was read.
            let longest = config.max_answer_bytes.saturating_add(FRAME).max(LEAST_LINE);
            let lines = Lines::new(output, input, longest);
            match greet(client.serve_with_ct(lines, stop.clone())).await {
                Ok(running) => (running, Some(child)),
                Err(error) => {
                    let words = child.end().await;
                    let what = format!("the server does not greet: {} ({words})", error.message());
                    return Err(Error::new(ErrorKind::Unavailable, what));
                }
            }
        }
        Place::Url { url, headers, key } => {
            let http = http(config, url, headers, key.as_ref()).await?;
            let transport = StreamableHttpClientTransport::from_config(http);
            let running = greet(client.serve_with_ct(transport, stop.clone())).await;
            (running.map_err(|error| error.context(without_query(url)))?, None)
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
    })
}

async fn greet<E: Display>(greeting: impl Future<Output = Result<Running, E>>) -> Result<Running> {
    match tokio::time::timeout(GREETING, greeting).await {
        Ok(Ok(running)) => Ok(running),
        Ok(Err(error)) => Err(Error::new(ErrorKind::Unavailable, shown(&error))),
        Err(_) => {
            Err(Error::new(ErrorKind::Unavailable, format!("no greeting within {} s", GREETING.as_secs())))
        }
    }
}

/// An error in at most 512 bytes: a server's answer may be in it.
fn shown(error: &impl Display) -> String {
    crate::mcp::tool::cut(&without_query(&error.to_string()), 512).to_owned()
}

async fn http(
    config: &McpConfig,
    url: &str,
    headers: &BTreeMap<String, McpText>,
    key: Option<&SecretRef>,
) -> Result<StreamableHttpClientTransportConfig> {
    let mut sent = HashMap::new();
    for (name, value) in headers {
        let bad = || Error::invalid(format!("headers: {name:?} cannot be sent"));
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(&value.resolve().await?).map_err(|_| bad())?;
        value.set_sensitive(true);
        sent.insert(header, value);
    }
    let most = config.max_answer_bytes.saturating_add(FRAME).max(LEAST_LINE);
    let http = StreamableHttpClientTransportConfig::with_uri(url)
        .custom_headers(sent)
        .max_concurrent_requests(config.concurrency)
        .max_sse_event_size(most)
        .max_json_response_size(most);
    Ok(match key {
        Some(place) => http.auth_header(place.resolve().await?.expose()),
        None => http,
    })
}

/// What a failure to send means. A line that did not go through a pipe was not read as a message by anybody; of an HTTP
/// request nobody knows, unless there was no connection.
pub(super) fn send_fault(error: &DynamicTransportError) -> Fault {
    let text = shown(&error.error);
    let is_pipe = error.error.is::<std::io::Error>();
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error.error.as_ref());
    while let Some(one) = source {
        if is_pipe
            || one.to_string().contains("error trying to connect")
            || one.to_string() == "client error (Connect)"
        {
            return Fault::Unsent(format!("the server cannot be reached: {text}"));
        }
        source = one.source();
    }
    if text.contains("exceed") || text.contains("too large") {
        return Fault::Refused("its answer is larger than `max_answer_bytes`".into());
    }
    Fault::Lost(text)
}
