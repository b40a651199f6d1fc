//! Where a server is, and the values that are handed to it.

use crate::secret::{Secret, SecretRef};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use vextir::{Error, Result};

/// Hosts that hold sources, and no servers.
const REPOSITORIES: [&str; 5] =
    ["github.com", "www.github.com", "gitlab.com", "bitbucket.org", "codeberg.org"];

/// A value that is handed to a server: a text, or where a secret is found. It is not shown by `Debug`: what people write
/// there is a token often enough.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct McpText(Value);

#[derive(Clone, PartialEq)]
enum Value {
    Plain(String),
    Secret(SecretRef),
}

impl McpText {
    /// The value, for the request that needs it.
    pub(in crate::mcp) async fn resolve(&self) -> Result<String> {
        match &self.0 {
            Value::Plain(text) => Ok(text.clone()),
            Value::Secret(place) => place.resolve().await.map(|secret: Secret| secret.expose().to_owned()),
        }
    }
}

impl From<String> for McpText {
    fn from(text: String) -> Self {
        let is_place = text.starts_with("env:") || text.starts_with("file:");
        Self(match text.parse() {
            Ok(place) if is_place => Value::Secret(place),
            _ => Value::Plain(text),
        })
    }
}

impl From<&str> for McpText {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<SecretRef> for McpText {
    fn from(place: SecretRef) -> Self {
        Self(Value::Secret(place))
    }
}

impl From<McpText> for String {
    fn from(text: McpText) -> Self {
        match text.0 {
            Value::Plain(text) => text,
            Value::Secret(place) => place.to_string(),
        }
    }
}

impl fmt::Debug for McpText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::Plain(_) => f.write_str("McpText(..)"),
            Value::Secret(place) => write!(f, "McpText({place})"),
        }
    }
}

/// Where a server is.
#[derive(Clone, PartialEq)]
pub(in crate::mcp) enum Place {
    Command { program: String, args: Vec<String>, env: BTreeMap<String, McpText>, folder: Option<PathBuf> },
    Url { url: String, headers: BTreeMap<String, McpText>, key: Option<SecretRef> },
}

impl Place {
    /// Checks what can be checked before anything is started.
    pub(in crate::mcp) fn check(&self) -> Result<()> {
        match self {
            Self::Command { program, .. } if program.trim().is_empty() => {
                Err(Error::invalid("`command` is empty; say which program is started"))
            }
            Self::Command { .. } => Ok(()),
            Self::Url { url, .. } => check_url(url),
        }
    }
}

/// Arguments and queries hold keys often enough: they are not shown.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { program, env, folder, .. } => {
                let mut shown = f.debug_struct("Command");
                shown.field("program", program).field("env", env).field("folder", folder);
                shown.finish_non_exhaustive()
            }
            Self::Url { url, headers, key } => {
                let mut shown = f.debug_struct("Url");
                shown.field("url", &without_query(url)).field("headers", headers).field("key", key).finish()
            }
        }
    }
}

/// A text without the queries of the URLs in it.
pub(in crate::mcp) fn without_query(text: &str) -> String {
    let bare = |word: &str| match word.split_once('?') {
        Some((before, query)) if before.contains("://") => {
            let end = if query.ends_with("):") {
                "):"
            } else if query.ends_with(')') {
                ")"
            } else {
                ""
            };
            format!("{before}{end}")
        }
        _ => word.to_owned(),
    };
    text.split(' ').map(bare).collect::<Vec<_>>().join(" ")
}

fn check_url(url: &str) -> Result<()> {
    let bare = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = bare.unwrap_or(url).split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(Error::invalid("`url` holds a password or a name; say `key` or `headers` instead"));
    }
    let shown = url.split('?').next().unwrap_or_default();
    if REPOSITORIES.contains(&authority.to_ascii_lowercase().as_str()) {
        return Err(Error::invalid(format!(
            "`{shown}` is a repository: install it and say `command`, or give the URL of a running server"
        )));
    }
    if bare.is_none() {
        return Err(Error::invalid(format!(
            "`{shown}` is no URL of a server: it begins with https:// (or http:// on this machine)"
        )));
    }
    if authority.is_empty() {
        return Err(Error::invalid(format!("`{shown}` names no host")));
    }
    Ok(())
}
