//! Search services that speak as SearXNG does.

use super::fetch::failed;
use super::payload::{WebResult, WebResults, WebSearch};
use crate::secret::SecretRef;
use reqwest::Client;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;
use vextir::{Error, ErrorKind, Result};

/// The most that is read of an answer.
const MOST_BYTES: usize = 2 << 20;
/// The most results.
const MOST: usize = 20;

/// Where the service is.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) endpoint: String,
    /// The header with the key.
    pub(super) key: Option<(String, SecretRef)>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    results: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    title: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    content: Option<String>,
}

impl Service {
    pub(super) fn url(&self) -> Result<Url> {
        let text = format!("{}/search", self.endpoint.trim_end_matches('/'));
        let url =
            Url::parse(&text).map_err(|error| Error::invalid(format!("the search service: {error}")))?;
        let is_web = matches!(url.scheme(), "http" | "https");
        is_web
            .then_some(url)
            .ok_or_else(|| Error::invalid("the search service: only http and https are spoken"))
    }

    pub(super) async fn search(&self, client: &Client, ask: WebSearch) -> Result<WebResults> {
        let mut url = self.url()?;
        url.query_pairs_mut().append_pair("q", &ask.query).append_pair("format", "json");
        let mut request = client.get(url.clone());
        if let Some((name, key)) = &self.key {
            let bad = || Error::invalid("the key of the search service cannot be sent in a header");
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(key.resolve().await?.expose()).map_err(|_| bad())?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let mut response = request.send().await.map_err(|error| failed(&url, &error))?;
        let status = response.status();
        if !status.is_success() {
            let passes = status.is_server_error() || status.as_u16() == 429;
            let kind = if passes { ErrorKind::Unavailable } else { ErrorKind::Denied };
            return Err(Error::new(kind, format!("the search service answers {status}")));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&url, &error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MOST_BYTES {
                return Err(Error::new(ErrorKind::Unsupported, "the search service answers more than 2 MiB"));
            }
        }
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(ErrorKind::Unsupported, format!("the search service answers no such JSON: {error}"))
        })?;
        let most = ask.count.unwrap_or(10).min(MOST);
        let results = answer.results.into_iter().take(most).map(|found| WebResult {
            title: cut(&found.title, 300),
            url: cut(&found.url, 2_000),
            snippet: cut(&found.content.unwrap_or_default(), 1_000),
        });
        Ok(WebResults { query: ask.query, results: results.collect() })
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
