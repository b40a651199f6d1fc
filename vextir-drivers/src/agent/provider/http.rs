//! One call of a model over HTTP. Everything has a bound: the connection, the first byte, the pause between two, the whole, and
//! how much is read.

use super::complaint::Complaint;
use super::draft::{Draft, malformed};
use super::frames::{Frames, Framing};
use super::{Fault, Form};
use crate::agent::registry::{ModelSpec, Provider, check_endpoint};
use crate::agent::{Model, ModelError, ModelErrorClass, ModelReply, ModelRequest, Tokens};
use crate::secret::Secret;
use crate::service::{innermost, is_local, pause};
use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};
use std::fmt;
use std::time::{Duration, SystemTime};
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a service may say nothing, at least: some think long before they begin, and in between.
const SILENCE: Duration = Duration::from_secs(60);
/// How much is read of what a service says about a failure.
const MOST_COMPLAINT: usize = 16 << 10;
/// The version of Anthropic's interface.
const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// A model of a provider.
pub(crate) struct Service {
    spec: ModelSpec,
    /// What the provider calls it.
    model: String,
    /// Made with the first call, in the runtime that its connections live on.
    client: OnceCell<(Client, Url)>,
}

impl Service {
    pub(crate) fn new(name: &str, spec: ModelSpec) -> Self {
        let model = if spec.model.is_empty() { name.to_owned() } else { spec.model.clone() };
        Self { spec, model, client: OnceCell::new() }
    }

    fn form(&self) -> Form {
        Form(self.spec.provider)
    }

    /// The client and the address of the calls.
    async fn client(&self) -> Result<&(Client, Url), ModelError> {
        self.client.get_or_try_init(async || self.connect()).await
    }

    fn connect(&self) -> Result<(Client, Url), ModelError> {
        let wrong = |message: String| ModelError::new(ModelErrorClass::UnknownModel, message);
        let mut url = check_endpoint(&self.spec.endpoint).map_err(|error| wrong(error.to_string()))?;
        let path =
            format!("{}/{}", url.path().trim_end_matches('/'), self.form().path(&self.spec, &self.model));
        url.set_path(&path);
        if self.spec.provider == Provider::Gemini && self.spec.stream {
            url.set_query(Some("alt=sse"));
        }
        let (is_near, is_plain) = (is_local(&url), url.scheme() == "http");
        if self.spec.key.is_some() && is_plain && !is_near {
            tracing::warn!(%url, "the key is sent unencrypted; use https if the service can");
        }
        let mut client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("vextir/", env!("CARGO_PKG_VERSION")));
        if is_near {
            client = client.no_proxy();
        }
        if is_plain {
            // A machine without certificates can still speak to its own model.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| wrong(format!("no client ({})", innermost(&error))))?;
        Ok((client, url))
    }

    /// The key, if it has one.
    async fn key(&self) -> Result<Option<Secret>, ModelError> {
        let Some(place) = &self.spec.key else { return Ok(None) };
        let missing =
            |error: vextir::Error| ModelError::new(ModelErrorClass::Unauthorized, error.to_string());
        place.resolve().await.map(Some).map_err(missing)
    }

    fn signed(&self, asking: RequestBuilder, key: Option<&Secret>) -> Result<RequestBuilder, ModelError> {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let (name, before) = self.form().key_header();
            let mut value = HeaderValue::from_str(&format!("{before}{}", key.expose())).map_err(|_| {
                ModelError::new(ModelErrorClass::Unauthorized, "the key has signs that a header cannot carry")
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        if self.spec.provider == Provider::Anthropic {
            headers.insert(VERSION.0, HeaderValue::from_static(VERSION.1));
        }
        Ok(asking.headers(headers))
    }

    /// How long it may say nothing. All of the time, where it answers at once or not at all.
    fn silence(&self) -> Duration {
        let whole = self.spec.timeout;
        if self.spec.stream { SILENCE.max(whole / 2).min(whole) } else { whole }
    }

    /// One call; what has come of the answer stands in the draft, however it ends.
    async fn exchange(
        &self,
        draft: &mut Draft,
        request: &ModelRequest,
        tokens: &Tokens<'_>,
    ) -> Result<(), ModelError> {
        let (client, url) = self.client().await?;
        let address = Address(url);
        let body = self.form().encode(&self.spec, &self.model, request)?.to_string();
        let key = self.key().await?;
        let asking = client.post(url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let asking = self.signed(asking, key.as_ref())?;
        let silence = self.silence();
        let sent = timeout(silence, asking.send()).await.map_err(|_| address.late("nothing", silence))?;
        let response = sent.map_err(|error| address.broken(&error))?;
        let tell = |complaint: Complaint| {
            complaint.into_error(&address.to_string(), key.as_ref().map(Secret::expose), request)
        };
        if !response.status().is_success() {
            return Err(tell(complaint(response).await));
        }
        let reading =
            Reading { form: self.form(), address: &address, silence, largest: self.spec.largest_answer };
        reading.run(response, draft, tokens).await.map_err(|fault| match fault {
            Fault::Json(true) => address.cut(),
            Fault::Json(false) => malformed("a part of the answer is no JSON"),
            Fault::Complaint(complaint) => tell(complaint),
            Fault::Wrong(error) => error,
        })
    }
}

#[async_trait]
impl Model for Service {
    async fn complete(&self, request: &ModelRequest, tokens: &Tokens<'_>) -> Result<ModelReply, ModelError> {
        let mut draft = Draft::default();
        let whole = self.spec.timeout;
        let done = timeout(whole, self.exchange(&mut draft, request, tokens)).await;
        let done = done.unwrap_or_else(|_| {
            let message = format!("no whole answer within {whole:?}: see the model's `timeout`");
            Err(ModelError::new(ModelErrorClass::Network, message))
        });
        match done {
            Ok(()) => self.form().finish(draft, request),
            Err(error) => Err(match draft.used(request) {
                Some(usage) => error.used(usage),
                None => error,
            }),
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("model", &self.model)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

/// Reads an answer.
struct Reading<'a> {
    form: Form,
    address: &'a Address<'a>,
    silence: Duration,
    largest: usize,
}

impl Reading<'_> {
    async fn run(&self, mut response: Response, draft: &mut Draft, tokens: &Tokens<'_>) -> Result<(), Fault> {
        let kind =
            response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let framing = Framing::of(kind, self.form.0 == Provider::Ollama).ok_or_else(|| {
            let kind: String = kind.chars().take(60).collect();
            Fault::Wrong(malformed(&format!(
                "{}: an answer of the type {kind:?}; is the endpoint right?",
                self.address
            )))
        })?;
        let is_whole = framing == Framing::Whole;
        let mut frames = Frames::new(framing);
        let (mut read, mut parts) = (0, Vec::new());
        loop {
            let chunk = timeout(self.silence, response.chunk()).await;
            let chunk = chunk.map_err(|_| Fault::Wrong(self.address.late("nothing more", self.silence)))?;
            let Some(chunk) = chunk.map_err(|_| Fault::Wrong(self.address.cut()))? else { break };
            read += chunk.len();
            if read > self.largest {
                let message = format!("{}: an answer of more than {} bytes", self.address, self.largest);
                return Err(Fault::Wrong(malformed(&message)));
            }
            frames.push(&chunk, &mut parts);
            for part in parts.drain(..) {
                self.form.take(draft, &part, is_whole, tokens)?;
            }
            if draft.is_over {
                return Ok(());
            }
        }
        frames.end().iter().try_for_each(|part| self.form.take(draft, part, is_whole, tokens))
    }
}

/// What a service says about a failure: the status is worth something alone.
async fn complaint(mut response: Response) -> Complaint {
    let status = response.status().as_u16();
    let asked = asked_pause(response.headers());
    let mut said = Vec::new();
    while let Ok(Ok(Some(chunk))) = timeout(CONNECT, response.chunk()).await {
        let room = MOST_COMPLAINT - said.len();
        said.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if said.len() == MOST_COMPLAINT {
            break;
        }
    }
    let mut complaint = Complaint::read(status, &said);
    complaint.pause = asked.or(complaint.pause);
    complaint
}

/// How long a service wants to be left alone: seconds, a date, or milliseconds, as OpenAI says it.
fn asked_pause(headers: &HeaderMap) -> Option<Duration> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let millis = headers.get("retry-after-ms").and_then(text).and_then(|text| text.trim().parse().ok());
    let after = || pause(&headers.get(RETRY_AFTER).and_then(text)?, SystemTime::now());
    millis.map(Duration::from_millis).or_else(after)
}

/// Where requests go, as errors say it.
struct Address<'a>(&'a Url);

impl Address<'_> {
    fn late(&self, what: &str, span: Duration) -> ModelError {
        ModelError::new(ModelErrorClass::Network, format!("{self}: {what} came for {span:?}"))
    }

    fn cut(&self) -> ModelError {
        ModelError::new(ModelErrorClass::Network, format!("{self}: the answer broke off"))
    }

    fn broken(&self, error: &reqwest::Error) -> ModelError {
        let message = if error.is_connect() || error.is_timeout() {
            let why = innermost(error);
            format!("{self}: no connection ({why}): does the service run, and is the endpoint right?")
        } else {
            format!("{self}: the connection broke off")
        };
        ModelError::new(ModelErrorClass::Network, message)
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "POST {}", self.0)
    }
}
