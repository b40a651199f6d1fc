//! How a server is reached, and what it may do: the JSON form that everybody knows, and the same in Rust.

mod form;
mod place;

pub use place::McpText;
pub(super) use place::{Place, without_query};

use crate::mcp::name;
use form::Form;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use vextir::{Error, Result};

/// How an MCP server is reached: a command that is started as a child process, or the URL of one that runs.
///
/// Reads the form that other programs have, too, with what is ours beside it:
///
/// ```
/// use vextir_drivers::mcp::McpConfig;
///
/// let servers = McpConfig::load(r#"{"mcpServers": {
///     "files": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "/data"], "deny": ["write_*"]},
///     "tracker": {"url": "https://tracker.example/mcp", "key": "env:TRACKER_KEY", "timeout_ms": 5000}
/// }}"#)?;
/// assert_eq!(servers.len(), 2);
/// # Ok::<(), vextir_core::Error>(())
/// ```
///
/// | key | means | when nothing is said |
/// |---|---|---|
/// | `command`, `args`, `env`, `cwd` | the child process; of our own environment it gets `HOME`, `LANG`, `LOGNAME`, `PATH`, `SHELL`, `TERM`, `TMPDIR` and `USER` | |
/// | `url`, `headers`, `key` | a running server (streamable HTTP); the key goes out as a bearer token | |
/// | `allow`, `deny` | names of tools, `*` for any part; what is denied is denied though it is allowed | all are allowed |
/// | `repeat` | tools that may be called twice, though the server does not say so | none |
/// | `timeout_ms` | how long one call may take, with the wait for a server that is started again | 20,000 |
/// | `max_answer_bytes` | how large an answer may be | 1,048,576 |
/// | `concurrency` | calls at a time, as a driver | 16 |
/// | `max_restarts`, `restart_window_ms` | so many restarts in that time; then it is down and tried once each window | 5 in 60,000 |
/// | `ping_ms` | how long it may be silent before it is asked whether it is alive | 30,000 |
///
/// Values of `env` and `headers` may be a [`SecretRef`](crate::secret::SecretRef): `env:NAME` or `file:/path`, read again at
/// each start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct McpConfig {
    pub(super) place: Place,
    pub(super) allow: Vec<String>,
    pub(super) deny: Vec<String>,
    pub(super) repeat: Vec<String>,
    pub(super) timeout: Duration,
    pub(super) max_answer_bytes: usize,
    pub(super) concurrency: usize,
    pub(super) max_restarts: usize,
    pub(super) restart_window: Duration,
    pub(super) ping: Duration,
}

impl McpConfig {
    /// A server that is started as a child process.
    pub fn command(program: impl Into<String>, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::at(Place::Command {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            folder: None,
        })
    }

    /// A server that runs, by the URL of its endpoint (`https://host/mcp`).
    pub fn url(url: impl Into<String>) -> Self {
        Self::at(Place::Url { url: url.into(), headers: BTreeMap::new(), key: None })
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            allow: Vec::new(),
            deny: Vec::new(),
            repeat: Vec::new(),
            timeout: Duration::from_secs(20),
            max_answer_bytes: 1 << 20,
            concurrency: 16,
            max_restarts: 5,
            restart_window: Duration::from_secs(60),
            ping: Duration::from_secs(30),
        }
    }

    /// Reads `{"mcpServers": {name: config}}`, or the inner object alone. Servers that say `"disabled": true` are left out.
    ///
    /// # Errors
    /// `Invalid`: not JSON, or a server's entry does not fit; with the server's name.
    pub fn load(json: &str) -> Result<BTreeMap<String, Self>> {
        let bad = |what: String| Error::invalid(format!("MCP servers: {what}"));
        let whole: serde_json::Value =
            serde_json::from_str(json).map_err(|error| bad(format!("not JSON: {error}")))?;
        let inner = whole.get("mcpServers").unwrap_or(&whole);
        let Some(entries) = inner.as_object() else {
            return Err(bad("an object with a name for each server is expected".into()));
        };
        let mut servers = BTreeMap::new();
        for (server, entry) in entries {
            name::server(server)?;
            if entry.get("disabled") == Some(&true.into()) {
                continue;
            }
            let config = Self::deserialize(entry).map_err(|error| bad(format!("{server:?}: {error}")))?;
            servers.insert(server.clone(), config);
        }
        Ok(servers)
    }

    /// Sets a variable of the child's environment. Nothing happens for a URL.
    #[must_use]
    pub fn env(mut self, variable: impl Into<String>, value: impl Into<McpText>) -> Self {
        if let Place::Command { env, .. } = &mut self.place {
            env.insert(variable.into(), value.into());
        }
        self
    }

    /// Sets the child's folder, our own when nothing is said. Nothing happens for a URL.
    #[must_use]
    pub fn cwd(mut self, path: impl Into<PathBuf>) -> Self {
        if let Place::Command { folder, .. } = &mut self.place {
            *folder = Some(path.into());
        }
        self
    }

    /// Sends a header with each request. Nothing happens for a command.
    #[must_use]
    pub fn header(mut self, header: impl Into<String>, value: impl Into<McpText>) -> Self {
        if let Place::Url { headers, .. } = &mut self.place {
            headers.insert(header.into(), value.into());
        }
        self
    }

    /// Sends a key as a bearer token. Nothing happens for a command.
    #[must_use]
    pub fn key(mut self, secret: crate::secret::SecretRef) -> Self {
        if let Place::Url { key, .. } = &mut self.place {
            *key = Some(secret);
        }
        self
    }

    /// Allows these tools only: names, `*` for any part of one.
    #[must_use]
    pub fn allow(mut self, tools: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allow.extend(tools.into_iter().map(Into::into));
        self
    }

    /// Leaves these tools out, though they are allowed.
    #[must_use]
    pub fn deny(mut self, tools: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.deny.extend(tools.into_iter().map(Into::into));
        self
    }

    /// These tools may be called twice, though the server does not say so: a call whose answer was lost is tried again.
    #[must_use]
    pub fn repeat(mut self, tools: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.repeat.extend(tools.into_iter().map(Into::into));
        self
    }

    /// Sets how long one call may take, 20 seconds when nothing is said. The wait for a server that is started again is in it. A
    /// handler of your own needs more time than the sum of the calls that it makes.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Sets how large an answer may be, in bytes of JSON; 1 MiB when nothing is said, which is also the most that an event
    /// holds ([`ProcessorBuilder::max_event_bytes`](vextir::ProcessorBuilder::max_event_bytes)).
    #[must_use]
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.max_answer_bytes = bytes;
        self
    }

    /// Sets how many restarts are tried in which time, 5 in a minute when nothing is said. Then the server is down, and is
    /// tried once each time that such a window is over.
    #[must_use]
    pub fn restarts(mut self, most: usize, window: Duration) -> Self {
        (self.max_restarts, self.restart_window) = (most, window);
        self
    }

    /// Sets how long the server may be silent before it is asked whether it is alive, 30 seconds when nothing is said.
    #[must_use]
    pub fn ping_every(mut self, pause: Duration) -> Self {
        self.ping = pause.max(Duration::from_millis(10));
        self
    }

    /// Whether a tool of this name is wanted.
    pub(super) fn wants(&self, tool: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|pattern| name::fits(pattern, tool));
        (self.allow.is_empty() || named(&self.allow)) && !named(&self.deny)
    }

    /// Whether somebody said that a tool may be called twice.
    pub(super) fn repeats(&self, tool: &str) -> bool {
        self.repeat.iter().any(|pattern| name::fits(pattern, tool))
    }
}

#[cfg(test)]
mod tests {
    use super::McpConfig;

    fn refused(json: &str) -> String {
        serde_json::from_str::<McpConfig>(json).unwrap_err().to_string()
    }

    #[test]
    fn what_is_read_is_written_again() {
        let json =
            r#"{"command":"npx","args":["-y","x"],"env":{"TOKEN":"env:TOKEN"},"cwd":"/tmp","deny":["a*"]}"#;
        let config: McpConfig = serde_json::from_str(json).unwrap();
        let again = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<McpConfig>(&again).unwrap(), config);
        assert!(config.wants("b") && !config.wants("ab"));
    }

    #[test]
    fn plain_values_are_not_shown() {
        let config = McpConfig::command("x", ["y"]).env("TOKEN", "hunter2");
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
        let config = McpConfig::url("https://a.example/mcp").header("x-key", "hunter2");
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
        let config = McpConfig::url("https://a.example/mcp?key=hunter2");
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
        let config = McpConfig::command("x", ["--key", "hunter2"]);
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
        let text = super::without_query("sending to (https://a.example/mcp?key=hunter2): refused? yes");
        assert_eq!(text, "sending to (https://a.example/mcp): refused? yes");
    }

    #[test]
    fn a_repository_is_no_server() {
        for url in ["github.com/example/search-mcp", "https://github.com/example/search-mcp"] {
            let said = refused(&serde_json::json!({"type": "mcp_server", "url": url}).to_string());
            assert!(said.contains("is a repository: install it and say `command`"), "{said}");
        }
        for (json, expected) in [
            (r#"{"url": "ftp://a.example"}"#, "begins with https://"),
            (r#"{"url": "https://me:pw@a.example/mcp"}"#, "holds a password"),
            (r#"{"command": "x", "url": "https://a.example"}"#, "`command` or `url`"),
            (r#"{"args": []}"#, "`command` or `url`"),
            (r#"{"command": "x", "alow": ["y"]}"#, "unknown field `alow`"),
            (r#"{"type": "sse", "url": "https://a.example"}"#, "streamable HTTP"),
            (r#"{"url": "https://a.example", "key": "sk-123"}"#, "where it is found"),
        ] {
            let said = refused(json);
            assert!(said.contains(expected), "{json}: {said}");
            assert!(!said.contains("sk-123") && !said.contains("pw"), "{said}");
        }
    }
}
