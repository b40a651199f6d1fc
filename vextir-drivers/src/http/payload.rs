//! What the driver is asked, and what it answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vextir::Payload;

/// Fetch a page or call an API, and read the answer as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "http.fetch")]
pub struct HttpFetch {
    /// The address, `http` or `https`.
    pub url: String,
    /// `GET` by default; others as the application allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Further headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// What is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Read at most so many bytes; what the application allows by default and at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<usize>,
}

impl HttpFetch {
    /// Asks for an address.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self { url: url.into(), method: None, headers: BTreeMap::new(), body: None, max_bytes: None }
    }
}

/// What was fetched. It is labelled `untrusted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "http.fetched", category = "output")]
pub struct HttpFetched {
    /// Where it was, after redirects.
    pub url: String,
    /// The status, 200 for example.
    pub status: u16,
    /// What it is, as the server says; empty if it says nothing.
    pub content_type: String,
    /// The text; empty if it is none.
    pub text: String,
    /// There was more.
    #[serde(default)]
    pub truncated: bool,
    /// It is no text.
    #[serde(default)]
    pub binary: bool,
}

/// Search the web.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "web.search")]
pub struct WebSearch {
    /// What is searched for.
    pub query: String,
    /// At most so many results; 10 by default, at most 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
}

/// What the web has. It is labelled `untrusted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "web.results", category = "output")]
pub struct WebResults {
    /// What was searched for.
    pub query: String,
    /// The best first.
    pub results: Vec<WebResult>,
}

/// One page that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebResult {
    /// Its title.
    pub title: String,
    /// Its address.
    pub url: String,
    /// A part of its text.
    pub snippet: String,
}
