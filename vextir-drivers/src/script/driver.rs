//! The driver: who installs what, and which code an event runs.

use super::effects::Effects;
use super::fault::Fault;
use super::payload::{
    HandlerInstall, HandlerInstalled, HandlerItem, HandlerItems, HandlerList, HandlerRemove, HandlerRemoved,
};
use super::run::{Outcome, Runner};
use super::store::{self, Found};
use async_trait::async_trait;
use rhai::AST;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use vextir::{
    Capability, Content, Ctx, Driver, Effect, Emitter, Error, ErrorKind, Event, Failure, HandlerResult,
    Manifest, Name, Pattern, Payload, Result,
};

/// How many handlers are kept as they were read.
const READ: usize = 64;

/// Runs handlers that are data; see the [module](crate::script).
pub struct Scripts {
    id: Name,
    patterns: Vec<Name>,
    own: Vec<HandlerInstall>,
    runner: Runner,
    read: Mutex<VecDeque<([u8; 32], Arc<AST>)>>,
}

impl Default for Scripts {
    fn default() -> Self {
        Self::new()
    }
}

impl Scripts {
    /// For the types of the application's own handlers alone ([`Scripts::with_handler`]).
    #[must_use]
    pub fn new() -> Self {
        Self {
            id: Name::literal("scripts"),
            patterns: Vec::new(),
            own: Vec::new(),
            runner: Runner::new(),
            read: Mutex::default(),
        }
    }

    /// For event types that match one of these patterns: users may install handlers for them.
    #[must_use]
    pub fn for_types<N: Into<Name>>(patterns: impl IntoIterator<Item = N>) -> Self {
        Self { patterns: patterns.into_iter().map(Into::into).collect(), ..Self::new() }
    }

    /// Sets the driver's id, `scripts` when nothing is said.
    #[must_use]
    pub fn id(mut self, id: impl Into<Name>) -> Self {
        self.id = id.into();
        self
    }

    /// A handler of the application, for all users. It is checked when the processor starts, and no user can replace it.
    #[must_use]
    pub fn with_handler(
        mut self,
        id: impl Into<String>,
        event_type: impl Into<String>,
        code: impl Into<String>,
    ) -> Self {
        self.own.push(HandlerInstall { id: id.into(), event_type: event_type.into(), code: code.into() });
        self
    }

    fn covers(&self, event_type: &str) -> bool {
        let pattern = |text: &Name| Pattern::new(text.clone()).is_ok_and(|one| one.matches(event_type));
        self.patterns.iter().any(pattern)
    }

    fn own_for(&self, event_type: &str) -> Option<&HandlerInstall> {
        self.own.iter().find(|form| form.event_type == event_type)
    }

    /// Checks a handler's id, type and code.
    fn checked(&self, form: &HandlerInstall) -> Result<Arc<AST>> {
        let HandlerInstall { id, event_type, code } = form;
        let is_plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-');
        if id.is_empty() || id.len() > 128 || !id.chars().all(is_plain) {
            return Err(Error::invalid(format!(
                "a handler's id is made of letters, digits, `_` and `-`, at most 128; this is {id:?}"
            )));
        }
        let place = |what: String| Error::invalid(format!("handler {id:?}: {what}"));
        vextir::check_type(event_type).map_err(|error| place(error.message().to_owned()))?;
        if event_type.starts_with("handler.") {
            return Err(place("events that install handlers are not handled by handlers".to_owned()));
        }
        self.compiled(code).map_err(|fault| place(fault.to_string()))
    }

    /// The code as it was read before, or now.
    fn compiled(&self, code: &str) -> Result<Arc<AST>, Fault> {
        let hash: [u8; 32] = Sha256::digest(code.as_bytes()).into();
        let known = |read: &VecDeque<([u8; 32], Arc<AST>)>| {
            read.iter().find(|(of, _)| *of == hash).map(|(_, tree)| tree.clone())
        };
        if let Some(tree) = known(&self.read.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(tree);
        }
        let tree = Arc::new(self.runner.compile(code)?);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.truncate(READ - 1);
        read.push_front((hash, tree.clone()));
        Ok(tree)
    }

    async fn install(&self, form: HandlerInstall, cx: &Ctx) -> Result<Event> {
        let HandlerInstall { id, event_type, .. } = &form;
        if cx.event().labels.iter().any(|label| *label == "untrusted") {
            let message = format!("handler {id:?}: what is labelled untrusted installs no handler");
            return Err(Error::new(ErrorKind::Denied, message));
        }
        self.checked(&form)?;
        if let Some(own) = self.own.iter().find(|own| own.id == *id || own.event_type == *event_type) {
            let message = format!(
                "handler {id:?}: the application has the handler {:?} for {}",
                own.id, own.event_type
            );
            return Err(Error::invalid(message));
        }
        if !self.covers(event_type) {
            let list = self.patterns.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
            let list = if list.is_empty() { "nothing".to_owned() } else { list };
            return Err(Error::invalid(format!(
                "handler {id:?}: handlers may be installed for {list}; not for {event_type}"
            )));
        }
        store::put(&cx.context(), &form, &cx.event().labels).await?;
        Event::of(&HandlerInstalled { id: form.id, event_type: form.event_type })
    }

    async fn remove(&self, ask: HandlerRemove, cx: &Ctx) -> Result<Event> {
        if !store::remove(&cx.context(), &ask.id).await? {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no handler {:?}", ask.id)));
        }
        Event::of(&HandlerRemoved { id: ask.id })
    }

    async fn list(&self, cx: &Ctx) -> Result<Event> {
        let own = |form: &HandlerInstall| HandlerItem {
            id: form.id.clone(),
            event_type: form.event_type.clone(),
            builtin: true,
        };
        let mut handlers: Vec<_> = self.own.iter().map(own).collect();
        handlers.extend(store::list(&cx.context()).await?);
        Event::of(&HandlerItems { handlers })
    }

    /// Runs the handler of the event's type, if there is one.
    async fn act(&self, event: &Event, cx: &Ctx) -> HandlerResult {
        let documents = cx.context();
        let found = match self.own_for(&event.event_type) {
            Some(own) => Some(Found { form: own.clone(), labels: BTreeSet::new() }),
            None if self.patterns.is_empty() => None,
            None => match store::find_for(&documents, &event.event_type).await {
                // Without documents nothing can be installed.
                Err(error) if error.kind() == ErrorKind::Unsupported => None,
                found => found?,
            },
        };
        let Some(Found { form, labels }) = found else { return Ok(Vec::new()) };
        let failed = |fault: Fault| {
            let text = format!("handler {:?}: {fault}", form.id);
            if fault.may_pass { Failure::transient(text) } else { Failure::permanent(text) }
        };
        let code = self.compiled(&form.code).map_err(failed)?;
        let mut outcome = self.runner.run(code, told(event), &documents).await.map_err(failed)?;
        outcome.labels.extend(labels);
        carry_out(&form.id, outcome, cx).await
    }
}

/// The event as the code sees it.
fn told(event: &Event) -> Value {
    json!({
        "id": event.id.to_string(),
        "type": event.event_type.as_str(),
        "category": event.category.as_str(),
        "timestamp": event.timestamp.to_string(),
        "user_id": event.user_id.as_str(),
        "source": event.source.as_str(),
        "data": event.data.value(),
        "correlation_id": event.correlation_id.as_ref().map(ToString::to_string),
        "labels": event.labels.iter().map(Name::as_str).collect::<Vec<_>>(),
    })
}

async fn carry_out(handler: &str, outcome: Outcome, cx: &Ctx) -> HandlerResult {
    let Outcome { effects: Effects { events, writes, lines, .. }, labels } = outcome;
    let documents = cx.context();
    let carried: BTreeSet<Name> = cx.event().labels.iter().chain(&labels).cloned().collect();
    for (path, value) in writes {
        let content = match value {
            Value::String(text) => Content::Text(text),
            value => Content::Json(value),
        };
        let writing = if carried.is_empty() {
            documents.write(&path, content)
        } else {
            let there = documents.read(&path).await?;
            let metadata = there.map_or_else(|| json!({}), |document| document.metadata);
            documents.write(&path, content).metadata(crate::labels::added(metadata, &carried))
        };
        writing.await.map_err(|error| error.context(format!("handler {handler:?}: write {path:?}")))?;
    }
    for line in lines {
        cx.signal("log", json!({"handler": handler, "text": line}));
    }
    let made = |(event_type, data): (String, Value)| {
        let event = Event::new(event_type).with_data(data);
        labels.iter().fold(event, |event, label| event.with_label(label.clone()))
    };
    Ok(events.into_iter().map(made).collect())
}

#[async_trait]
impl Driver for Scripts {
    fn manifest(&self) -> Manifest {
        let writes = |capability: Capability| capability.effect(Effect::WritesContext);
        let types: BTreeMap<&str, ()> = (self.patterns.iter().map(Name::as_str))
            .chain(
                self.own
                    .iter()
                    .map(|form| form.event_type.as_str())
                    .filter(|event_type| !self.covers(event_type)),
            )
            .map(|event_type| (event_type, ()))
            .collect();
        let manifest = Manifest::new(self.id.clone())
            .with_name("Scripts")
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_description("Runs handlers that are data, in a sandbox.")
            .can(writes(Capability::of::<HandlerInstall>()).returns::<HandlerInstalled>())
            .can(writes(Capability::of::<HandlerRemove>()).returns::<HandlerRemoved>())
            .can(Capability::of::<HandlerList>().effect(Effect::Reads).returns::<HandlerItems>());
        types
            .into_keys()
            .fold(manifest, |manifest, pattern| manifest.can(writes(Capability::new(pattern.to_owned()))))
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        let answer = match event.event_type.as_str() {
            HandlerInstall::TYPE => self.install(event.decode()?, cx).await?,
            HandlerRemove::TYPE => self.remove(event.decode()?, cx).await?,
            HandlerList::TYPE => self.list(cx).await?,
            _ => return self.act(&event, cx).await,
        };
        Ok(vec![answer])
    }

    fn check(&self, event: &Event) -> Result<()> {
        match event.event_type.as_str() {
            HandlerInstall::TYPE => event.decode::<HandlerInstall>().map(drop),
            HandlerRemove::TYPE => event.decode::<HandlerRemove>().map(drop),
            HandlerList::TYPE => event.decode::<HandlerList>().map(drop),
            _ => Ok(()),
        }
    }

    async fn start(&self, _emitter: Emitter) -> Result<()> {
        for (index, form) in self.own.iter().enumerate() {
            self.checked(form)?;
            let earlier = &self.own[..index];
            if earlier.iter().any(|other| other.id == form.id || other.event_type == form.event_type) {
                let HandlerInstall { id, event_type, .. } = form;
                let message = format!("handler {id:?}: its id or its type {event_type} is given twice");
                return Err(Error::invalid(message));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripts")
            .field("id", &self.id)
            .field("patterns", &self.patterns)
            .finish_non_exhaustive()
    }
}
