//! The protocol itself. This module and those below it are the only ones that know rmcp; what they give to the others are
//! values of ours and JSON.

mod lines;
mod reach;
pub(super) mod serving;

use super::child::Child;
use super::mask::Masks;
use super::{McpAnswer, McpConfig};
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientCapabilities, ClientConfig, ClientRequest, CustomResult,
    GetPromptRequest, GetPromptRequestParams, Implementation, JsonObject, ListPromptsRequest,
    ListResourcesRequest, ListToolsRequest, PaginatedRequestParams, PingRequest, ReadResourceRequest,
    ReadResourceRequestParams, ServerResult,
};
use rmcp::service::{NotificationContext, Peer, PeerRequestOptions, RequestHandle, ServiceError};
use rmcp::{ClientHandler, RoleClient};
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vextir::Result;

/// The most pages of one list.
const MOST_PAGES: usize = 64;
/// The most entries of one list.
const MOST_ENTRIES: usize = 4_096;
/// The most bytes of JSON in all pages of one list.
const MOST_BYTES: usize = 8 << 20;

/// What rmcp says when the server forgot the session of a request, whose code says nothing.
const SESSION_RENEWED: &str = "streamable HTTP session was re-initialized before the response arrived";

/// One connection to a server, from the handshake to its end.
#[derive(Debug)]
pub(super) struct Session {
    peer: Peer<RoleClient>,
    /// Ends the connection.
    stop: CancellationToken,
    /// The connection has ended, whoever ended it.
    ended: CancellationToken,
    child: Mutex<Option<Child>>,
    /// The server says that its tools are others now.
    pub(super) changed: Arc<Notify>,
    /// A call failed in a way that says little: ask whether the server is alive.
    pub(super) suspect: Notify,
    /// Requests that wait for their answers.
    busy: AtomicUsize,
    most: usize,
    /// What the server was given and may not be shown, though it says it.
    pub(super) masks: Masks,
}

/// How a request ends without its answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server refused it, or what it answered cannot be used. Asking again brings the same.
    Refused(String),
    /// It never reached the server.
    Unsent(String),
    /// The server did not take it, since it has no time now; when it wants to be asked again, if it says so.
    Busy(String, Option<Duration>),
    /// The server may have it, or not.
    Lost(String),
    /// There was no answer in time; the server was told to stop.
    Late,
}

/// What is asked for, but for calls of tools.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    Tools,
    Resources,
    Prompts,
    Read(String),
    Prompt(String, JsonObject),
}

/// The client as the server sees it.
#[derive(Debug, Clone)]
struct Client {
    changed: Arc<Notify>,
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(
            ClientCapabilities::default(),
            Implementation::new("vextir", env!("CARGO_PKG_VERSION")),
        )
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }
}

impl Session {
    /// Starts or reaches a server, and greets it.
    pub(super) async fn open(config: &McpConfig) -> Result<Self> {
        reach::open(config).await
    }

    /// Whether it has tools, as it said in its greeting.
    pub(super) fn has_tools(&self) -> bool {
        self.peer.peer_info().is_some_and(|info| info.capabilities.tools.is_some())
    }

    /// Resolves when the connection has ended.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Ends the connection and the child, and says how that ended.
    pub(super) async fn close(&self) -> String {
        self.stop.cancel();
        // The child's input closes with the transport; a service that hangs is not waited for.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.ended.cancelled()).await;
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        match child {
            Some(child) => child.end().await,
            None => "the connection ended".into(),
        }
    }

    /// Calls a tool. When the future is dropped before it ends, the server is told to stop.
    pub(super) async fn call(
        &self,
        tool: &str,
        arguments: JsonObject,
        limit: Duration,
    ) -> Result<McpAnswer, Fault> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let answer = match self.request(request, limit).await? {
            ServerResult::CallToolResult(result) => {
                let failed = result.is_error == Some(true);
                let parts = result.content.iter().map(serde_json::to_value);
                let content = parts.collect::<Result<_, _>>().map_err(unreadable)?;
                (failed, McpAnswer::new(content, result.structured_content))
            }
            ServerResult::CustomResult(CustomResult(value)) => lenient(value)?,
            ServerResult::EmptyResult(_) => (false, McpAnswer::default()),
            ServerResult::InputRequiredResult(_) => {
                return Err(Fault::Refused("it asks for more input, which nobody here can give".into()));
            }
            _ => return Err(Fault::Refused("it answers with something that is no result of a tool".into())),
        };
        match answer {
            (_, answer) if answer.weight() > self.most => Err(Fault::Refused(too_large(self.most))),
            (false, answer) => Ok(answer),
            (true, answer) if answer.text.is_empty() => {
                Err(Fault::Refused("it failed, and does not say why".into()))
            }
            (true, answer) => Err(Fault::Refused(answer.text)),
        }
    }

    /// Asks for something that is in one answer.
    pub(super) async fn ask(&self, ask: Ask, limit: Duration) -> Result<Value, Fault> {
        Ok(self.page(&ask, None, limit).await?.0)
    }

    /// Asks for a list, page by page.
    pub(super) async fn list(&self, ask: Ask, key: &str, limit: Duration) -> Result<Vec<Value>, Fault> {
        let (mut all, mut cursor, mut bytes) = (Vec::new(), None, 0);
        let until = Instant::now() + limit;
        for _ in 0..MOST_PAGES {
            let rest = until.saturating_duration_since(Instant::now());
            let (mut page, weight) = self.page(&ask, cursor, rest).await?;
            bytes += weight;
            if bytes > MOST_BYTES {
                return Err(Fault::Refused(format!("its list of {key} is larger than {MOST_BYTES} bytes")));
            }
            match page.get_mut(key).map(Value::take) {
                Some(Value::Array(entries)) => all.extend(entries),
                _ => return Err(Fault::Refused(format!("its answer has no list of {key}"))),
            }
            if all.len() > MOST_ENTRIES {
                return Err(Fault::Refused(format!("it lists more than {MOST_ENTRIES} {key}")));
            }
            cursor = page.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                return Ok(all);
            }
        }
        Err(Fault::Refused(format!("its list of {key} has more than {MOST_PAGES} pages")))
    }

    /// One answer, and how many bytes of JSON it has.
    async fn page(
        &self,
        ask: &Ask,
        cursor: Option<String>,
        limit: Duration,
    ) -> Result<(Value, usize), Fault> {
        let page = || PaginatedRequestParams::default().with_cursor(cursor.clone());
        let request = match ask {
            Ask::Tools => ClientRequest::ListToolsRequest(ListToolsRequest::with_param(page())),
            Ask::Resources => ClientRequest::ListResourcesRequest(ListResourcesRequest::with_param(page())),
            Ask::Prompts => ClientRequest::ListPromptsRequest(ListPromptsRequest::with_param(page())),
            Ask::Read(uri) => ClientRequest::ReadResourceRequest(ReadResourceRequest::new(
                ReadResourceRequestParams::new(uri.clone()),
            )),
            Ask::Prompt(name, arguments) => ClientRequest::GetPromptRequest(GetPromptRequest::new(
                GetPromptRequestParams::new(name.clone()).with_arguments(arguments.clone()),
            )),
        };
        let answer = self.request(request, limit).await?;
        let value = serde_json::to_value(answer).map_err(unreadable)?;
        let bytes = value.to_string().len();
        if bytes > self.most && !matches!(ask, Ask::Tools) {
            return Err(Fault::Refused(too_large(self.most)));
        }
        Ok((value, bytes))
    }

    /// Whether nobody waits for an answer.
    pub(super) fn is_idle(&self) -> bool {
        self.busy.load(Ordering::Acquire) == 0
    }

    /// Whether the server is alive: it answers, whatever it answers.
    pub(super) async fn ping(&self, limit: Duration) -> bool {
        let request = ClientRequest::PingRequest(PingRequest::default());
        matches!(self.request(request, limit).await, Ok(_) | Err(Fault::Refused(_) | Fault::Busy(..)))
    }

    async fn request(&self, request: ClientRequest, limit: Duration) -> Result<ServerResult, Fault> {
        let until = Instant::now() + limit;
        let sent = self.peer.send_request_with_option(request, PeerRequestOptions::no_options());
        // What the service did not take has not left this process.
        let Ok(sent) = tokio::time::timeout_at(until, sent).await else {
            self.suspect.notify_one();
            return Err(Fault::Unsent(format!("the server takes nothing within {limit:?}")));
        };
        let sent = sent.map_err(|error| Fault::Unsent(format!("the server cannot be reached: {error}")))?;
        let _busy = Busy::new(&self.busy);
        let mut pending = Pending(Some(sent));
        let Some(handle) = &mut pending.0 else {
            return Err(Fault::Unsent("it was not sent".into()));
        };
        let Ok(answer) = tokio::time::timeout_at(until, &mut handle.rx).await else {
            self.suspect.notify_one();
            return Err(Fault::Late);
        };
        pending.0 = None;
        match answer {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => Err(self.fault(error)),
            Err(_) => Err(Fault::Lost("the connection was lost before the answer".into())),
        }
    }

    fn fault(&self, error: ServiceError) -> Fault {
        match error {
            ServiceError::McpError(data) if data.code.0 == lines::TOO_LARGE => {
                Fault::Refused(too_large(self.most))
            }
            ServiceError::McpError(data) if data.message == SESSION_RENEWED => {
                Fault::Lost(data.message.into_owned())
            }
            ServiceError::McpError(data) => {
                Fault::Refused(format!("{} (code {})", data.message, data.code.0))
            }
            ServiceError::TransportSend(error) => {
                self.suspect.notify_one();
                reach::send_fault(&error, &self.masks)
            }
            ServiceError::TransportClosed => Fault::Lost("the connection was lost before the answer".into()),
            other => Fault::Refused(other.to_string()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Counts a request for as long as it waits.
struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A request that waits for its answer. Who drops it before tells the server to stop.
struct Pending(Option<RequestHandle<RoleClient>>);

impl Drop for Pending {
    fn drop(&mut self) {
        if let (Some(handle), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(handle.cancel(Some("nobody waits for the answer any more".into())));
        }
    }
}

fn too_large(most: usize) -> String {
    format!("its answer is larger than {most} bytes (`max_answer_bytes`)")
}

#[allow(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn unreadable(error: serde_json::Error) -> Fault {
    Fault::Refused(format!("its answer cannot be read: {error}"))
}

/// A tool's result with parts that rmcp does not know.
fn lenient(mut value: Value) -> Result<(bool, McpAnswer), Fault> {
    let failed = value.get("isError") == Some(&Value::Bool(true));
    let structured = value.get_mut("structuredContent").map(Value::take);
    match value.get_mut("content").map(Value::take) {
        Some(Value::Array(content)) => Ok((failed, McpAnswer::new(content, structured))),
        None if structured.is_some() => Ok((failed, McpAnswer::new(Vec::new(), structured))),
        _ => Err(Fault::Refused("it answers with something that is no result of a tool".into())),
    }
}
