//! One request to the service.

use super::answer::{self, Fault};
use super::builder::DIMENSIONS;
use super::failure::{Failure, known_code, refused};
use crate::service::{innermost, is_local, pause};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use serde::Serialize;
use std::fmt;
use std::time::{Duration, SystemTime};
use vextir::{Error, ErrorKind, Result};

/// How much is read of what a service says about a failure.
const MAX_COMPLAINT: usize = 16 << 10;

/// A key, which nobody gets to see.
#[derive(Clone)]
pub(super) struct Key(String);

impl Key {
    pub(super) fn new(key: String) -> Self {
        Self(key.trim().to_owned())
    }

    fn header(&self) -> Result<HeaderValue> {
        if self.0.is_empty() {
            return Err(Error::invalid("the key is empty; leave `.key(..)` out where none is needed"));
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {}", self.0))
            .map_err(|_| Error::invalid("the key has signs that a header cannot carry"))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Where requests go, and with what. Its `Display` is the address.
#[derive(Debug, Clone)]
pub(super) struct Service {
    url: Url,
    address: String,
    model: String,
    key: Option<HeaderValue>,
    shortened: Option<usize>,
    client: Client,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

impl Service {
    pub(super) fn new(
        base: &str,
        model: &str,
        key: Option<&Key>,
        shortened: Option<usize>,
        timeout: Duration,
    ) -> Result<Self> {
        let url = url(base)?;
        let is_local = is_local(&url);
        let address = format!("POST {url}");
        let key = key.map(Key::header).transpose()?;
        if key.is_some() && url.scheme() == "http" && !is_local {
            tracing::warn!(%url, "the key is sent unencrypted; use https if the service can");
        }
        let mut client = Client::builder()
            .redirect(Policy::none())
            .timeout(timeout)
            // Who does not even let us in is away; who lets us in and is slow may be so because of the texts.
            .connect_timeout(timeout / 2)
            .user_agent(concat!("vextir/", env!("CARGO_PKG_VERSION")));
        if is_local {
            client = client.no_proxy();
        }
        if url.scheme() == "http" {
            // A machine without certificates can still speak to its own model.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| {
            Error::new(ErrorKind::Unavailable, format!("{address}: no client ({})", innermost(&error)))
        })?;
        Ok(Self { url, address, model: model.to_owned(), key, shortened, client })
    }

    /// One vector for each text, in order.
    pub(super) async fn post(
        &self,
        texts: &[&str],
        dimensions: Option<usize>,
    ) -> Result<Vec<Vec<f32>>, Failure> {
        let request = Request { model: &self.model, input: texts, dimensions: self.shortened };
        let body = serde_json::to_vec(&request)
            .map_err(|_| Failure::never(ErrorKind::Invalid, format!("{self}: texts that are no JSON")))?;
        let mut request =
            self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.clone());
        }
        let mut response = request.send().await.map_err(|error| self.broken(&error))?;
        let status = response.status();
        if !status.is_success() {
            let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let asked = asked.and_then(|asked| pause(asked, SystemTime::now()));
            // What is said about a failure is worth nothing by itself: the status is.
            let said = self.read(&mut response, MAX_COMPLAINT).await.unwrap_or_default();
            return Err(refused(&self.address, status.as_u16(), known_code(&said), asked));
        }
        let limit = answer::limit(texts.len(), dimensions.unwrap_or(*DIMENSIONS.end()));
        let body = self.read(&mut response, limit).await?;
        answer::read(&body, texts.len(), dimensions).map_err(|fault| self.wrong(fault))
    }

    async fn read(&self, response: &mut Response, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            if body.len() + chunk.len() > limit {
                let message =
                    format!("{self}: an answer of more than {limit} bytes: see the address and the model");
                return Err(Failure::never(ErrorKind::Unsupported, message));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn wrong(&self, fault: Fault) -> Failure {
        match fault {
            Fault::Cut => Failure::soon(ErrorKind::Unavailable, format!("{self}: the answer broke off")),
            Fault::Text(why) => Failure::never(ErrorKind::Invalid, format!("{self}: {why}")),
            Fault::Foreign(why) => {
                let message = format!("{self}: {why}; is this an OpenAI-compatible service?");
                Failure::never(ErrorKind::Unsupported, message)
            }
        }
    }

    /// What became of a request without an answer, or with a part of one.
    fn broken(&self, error: &reqwest::Error) -> Failure {
        if error.is_connect() {
            let why = innermost(error);
            let message =
                format!("{self}: no connection ({why}): does the service run, and is the address right?");
            Failure::later(ErrorKind::Unavailable, message)
        } else if error.is_timeout() {
            let message =
                format!("{self}: no answer in time: see `.timeout(..)`, or send fewer texts together");
            Failure::soon(ErrorKind::Timeout, message)
        } else if error.is_builder() {
            Failure::never(ErrorKind::Invalid, format!("{self}: a request that cannot be sent"))
        } else {
            Failure::soon(ErrorKind::Unavailable, format!("{self}: the connection broke off"))
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// What is asked below a base. An address that may hold a secret is not repeated.
fn url(base: &str) -> Result<Url> {
    let wrong =
        |why: &str| Error::invalid(format!("the base address {why}, as in https://api.openai.com/v1"));
    let mut url = Url::parse(base.trim()).map_err(|error| wrong(&format!("is no URL ({error})")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a user or password; the key is given with `.key(..)`"));
    }
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong("begins with http:// or https:// and a host"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("ends with its path, without `?` and `#`"));
    }
    let path = format!("{}/embeddings", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn the_address_is_the_base_and_embeddings() {
        for base in ["https://x.test/v1", "https://x.test/v1/", " https://x.test/v1// "] {
            assert_eq!(url(base).unwrap().as_str(), "https://x.test/v1/embeddings");
        }
        assert_eq!(url("http://127.0.0.1:8080").unwrap().as_str(), "http://127.0.0.1:8080/embeddings");
    }

    #[test]
    fn an_address_that_cannot_be_is_refused_and_its_secret_is_not_repeated() {
        for base in [
            "",
            "x",
            "ftp://x.test",
            "file:///etc",
            "http://",
            "https://x/v1?key=secret",
            "https://x/v1#secret",
        ] {
            let error = url(base).unwrap_err().to_string();
            assert!(error.starts_with("the base address ") && !error.contains("secret"), "{base}: {error}");
        }
        let error = url("https://me:secret@x.test/v1").unwrap_err().to_string();
        assert!(error.contains(".key(") && !error.contains("secret"), "{error}");
    }
}
