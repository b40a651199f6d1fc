//! The driver: what the application allows, and who answers what.

use super::fetch::{Request, is_safe};
use super::guard::{Guard, Resolver, plain};
use super::payload::{HttpFetch, HttpFetched, WebResults, WebSearch};
use super::search::Service;
use crate::secret::SecretRef;
use async_trait::async_trait;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use vextir::{
    Capability, Ctx, Driver, Emitter, Error, ErrorKind, Event, Failure, HandlerResult, IntoEvent, Manifest,
    Name, Payload, Result,
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
}

/// Made once: one for what handlers ask for, one for the application's own service.
#[derive(Debug, Clone)]
struct Clients {
    fetch: Client,
    search: Client,
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

    /// Allows a host, and that it is on this machine or in its network.
    #[must_use]
    pub fn allow_private(self, host: impl AsRef<str>) -> Self {
        self.guarded(|guard| guard.inside.push(plain(host.as_ref())))
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
        let guarded = || self.builder().dns_resolver(Arc::new(Resolver(self.guard.clone())));
        let clients = Clients { fetch: build(guarded)?, search: build(|| self.builder())? };
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
        let repeats = is_safe(&request.method);
        let client = self.clients()?.fetch;
        let answer = self.within(request.send(&client, &self.guard, most)).await;
        match answer {
            Ok(fetched) => untrusted(fetched),
            Err(error) if !repeats => Err(Failure::permanent(error).into()),
            Err(error) => Err(error.into()),
        }
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
        if self.service.is_none() {
            return manifest;
        }
        let search = Capability::of::<WebSearch>().describe("Search the web.").returns::<WebResults>();
        manifest.can(search)
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        match event.event_type.as_str() {
            WebSearch::TYPE => self.ask(event.decode()?).await,
            _ => self.fetch(event.decode()?, cx).await,
        }
    }

    fn check(&self, event: &Event) -> Result<()> {
        match event.event_type.as_str() {
            WebSearch::TYPE => event.decode::<WebSearch>().map(drop),
            _ => event.decode::<HttpFetch>().map(drop),
        }
    }

    async fn start(&self, _emitter: Emitter) -> Result<()> {
        self.service.as_ref().map_or(Ok(()), |service| service.url().map(drop))
    }
}
