//! The JSON form of a server's configuration.

use super::{McpConfig, McpText, Place};
use crate::secret::SecretRef;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use vextir::{Error, Result};

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    /// What other programs and the specification's tool registry say.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Read by who loads a list of servers.
    #[serde(rename = "disabled", default, skip_serializing)]
    _disabled: IgnoredAny,
    #[serde(rename = "description", default, skip_serializing)]
    _description: IgnoredAny,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    args: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, McpText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cwd: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, McpText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<SecretRef>,
    /// `capabilities` is what the specification's registry calls it.
    #[serde(default, alias = "capabilities", skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deny: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    repeat: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_answer_bytes: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    concurrency: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_restarts: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restart_window_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ping_ms: Option<u64>,
}

impl Form {
    fn place(&mut self) -> Result<Place> {
        if self.kind.as_deref() == Some("sse") {
            return Err(Error::invalid(
                "`type: sse` is the old transport: give the server's URL for streamable HTTP, often ending in /mcp",
            ));
        }
        match (self.command.take(), self.url.take()) {
            (Some(program), None) if self.headers.is_empty() && self.key.is_none() => Ok(Place::Command {
                program,
                args: std::mem::take(&mut self.args),
                env: std::mem::take(&mut self.env),
                folder: self.cwd.take(),
            }),
            (None, Some(url)) if self.args.is_empty() && self.env.is_empty() && self.cwd.is_none() => {
                Ok(Place::Url { url, headers: std::mem::take(&mut self.headers), key: self.key.take() })
            }
            (Some(_), None) => Err(Error::invalid("`headers` and `key` are for `url`; a command gets `env`")),
            (None, Some(_)) => {
                Err(Error::invalid("`args`, `env` and `cwd` are for `command`; a URL gets `headers`"))
            }
            _ => Err(Error::invalid("a server has `command` or `url`, and not both")),
        }
    }
}

impl TryFrom<Form> for McpConfig {
    type Error = Error;

    fn try_from(mut form: Form) -> Result<Self> {
        let place = form.place()?;
        place.check()?;
        let usual = Self::at(place);
        let millis = |given: Option<u64>, usual| given.map_or(usual, Duration::from_millis);
        Ok(Self {
            allow: form.allow,
            deny: form.deny,
            repeat: form.repeat,
            timeout: millis(form.timeout_ms, usual.timeout),
            max_answer_bytes: form.max_answer_bytes.unwrap_or(usual.max_answer_bytes),
            concurrency: form.concurrency.unwrap_or(usual.concurrency),
            max_restarts: form.max_restarts.unwrap_or(usual.max_restarts),
            restart_window: millis(form.restart_window_ms, usual.restart_window),
            ping: millis(form.ping_ms, usual.ping).max(Duration::from_millis(10)),
            place: usual.place,
        })
    }
}

impl From<McpConfig> for Form {
    fn from(config: McpConfig) -> Self {
        let millis = |span: Duration| Some(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        let form = Self {
            allow: config.allow,
            deny: config.deny,
            repeat: config.repeat,
            timeout_ms: millis(config.timeout),
            max_answer_bytes: Some(config.max_answer_bytes),
            concurrency: Some(config.concurrency),
            max_restarts: Some(config.max_restarts),
            restart_window_ms: millis(config.restart_window),
            ping_ms: millis(config.ping),
            ..Self::default()
        };
        match config.place {
            Place::Command { program, args, env, folder } => {
                Self { command: Some(program), args, env, cwd: folder, ..form }
            }
            Place::Url { url, headers, key } => Self { url: Some(url), headers, key, ..form },
        }
    }
}
