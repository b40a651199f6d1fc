//! One server: a driver with a capability for each tool, and a handle for handlers of your own.

use super::answer::{McpContent, McpMessage, McpPrompt, McpResource};
use super::link::{Failed, Link, News};
use super::note::Notes;
use super::tool::McpTool;
use super::wire::Ask;
use super::{McpAnswer, McpChanged, McpConfig, McpDown, McpUp, name};
use async_trait::async_trait;
use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use vextir::check::{Known, Wire, Wiring};
use vextir::{
    BoxError, Capability, Category, Ctx, Data, DeliveryFailed, Driver, Effect, Emitter, Error, ErrorKind,
    Event, Failure, HandlerResult, Manifest, OutputSpec, Payload, Result,
};

/// The label of everything that a server says: it is data, and nobody's instruction.
pub(super) const UNTRUSTED: &str = "untrusted";
/// How much longer than a call a handler may take, to tell the server that nobody waits any more.
const MARGIN: Duration = Duration::from_secs(5);

/// A server whose tools are called: registered as a driver, it handles `mcp.<server>.<tool>`; as a handle, it is cheap to
/// clone and serves handlers of your own. See the [module](crate::mcp).
///
/// The child process lives until the driver is stopped or the last clone is dropped.
#[derive(Clone)]
pub struct McpServer(Arc<Inner>);

struct Inner {
    link: Arc<Link>,
    /// What is announced; taken by who starts the driver.
    news: Mutex<Option<mpsc::Receiver<News>>>,
    notes: Notes,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.link.cancel();
    }
}

impl McpServer {
    /// Starts or reaches a server, and lists its tools.
    ///
    /// # Errors
    /// `Invalid`: the name, the configuration, or two tools whose names become one. `NotFound`: the command or a secret is not
    /// there. `Unavailable`: the server does not greet, or cannot list its tools; with its last words.
    pub async fn connect(server: impl Into<String>, config: McpConfig) -> Result<Self> {
        let server = server.into();
        name::server(&server)?;
        let place = format!("MCP server {server:?}");
        let opened = Link::open(server, config).await;
        let (link, news) = opened.map_err(|error| error.context(place))?;
        Ok(Self(Arc::new(Inner { link, news: Mutex::new(Some(news)), notes: Notes::default() })))
    }

    /// The server's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.link.name
    }

    /// Its tools, as it lists them now.
    #[must_use]
    pub fn tools(&self) -> Vec<McpTool> {
        self.0.link.catalogue().tools.values().cloned().collect()
    }

    /// What is wrong with what it says about its tools.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        self.0.link.catalogue().findings.clone()
    }

    /// Calls a tool. When the future is dropped before it ends, the server is told to stop.
    ///
    /// # Errors
    /// `Failed`: the tool says that it failed, the server refused the call, the answer is too large, or the connection was lost
    /// meanwhile and the tool is not one that may be called twice. `Timeout`, `Unavailable`: trying again may help.
    /// `NotFound`: no such tool. `Closed`: the driver was stopped.
    pub async fn call(&self, tool: &str, arguments: impl Into<Value>) -> Result<McpAnswer> {
        let arguments = object(arguments.into()).map_err(|error| error.context(tool.to_owned()))?;
        let link = &self.0.link;
        link.ready(tool, link.until()).await?.send(arguments).await.map_err(|failed| failed.error)
    }

    /// What it keeps to be read.
    ///
    /// # Errors
    /// As [`McpServer::call`].
    pub async fn resources(&self) -> Result<Vec<McpResource>> {
        self.list(Ask::Resources, "resources").await?.into_iter().map(read).collect()
    }

    /// Reads a resource, by its address.
    ///
    /// # Errors
    /// As [`McpServer::call`].
    pub async fn read_resource(&self, uri: &str) -> Result<Vec<McpContent>> {
        let mut answer = self.ask(Ask::Read(uri.to_owned())).await?;
        read(answer.get_mut("contents").map(Value::take).unwrap_or_default())
    }

    /// The prompts that it offers.
    ///
    /// # Errors
    /// As [`McpServer::call`].
    pub async fn prompts(&self) -> Result<Vec<McpPrompt>> {
        self.list(Ask::Prompts, "prompts").await?.into_iter().map(read).collect()
    }

    /// One of its prompts, filled in.
    ///
    /// # Errors
    /// As [`McpServer::call`].
    pub async fn prompt(&self, prompt: &str, arguments: impl Into<Value>) -> Result<Vec<McpMessage>> {
        let arguments = object(arguments.into()).map_err(|error| error.context(prompt.to_owned()))?;
        let mut answer = self.ask(Ask::Prompt(prompt.to_owned(), arguments)).await?;
        read(answer.get_mut("messages").map(Value::take).unwrap_or_default())
    }

    /// Whether it is the answer of a tool. A tool can have the name `result`.
    fn is_result(&self, event: &Event) -> bool {
        self.asked(event).is_some_and(|asked| asked.ends_with(".result"))
    }

    async fn list(&self, ask: Ask, key: &str) -> Result<Vec<Value>> {
        self.0.link.list(ask, key, self.0.link.until()).await
    }

    async fn ask(&self, ask: Ask) -> Result<Value> {
        self.0.link.ask(ask, self.0.link.until()).await
    }

    /// What comes behind `mcp.<server>.` in an event's type.
    fn asked<'a>(&self, event: &'a Event) -> Option<&'a str> {
        event.event_type.strip_prefix("mcp.")?.strip_prefix(self.name())?.strip_prefix('.')
    }

    /// Calls a tool for an event. One that is not repeatable is noted before it is sent: after a crash nobody knows whether it
    /// was done, and it is not done again.
    async fn call_for(&self, tool: &str, event: &Event) -> Result<McpAnswer, Failed> {
        let arguments = object(event.data.value()).map_err(|error| error.context(tool.to_owned()))?;
        let (link, notes) = (&self.0.link, &self.0.notes);
        let until = link.until();
        let ready = link.ready(tool, until).await?;
        if ready.repeatable {
            return ready.send(arguments).await;
        }
        let (user, id) = (&event.user_id, &event.id);
        if notes.has_begun(user, id).await? {
            return Err(link.unknown(tool).into());
        }
        notes.note(user, id, until).await?;
        let answered = ready.send(arguments).await;
        if answered.as_ref().is_err_and(|failed| failed.error.kind().is_transient()) {
            notes.forget(user, id).await?;
        }
        answered
    }

    /// Forgets the note of a call that is over: its result was committed, or it is a dead letter.
    async fn forget(&self, event: &Event, cx: &Ctx) -> Result<()> {
        let over = match event.event_type.as_str() {
            DeliveryFailed::TYPE => Some(event.decode::<DeliveryFailed>()?.event_id),
            _ if event.source == *cx.driver() => event.correlation_id.clone(),
            _ => None,
        };
        match over {
            // Most tools may be repeated, and nothing was noted.
            Some(call) if self.0.notes.has_begun(cx.user(), &call).await? => {
                self.0.notes.forget(cx.user(), &call).await
            }
            _ => Ok(()),
        }
    }

    /// Answers an event with what is read, as JSON.
    async fn answer(&self, event: &Event) -> Result<Data, Failed> {
        let answer = match self.asked(event).unwrap_or_default() {
            "resources.list" => Data::new(&Listed { resources: self.resources().await? }),
            "resources.read" => {
                let ask: ReadResource = event.data.decode()?;
                Data::new(&Contents { contents: self.read_resource(&ask.uri).await? })
            }
            "prompts.list" => Data::new(&Prompts { prompts: self.prompts().await? }),
            "prompts.get" => {
                let ask: GetPrompt = event.data.decode()?;
                Data::new(&Messages { messages: self.prompt(&ask.name, ask.arguments).await? })
            }
            tool => Data::new(&self.call_for(tool, event).await?),
        };
        Ok(answer?)
    }

    fn capabilities(&self) -> Vec<Capability> {
        let prefix = format!("mcp.{}", self.name());
        let result = |event_type: &str, schema| OutputSpec {
            event_type: format!("{event_type}.result").into(),
            schema,
            category: Category::Output,
        };
        let tool = |tool: McpTool| {
            let mut capability = Capability::new(tool.event_type.clone()).describe(tool.description);
            capability.outputs.push(result(&tool.event_type, schema_for!(McpAnswer)));
            capability.input = Some(tool.input);
            capability
        };
        let mut all: Vec<Capability> = self.tools().into_iter().map(tool).collect();
        let further = format!("The tools that {} has only since it runs.", self.name());
        all.push(Capability::new(format!("{prefix}.*")).describe(further));
        let mut reads = |what: &str, description: &str, input, output| {
            let event_type = format!("{prefix}.{what}");
            let mut one =
                Capability::new(event_type.clone()).describe(description).effect(Effect::ActsOutside);
            one.input = Some(input);
            one.outputs.push(result(&event_type, output));
            all.push(one);
        };
        let nothing = || schema_for!(Nothing);
        reads("resources.list", "List what can be read.", nothing(), schema_for!(Listed));
        reads("resources.read", "Read a resource.", schema_for!(ReadResource), schema_for!(Contents));
        reads("prompts.list", "List the prompts.", nothing(), schema_for!(Prompts));
        reads("prompts.get", "Fill in a prompt.", schema_for!(GetPrompt), schema_for!(Messages));
        all
    }
}

#[async_trait]
impl Driver for McpServer {
    fn manifest(&self) -> Manifest {
        let config = &self.0.link.config;
        let mut manifest = Manifest::new(format!("mcp.{}", self.name()))
            .with_name(format!("MCP server {}", self.name()))
            .with_timeout(config.timeout.saturating_add(MARGIN))
            .with_concurrency(config.concurrency);
        manifest.description = format!("Tools of the MCP server {}.", self.name());
        manifest.capabilities = self.capabilities();
        let over = "Forget that a call has begun.";
        let result = Capability::new(format!("mcp.{}.*.result", self.name())).describe(over);
        manifest
            .can(result.effect(Effect::Reads))
            .can(Capability::of::<DeliveryFailed>().effect(Effect::Reads))
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        if event.event_type == DeliveryFailed::TYPE || self.is_result(&event) {
            self.forget(&event, cx).await?;
            return Ok(Vec::new());
        }
        let data = tokio::select! {
            biased;
            answer = self.answer(&event) => answer.map_err(told)?,
            () = cx.cancelled() => return Err(Error::new(ErrorKind::Cancelled, "the work was cancelled").into()),
        };
        let result = Event::new(format!("{}.result", event.event_type)).with_category(Category::Output);
        Ok(vec![result.with_label(UNTRUSTED).with_data(data)])
    }

    fn check(&self, event: &Event) -> Result<()> {
        // Whether it is an object its first character says; the rest is the server's business.
        if event.data.is_empty() || event.data.as_json().trim_start().starts_with('{') {
            return Ok(());
        }
        object(event.data.value()).map(drop)
    }

    async fn wiring(&self, _known: &Known) -> Result<Wiring> {
        let mut wires = vec![
            Wire::emits_payload::<McpUp>(),
            Wire::emits_payload::<McpDown>(),
            Wire::emits_payload::<McpChanged>(),
        ];
        for capability in self.capabilities() {
            wires.push(Wire::starts(capability.pattern));
            wires.extend(capability.outputs.into_iter().map(|output| Wire::emits(output.event_type)));
        }
        Ok(Wiring::new(wires))
    }

    async fn start(&self, emitter: Emitter) -> Result<()> {
        let news = self.0.news.lock().unwrap_or_else(PoisonError::into_inner).take();
        let twice = || Error::invalid(format!("the MCP server {:?} is registered already", self.name()));
        let news = news.ok_or_else(twice)?;
        self.0.notes.begin(emitter.clone()).await?;
        tokio::spawn(announce(emitter, news));
        Ok(())
    }

    async fn stop(&self) {
        self.0.link.stop().await;
    }
}

/// What a handler fails with: the server may have said when it has time again.
fn told(failed: Failed) -> BoxError {
    match failed.pause {
        Some(pause) => Failure::transient(failed.error).retry_after(pause).into(),
        None => failed.error.into(),
    }
}

/// Emits what becomes of a server, until the processor or the link ends.
async fn announce(emitter: Emitter, mut news: mpsc::Receiver<News>) {
    loop {
        let event = tokio::select! {
            biased;
            () = emitter.stopped() => return,
            news = news.recv() => match news {
                Some(News::Up(up)) => Event::of(&up),
                Some(News::Down(down)) => Event::of(&down),
                Some(News::Changed(changed)) => Event::of(&changed),
                None => return,
            },
        };
        let emitted = match event {
            Ok(event) => emitter.emit(event.with_label(UNTRUSTED)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = emitted {
            tracing::warn!(%error, "what became of an MCP server cannot be announced");
        }
    }
}

fn object(arguments: Value) -> Result<Map<String, Value>> {
    match arguments {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(Error::invalid("the arguments of a tool are a JSON object")),
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    let bad = |error| Error::new(ErrorKind::Failed, format!("the server's answer cannot be read: {error}"));
    serde_json::from_value(value).map_err(bad)
}

#[derive(JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Listed {
    resources: Vec<McpResource>,
}

#[derive(Deserialize, JsonSchema)]
struct ReadResource {
    /// The resource's address.
    uri: String,
}

#[derive(Serialize, JsonSchema)]
struct Contents {
    contents: Vec<McpContent>,
}

#[derive(Serialize, JsonSchema)]
struct Prompts {
    prompts: Vec<McpPrompt>,
}

#[derive(Deserialize, JsonSchema)]
struct GetPrompt {
    /// The prompt's name.
    name: String,
    /// What it wants to know.
    #[serde(default)]
    arguments: Map<String, Value>,
}

#[derive(Serialize, JsonSchema)]
struct Messages {
    messages: Vec<McpMessage>,
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServer").field("name", &self.name()).finish_non_exhaustive()
    }
}
