//! The server's side of the protocol: what is offered, as rmcp wants it told.

use super::lines::{Lines, TOO_LARGE_ASKED};
use crate::mcp::offer::Menu;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Request, Response};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest, CustomResult,
    ErrorCode, ErrorData, Implementation, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource, ResourceContents,
    ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer, ServiceExt};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData as McpError, ServerHandler};
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;
use vextir::{Error, ErrorKind, Result, Tenant};

/// One session: what is offered, and for whom if that does not follow from each request.
#[derive(Debug, Clone)]
struct Counter {
    menu: Arc<Menu>,
    user: Option<Tenant>,
}

/// Serves one user over our input and output.
pub(in crate::mcp) async fn stdio(menu: Arc<Menu>, user: Tenant, longest: usize) -> Result<()> {
    let (input, output) = rmcp::transport::stdio_pipes();
    let lines = Lines::new(input, output, longest);
    let is_broken = lines.broken.clone();
    let broken = |what: String| Error::new(ErrorKind::Unavailable, what);
    let serving = Counter { menu, user: Some(user) }.serve(lines).await;
    let serving = serving.map_err(|error| broken(format!("the client speaks no MCP: {error}")))?;
    serving.waiting().await.map_err(|error| broken(error.to_string()))?;
    if is_broken.load(Ordering::Acquire) {
        return Err(broken(format!("the client sends a message that is larger than {longest} bytes")));
    }
    Ok(())
}

/// The server over HTTP, behind the door: who comes in is known.
#[derive(Clone)]
pub(in crate::mcp) struct Http {
    service: StreamableHttpService<Counter, LocalSessionManager>,
    sessions: Arc<LocalSessionManager>,
}

impl Http {
    pub(in crate::mcp) fn new(
        menu: Arc<Menu>,
        hosts: &[String],
        origins: &[String],
        stop: CancellationToken,
    ) -> Self {
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts)
            .with_allowed_origins(origins)
            .enforce_origin_validation()
            .with_cancellation_token(stop)
            .with_max_request_body_bytes(menu.longest());
        let sessions = Arc::new(LocalSessionManager::default());
        let counter = move || Ok(Counter { menu: menu.clone(), user: None });
        Self { service: StreamableHttpService::new(counter, sessions.clone(), config), sessions }
    }

    pub(in crate::mcp) async fn handle(&self, request: Request<Body>) -> Response<Body> {
        self.service.handle(request).await.map(Body::new)
    }

    /// The sessions that are open.
    pub(in crate::mcp) async fn sessions(&self) -> HashSet<String> {
        self.sessions.sessions.read().await.keys().map(|id| id.to_string()).collect()
    }
}

impl Counter {
    /// For whom a request is made: the door of the HTTP server has put it into the request.
    fn user(&self, context: &RequestContext<RoleServer>) -> Result<Tenant, McpError> {
        let carried = || context.extensions.get::<Parts>()?.extensions.get::<Tenant>().cloned();
        let nobody = || ErrorData::invalid_request("nobody is known to ask", None);
        self.user.clone().or_else(carried).ok_or_else(nobody)
    }
}

impl ServerHandler for Counter {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::default();
        capabilities.tools = Some(rmcp::model::ToolsCapability::default());
        capabilities.resources =
            self.menu.documents.as_ref().map(|_| rmcp::model::ResourcesCapability::default());
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("vextir", env!("CARGO_PKG_VERSION")))
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, McpError> {
        if request.method == TOO_LARGE_ASKED {
            let what = format!("larger than {} bytes", self.menu.longest());
            return Err(ErrorData::invalid_request(what, None));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, request.method, None))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, McpError> {
        let tools = self.menu.tools.iter().map(|(name, offered)| {
            let input = offered.input.as_object().cloned().unwrap_or_default();
            let tool = Tool::new(name.clone(), offered.description.clone(), input);
            tool.with_annotations(ToolAnnotations::new().read_only(offered.read_only))
        });
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, McpError> {
        let user = self.user(&context)?;
        let arguments = request.arguments.unwrap_or_default();
        let called = self.menu.call(&user, &request.name, arguments, context.ct.cancelled()).await;
        Ok(match called {
            Ok(answer) => CallToolResponse::Complete(told(answer)),
            Err(error)
                if error.kind() == ErrorKind::NotFound && !self.menu.tools.contains_key(&*request.name) =>
            {
                return Err(ErrorData::invalid_params(format!("there is no tool {:?}", request.name), None));
            }
            Err(error) => {
                CallToolResponse::Complete(CallToolResult::error(vec![ContentBlock::text(error.to_string())]))
            }
        })
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, McpError> {
        let Some(documents) = &self.menu.documents else { return Ok(ListResourcesResult::default()) };
        let listed = documents.list(&self.user(&context)?).await.map_err(refusal)?;
        let resource = |(address, path): (String, String)| Resource::new(address, path);
        Ok(ListResourcesResult::with_all_items(listed.into_iter().map(resource).collect()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, McpError> {
        let missing = || ErrorData::resource_not_found("no documents are offered", None);
        let documents = self.menu.documents.as_ref().ok_or_else(missing)?;
        let text = documents.read(&self.user(&context)?, &request.uri).await.map_err(refusal)?;
        let contents = vec![ResourceContents::text(text, request.uri)];
        Ok(ReadResourceResponse::Complete(ReadResourceResult::new(contents)))
    }
}

/// An answer as agents get it: JSON as a text that models read, and as a value for programs.
fn told(answer: Value) -> CallToolResult {
    match answer {
        Value::Object(_) => CallToolResult::structured(answer),
        Value::Null => CallToolResult::success(vec![ContentBlock::text("done, without an answer")]),
        Value::String(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
        other => CallToolResult::success(vec![ContentBlock::text(other.to_string())]),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn refusal(error: Error) -> McpError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Denied => ErrorData::resource_not_found(error.to_string(), None),
        _ => ErrorData::internal_error(error.to_string(), None),
    }
}
