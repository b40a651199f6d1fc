//! The driver: what the application allows, and who answers what.

use super::fetch::{Request, is_safe};
use super::guard::{Door, Guard, Reach, Resolver, plain};
use super::payload::{HttpFetch, HttpFetched, WebResults, WebSearch};
use super::search::Service;
use crate::note::{Notes, task_of};
use crate::secret::SecretRef;
use async_trait::async_trait;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use vextir::{
    Capability, Ctx, DeliveryFailed, Driver, Effect, Emitter, Error, ErrorKind, Event, Failure,
    HandlerResult, IntoEvent, Manifest, Name, Payload, Result,
};

/// The most bytes that the application can allow for one answer: it has to fit into an event.
const LARGEST: usize = 512 << 10;

/// Asks the web; see the [module](crate::http) for what it promises.
#[derive(Debug, Clone)]
pub struct HttpTools {
    id: Name,
    guard: Arc<Guard>,
    methods: Vec<String>,
    timeout: Duration,
    max_bytes: usize,
    service: Option<Service>,
    clients: Arc<std::sync::Mutex<Option<Clients>>>,
    /// What was sent and asks for more than an answer.
    notes: Arc<Notes>,
}

/// Made once: two for what handlers ask for, one for the application's own service.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    outside: Client,
    inside: Client,
    search: Client,
}

impl Clients {
    pub(super) fn for_reach(&self, reach: Reach) -> &Client {
        match reach {
            Reach::Outside => &self.outside,
            Reach::Inside => &self.inside,
        }
    }
}

impl Default for HttpTools {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpTools {
    /// Nothing is allowed yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            id: Name::literal("http"),
            guard: Arc::default(),
            methods: Vec::new(),
            timeout: Duration::from_secs(20),
            max_bytes: 256 << 10,
            service: None,
            clients: Arc::default(),
            notes: Arc::default(),
        }
    }

    fn guarded(mut self, change: impl FnOnce(&mut Guard)) -> Self {
        change(Arc::make_mut(&mut self.guard));
        self
    }

    /// Sets the driver's id, `http` when nothing is said.
    #[must_use]
    pub fn id(mut self, id: impl Into<Name>) -> Self {
        self.id = id.into();
        self
    }

    /// Allows a host: `api.example.com`, `*.example.com` for all below, `*` for every one that is public.
    #[must_use]
    pub fn allow(self, host: impl AsRef<str>) -> Self {
        self.guarded(|guard| guard.hosts.push(plain(host.as_ref())))
    }

    /// Allows a host, and that it is on this machine or in its network: `localhost:8080` with one port, `localhost:*` with all,
    /// `localhost` with those of `http` and `https`, 80 and 443. No redirect from elsewhere leads to it.
    #[must_use]
    pub fn allow_private(self, host: impl AsRef<str>) -> Self {
        self.guarded(|guard| guard.inside.push(Door::new(host.as_ref())))
    }

    /// Says at which addresses a host is, instead of the system. They are checked all the same.
    #[must_use]
    pub fn resolve(self, host: impl AsRef<str>, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.guarded(|guard| {
            guard.known.insert(plain(host.as_ref()), addresses.into_iter().collect());
        })
    }

    /// Allows methods beside `GET`: `POST`, for example.
    #[must_use]
    pub fn with_methods<M: AsRef<str>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        self.methods.extend(methods.into_iter().map(|method| method.as_ref().to_ascii_uppercase()));
        self
    }

    /// How long a fetch may take, with all redirects; 20 seconds when nothing is said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How much is read of an answer; 256 KiB when nothing is said, at most 512 KiB.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes.min(LARGEST);
        self
    }

    /// Where the search service is: the address in front of `/search`. It may be inside.
    #[must_use]
    pub fn search(mut self, endpoint: impl Into<String>) -> Self {
        self.service = Some(Service { endpoint: endpoint.into(), key: None });
        self
    }

    /// The key of the search service that was named before, and the header in which it is sent.
    #[must_use]
    pub fn search_key(mut self, header: impl Into<String>, key: SecretRef) -> Self {
        if let Some(service) = &mut self.service {
            service.key = Some((header.into(), key));
        }
        self
    }

    fn clients(&self) -> Result<Clients> {
        let mut made = self.clients.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(clients) = &*made {
            return Ok(clients.clone());
        }
        let guarded =
            |reach| build(|| self.builder().dns_resolver(Arc::new(Resolver(self.guard.clone(), reach))));
        let clients = Clients {
            outside: guarded(Reach::Outside)?,
            inside: guarded(Reach::Inside)?,
            search: build(|| self.builder())?,
        };
        Ok(made.insert(clients).clone())
    }

    fn builder(&self) -> ClientBuilder {
        Client::builder()
            .redirect(Policy::none())
            // A proxy would look hosts up for itself.
            .no_proxy()
            .timeout(self.timeout)
            .user_agent(concat!("vextir/", env!("CARGO_PKG_VERSION")))
    }

    async fn fetch(&self, ask: HttpFetch, cx: &Ctx) -> HandlerResult {
        let most = ask.max_bytes.unwrap_or(self.max_bytes).min(self.max_bytes);
        let request = Request::new(ask, &self.guard, &self.methods, cx.idempotency_key())?;
        let clients = self.clients()?;
        if is_safe(&request.method) {
            return untrusted(self.within(request.send(&clients, &self.guard, most)).await?);
        }
        let (user, task) = (cx.user(), task_of(&cx.event().id));
        if self.notes.has_begun(user, &task).await? {
            let message = format!(
                "{} was sent before, and it is not known whether it was done; it is not sent again",
                request.method
            );
            return Err(Failure::permanent(Error::new(ErrorKind::Failed, message)).into());
        }
        self.notes.note(user, &task, json!({}).into()).await?;
        // From here on it may be done, and is not sent again.
        let answer = self.within(request.send(&clients, &self.guard, most)).await;
        untrusted(answer.map_err(Failure::permanent)?)
    }

    /// What is settled does not come again.
    async fn forget(&self, event: &Event, cx: &Ctx) -> HandlerResult {
        let asked = match event.event_type.as_str() {
            DeliveryFailed::TYPE => Some(event.decode::<DeliveryFailed>()?.event_id),
            _ => event.correlation_id.clone().filter(|_| event.source == self.id),
        };
        if let Some(task) = asked.as_ref().map(task_of)
            // Of most there is none.
            && self.notes.has_begun(cx.user(), &task).await?
        {
            self.notes.forget(cx.user(), &task).await?;
        }
        Ok(Vec::new())
    }

    async fn ask(&self, ask: WebSearch) -> HandlerResult {
        let none = || Error::new(ErrorKind::Unsupported, "the application names no search service");
        let service = self.service.as_ref().ok_or_else(none)?;
        let client = self.clients()?.search;
        untrusted(self.within(service.search(&client, ask)).await?)
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let late = |_| Error::new(ErrorKind::Timeout, format!("it took longer than {:?}", self.timeout));
        tokio::time::timeout(self.timeout, work).await.map_err(late)?
    }
}

/// A machine without certificates can still speak `http`.
fn build(begin: impl Fn() -> ClientBuilder) -> Result<Client> {
    let built = begin().build().or_else(|_| begin().tls_certs_only([]).build());
    built.map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("no client: {}", super::fetch::innermost(&error)))
    })
}

fn untrusted<P: Payload>(payload: P) -> HandlerResult {
    Ok(vec![payload.into_event()?.with_label("untrusted")])
}

#[async_trait]
impl Driver for HttpTools {
    fn manifest(&self) -> Manifest {
        let fetch = Capability::of::<HttpFetch>()
            .describe("Fetch a page or call an API, and read the answer as text.")
            .returns::<HttpFetched>();
        let manifest = Manifest::new(self.id.clone())
            .with_name("HTTP")
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_description("Asks the web.")
            .with_timeout(self.timeout + Duration::from_secs(10))
            .can(fetch);
        let manifest = if self.methods.is_empty() {
            manifest
        } else {
            let answered = Capability::of::<HttpFetched>().describe("Forget that something was sent.");
            manifest
                .can(answered.effect(Effect::Reads))
                .can(Capability::of::<DeliveryFailed>().effect(Effect::Reads))
        };
        if self.service.is_none() {
            return manifest;
        }
        let search = Capability::of::<WebSearch>().describe("Search the web.").returns::<WebResults>();
        manifest.can(search)
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        match event.event_type.as_str() {
            WebSearch::TYPE => self.ask(event.decode()?).await,
            HttpFetched::TYPE | DeliveryFailed::TYPE => self.forget(&event, cx).await,
            _ => self.fetch(event.decode()?, cx).await,
        }
    }

    fn check(&self, event: &Event) -> Result<()> {
        match event.event_type.as_str() {
            WebSearch::TYPE => event.decode::<WebSearch>().map(drop),
            HttpFetch::TYPE => event.decode::<HttpFetch>().map(drop),
            _ => Ok(()),
        }
    }

    async fn start(&self, emitter: Emitter) -> Result<()> {
        if let Some(service) = &self.service {
            service.url()?;
        }
        self.notes.begin(emitter, |_| ()).await
    }
}
