//! The link to one server: kept up by one task, restarted with growing pauses, given up when that happens too often.

mod keep;

use super::payload::{McpChanged, McpDown, McpUp};
use super::tool::{Catalogue, McpTool, cut};
use super::wire::{Ask, Fault, Session};
use super::{McpAnswer, McpConfig, name};
use serde_json::{Map, Value};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vextir::{Error, ErrorKind, Result};

/// News that nobody has told yet; what comes when so many wait is only logged.
const MOST_NEWS: usize = 64;
/// The longest message of a server that is repeated in an error, in bytes.
const LONGEST_MESSAGE: usize = 2 * 1024;
/// How long stopping may take: a child has two seconds to end by itself.
const STOPPING: Duration = Duration::from_secs(10);
/// What is said of a call that may have been done.
const OPEN: &str = "; it is not known whether it was done, and it is not marked as safe to repeat (`repeat`)";
/// With less time than this nothing is sent any more: it might be done, and nobody would hear of it.
const LEAST_REST: Duration = Duration::from_millis(50);

/// What happened to the server, for who announces it.
#[derive(Debug)]
pub(super) enum News {
    Up(McpUp),
    Down(McpDown),
    Changed(McpChanged),
}

#[derive(Debug, Clone)]
enum State {
    Up(Arc<Session>),
    /// It was lost and is started again: calls wait.
    Restarting(Arc<str>),
    /// It was lost too often: calls fail at once.
    Down(Arc<str>),
    Stopped,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) config: McpConfig,
    state: watch::Sender<State>,
    catalogue: RwLock<Arc<Catalogue>>,
    news: mpsc::Sender<News>,
    stop: CancellationToken,
    /// The task that keeps it up has ended, and with it the child.
    ended: CancellationToken,
}

/// A call before it is sent: the tool is known, and the server is there.
pub(super) struct Ready<'a> {
    link: &'a Link,
    session: Arc<Session>,
    tool: String,
    pub(super) repeatable: bool,
    until: Instant,
}

/// Why a call failed, and when the server wants to be asked again, if it says so.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: Error,
    pub(super) pause: Option<Duration>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, pause: None }
    }
}

impl Ready<'_> {
    /// Sends it, within what is left of the time. When a tool is not repeatable, an error that is transient says that it was
    /// not sent.
    pub(super) async fn send(self, arguments: Map<String, Value>) -> Result<McpAnswer, Failed> {
        let rest = self.link.rest(self.until)?;
        let answered = self.session.call(&self.tool, arguments, rest).await;
        let what = || format!("tool {:?}", self.tool);
        answered.map_err(|fault| self.link.failure(&self.session, &what(), self.repeatable, fault))
    }
}

impl Link {
    /// Reaches the server, lists its tools, and keeps it up from then on.
    pub(super) async fn open(name: String, config: McpConfig) -> Result<(Arc<Self>, mpsc::Receiver<News>)> {
        let session = Session::open(&config).await?;
        let catalogue = match list(&name, &config, &session).await {
            Ok(catalogue) => catalogue,
            Err(error) => {
                session.close().await;
                return Err(error);
            }
        };
        let session = Arc::new(session);
        let (news, told) = mpsc::channel(MOST_NEWS);
        let link = Arc::new(Self {
            name,
            config,
            state: watch::Sender::new(State::Up(session.clone())),
            catalogue: RwLock::new(Arc::new(catalogue)),
            news,
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
        });
        link.tell_up();
        // Its end is told though it panics: nobody waits for ever.
        let guard = link.ended.clone().drop_guard();
        let kept = link.clone();
        tokio::spawn(async move {
            keep::keep(&kept, session).await;
            drop(guard);
        });
        Ok((link, told))
    }

    pub(super) fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the connection and the child; does not wait for that.
    pub(super) fn cancel(&self) {
        self.stop.cancel();
    }

    /// Ends the connection and the child.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        if tokio::time::timeout(STOPPING, self.ended.cancelled()).await.is_err() {
            tracing::warn!(server = %self.name, "the MCP server does not end");
        }
    }

    /// When a call that begins now is given up: it waits for the server and for the answer, and both are in this one limit.
    pub(super) fn until(&self) -> Instant {
        Instant::now() + self.config.timeout
    }

    /// What is left of the time, if that is worth a call.
    fn rest(&self, until: Instant) -> Result<Duration> {
        let rest = until.saturating_duration_since(Instant::now());
        if rest < LEAST_REST.min(self.config.timeout / 2) {
            return Err(self.error(ErrorKind::Unavailable, "was back too late"));
        }
        Ok(rest)
    }

    /// The connection, as soon as there is one, with what is left of the time.
    async fn session(&self, until: Instant) -> Result<(Arc<Session>, Duration)> {
        let mut state = self.state.subscribe();
        loop {
            let why = match &*state.borrow_and_update() {
                State::Up(session) => return Ok((session.clone(), self.rest(until)?)),
                State::Restarting(why) => why.clone(),
                State::Down(why) => {
                    return Err(self.error(ErrorKind::Unavailable, &format!("is down: {why}")));
                }
                State::Stopped => return Err(self.error(ErrorKind::Closed, "was stopped")),
            };
            if !matches!(tokio::time::timeout_at(until, state.changed()).await, Ok(Ok(()))) {
                return Err(self.error(ErrorKind::Unavailable, &format!("is being restarted: {why}")));
            }
        }
    }

    /// A tool that is called as soon as the caller wants, by its own name or by its segment of the event type.
    pub(super) async fn ready(&self, tool: &str, until: Instant) -> Result<Ready<'_>> {
        let (tool, repeatable) = {
            let catalogue = self.catalogue();
            let tool = self.find(&catalogue, tool)?;
            (tool.name.clone(), tool.repeatable)
        };
        let (session, _) = self.session(until).await?;
        Ok(Ready { link: self, session, tool, repeatable, until })
    }

    /// Asks for something that changes nothing.
    pub(super) async fn ask(&self, ask: Ask, until: Instant) -> Result<Value> {
        let (session, rest) = self.session(until).await?;
        let what = asked(&ask);
        session.ask(ask, rest).await.map_err(|fault| self.failure(&session, &what, true, fault).error)
    }

    /// Asks for a list.
    pub(super) async fn list(&self, ask: Ask, key: &str, until: Instant) -> Result<Vec<Value>> {
        let (session, rest) = self.session(until).await?;
        let what = asked(&ask);
        session.list(ask, key, rest).await.map_err(|fault| self.failure(&session, &what, true, fault).error)
    }

    /// A call that was sent before, whose answer nobody has heard.
    pub(super) fn unknown(&self, tool: &str) -> Error {
        let why = format!("tool {tool:?}: it was called before{OPEN}");
        Error::new(ErrorKind::Failed, format!("MCP server {:?}, {why}", self.name))
    }

    fn find<'a>(&self, catalogue: &'a Catalogue, tool: &str) -> Result<&'a McpTool> {
        let found = name::segment(tool).ok().and_then(|segment| catalogue.tools.get(&segment));
        found.ok_or_else(|| {
            let known: Vec<&str> = catalogue.tools.values().take(20).map(|tool| tool.name.as_str()).collect();
            let what = format!("has no tool {:?}; it has {}", cut(tool, 128), known.join(", "));
            self.error(ErrorKind::NotFound, &what)
        })
    }

    /// What a fault means for who called: whether trying again can help, and does no harm.
    fn failure(&self, session: &Session, what: &str, repeatable: bool, fault: Fault) -> Failed {
        let mut pause = None;
        let (kind, why) = match fault {
            Fault::Refused(why) => (ErrorKind::Failed, why),
            Fault::Unsent(why) => (ErrorKind::Unavailable, why),
            Fault::Busy(why, asked) => {
                pause = asked;
                (ErrorKind::Unavailable, why)
            }
            Fault::Lost(why) if repeatable => (ErrorKind::Unavailable, why),
            Fault::Lost(why) => (ErrorKind::Failed, why + OPEN),
            Fault::Late => {
                let why = format!("no answer within {:?}", self.config.timeout);
                if repeatable { (ErrorKind::Timeout, why) } else { (ErrorKind::Failed, why + OPEN) }
            }
        };
        let (what, why) = (session.masks.hide(what), session.masks.hide(&why));
        let said = format!("MCP server {:?}, {what}: {}", self.name, cut(&why, LONGEST_MESSAGE));
        Failed { error: Error::new(kind, said), pause }
    }

    fn error(&self, kind: ErrorKind, what: &str) -> Error {
        Error::new(kind, format!("MCP server {:?} {what}", self.name))
    }

    fn set(&self, state: State) {
        self.state.send_replace(state);
    }

    /// Takes what the server lists now, and says what is other than before.
    fn replace(&self, new: Catalogue) {
        let old = {
            let mut catalogue = self.catalogue.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *catalogue, Arc::new(new))
        };
        let new = self.catalogue();
        if old == new {
            return;
        }
        let without = |all: &Catalogue, others: &Catalogue| -> Vec<String> {
            let gone = all.tools.iter().filter(|(segment, _)| !others.tools.contains_key(*segment));
            gone.map(|(_, tool)| tool.event_type.clone()).collect()
        };
        self.tell(News::Changed(McpChanged {
            server: self.name.clone(),
            added: without(&new, &old),
            removed: without(&old, &new),
            findings: new.findings.clone(),
        }));
    }

    fn tell_up(&self) {
        let catalogue = self.catalogue();
        for finding in &catalogue.findings {
            tracing::warn!(server = %self.name, "{finding}");
        }
        let (tools, findings) = (catalogue.tools.len(), catalogue.findings.clone());
        self.tell(News::Up(McpUp { server: self.name.clone(), tools, findings }));
    }

    fn tell(&self, news: News) {
        if let Err(error) = self.news.try_send(news) {
            let (mpsc::error::TrySendError::Full(news) | mpsc::error::TrySendError::Closed(news)) = error;
            tracing::warn!(server = %self.name, ?news, "nobody announces what becomes of an MCP server");
        }
    }
}

/// What a server lists, as far as it is believed.
async fn list(name: &str, config: &McpConfig, session: &Session) -> Result<Catalogue> {
    if !session.has_tools() {
        return Ok(Catalogue::default());
    }
    let place = |error: Error| {
        let hidden = session.masks.hide(&error.to_string());
        Error::new(error.kind(), cut(&hidden, LONGEST_MESSAGE).to_owned())
            .context(format!("MCP server {name:?}"))
    };
    let listed = session.list(Ask::Tools, "tools", config.timeout).await.map_err(|fault| {
        let why = match fault {
            Fault::Refused(why) | Fault::Unsent(why) | Fault::Lost(why) | Fault::Busy(why, _) => why,
            Fault::Late => format!("no answer within {:?}", config.timeout),
        };
        place(Error::new(ErrorKind::Unavailable, format!("its tools cannot be listed: {why}")))
    })?;
    if listed.len() > super::tool::MOST_TOOLS {
        let what = format!("it lists {} tools; at most {}", listed.len(), super::tool::MOST_TOOLS);
        return Err(place(Error::invalid(what)));
    }
    let mut catalogue = Catalogue::of(name, config, listed).map_err(place)?;
    for finding in &mut catalogue.findings {
        *finding = session.masks.hide(finding);
    }
    Ok(catalogue)
}

fn asked(ask: &Ask) -> String {
    match ask {
        Ask::Tools => "the list of tools".into(),
        Ask::Resources => "the list of resources".into(),
        Ask::Prompts => "the list of prompts".into(),
        Ask::Read(uri) => format!("resource {:?}", cut(uri, 256)),
        Ask::Prompt(name, _) => format!("prompt {:?}", cut(name, 256)),
    }
}
