//! The tool registry: names for tools that are no event of a driver by themselves, as the specification prints them.

use crate::yaml::word::instead_of;
use crate::yaml::{self, Faults, Form, Found, Node, Source, What};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

const WHAT: What = What {
    name: "a tool registry",
    example: "write `web_search: {type: mcp_server, url: ..}` or `notes: {type: native, handler: context.read}` for each tool",
};
const KINDS: [&str; 2] = ["mcp_server", "native"];
/// What `mcp::McpConfig` reads.
const OF_SERVER: [&str; 18] = [
    "type",
    "url",
    "command",
    "args",
    "env",
    "cwd",
    "headers",
    "key",
    "capabilities",
    "allow",
    "deny",
    "repeat",
    "timeout_ms",
    "max_answer_bytes",
    "concurrency",
    "max_restarts",
    "restart_window_ms",
    "ping_ms",
];

/// Tools by name. Every event that a driver handles is a tool without an entry here; an entry gives one another name, or stands for
/// a whole MCP server.
///
/// ```
/// use vextir_drivers::agent::ToolRegistry;
///
/// let tools = ToolRegistry::from_yaml("tools.yaml", r#"
/// web_search:
///   type: mcp_server
///   url: github.com/example/search-mcp
///   capabilities: [search, scrape]
/// context_read:
///   type: native
///   handler: context_hub.read
/// "#)?;
/// assert_eq!(tools.names().collect::<Vec<_>>(), ["context_read", "web_search"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolRegistry(BTreeMap<String, ToolEntry>);

/// What a name stands for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ToolEntry {
    /// The tools of an MCP server, which the application connects under this name.
    McpServer(McpEntry),
    /// An event of one of the application's drivers.
    Native {
        /// An event type (`context.read`), or a driver and what it does (`context_hub.read`).
        handler: String,
    },
}

/// How an MCP server is reached, as it was written.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct McpEntry {
    /// Its address, if it has one.
    pub url: Option<String>,
    /// What is started, if something is.
    pub command: Option<String>,
    /// All that was said, as JSON: what `mcp::McpConfig` is read from.
    pub config: Map<String, Value>,
}

impl fmt::Debug for McpEntry {
    /// Without what may be secret: addresses, arguments, the environment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said: Vec<&String> = self.config.keys().collect();
        f.debug_struct("McpEntry")
            .field("command", &self.command)
            .field("says", &said)
            .finish_non_exhaustive()
    }
}

impl McpEntry {
    /// Why its tools are not there, and what to do.
    pub(super) fn what_it_needs(&self, name: &str) -> String {
        let remedy =
            format!("connect it under the name `{name}` (`mcp::McpServer::connect`) and register it");
        match (&self.command, &self.url) {
            (Some(command), _) => {
                format!("the MCP server that `{command}` starts is not connected; {remedy}")
            }
            (None, Some(url)) if !url.contains("://") => {
                format!(
                    "`{url}` is where a server can be had, and no address of a running one: install it, say `command:` (or the `url:` of a running one), and {remedy}"
                )
            }
            (None, Some(url)) => format!("the MCP server at {url} is not connected; {remedy}"),
            (None, None) => format!("the MCP server says neither `command` nor `url`; {remedy}"),
        }
    }
}

impl ToolRegistry {
    /// Reads entries in YAML or JSON, below `tools:` or at the top.
    ///
    /// # Errors
    /// All that is wrong with them, each with its place.
    pub fn from_yaml(file_name: &str, text: &str) -> Result<Self, Faults> {
        yaml::read(file_name, text, WHAT, |root, source, found| Some(read(root, source, found)))
    }

    /// Reads a file, as [`ToolRegistry::from_yaml`] does. It waits for the disk.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place; or why it cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Faults> {
        let path = path.as_ref();
        Self::from_yaml(&path.display().to_string(), &yaml::load(path, WHAT)?)
    }

    /// Adds or replaces an entry.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, entry: ToolEntry) -> Self {
        self.0.insert(name.into(), entry);
        self
    }

    /// What a name stands for.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ToolEntry> {
        self.0.get(name)
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The MCP servers among them, with what they are reached by.
    pub fn mcp_servers(&self) -> impl Iterator<Item = (&str, &McpEntry)> {
        self.0.iter().filter_map(|(name, entry)| match entry {
            ToolEntry::McpServer(server) => Some((name.as_str(), server)),
            ToolEntry::Native { .. } => None,
        })
    }
}

fn read(root: &Node, _source: &Source, found: &mut Found) -> ToolRegistry {
    let wrapped = root.entries().and_then(|entries| match entries {
        [only] if only.key == "tools" => only.value.entries(),
        _ => None,
    });
    let Some(entries) = wrapped.or_else(|| root.entries()) else {
        let message = format!("a tool registry is a map from names to tools, but this is {root}");
        found.with_help(root.at.clone(), message, WHAT.example);
        return ToolRegistry::default();
    };
    let read = |entry: &yaml::Entry, found: &mut Found| Some((entry.key.clone(), tool(&entry.value, found)?));
    ToolRegistry(entries.iter().filter_map(|entry| read(entry, found)).collect())
}

fn tool(node: &Node, found: &mut Found) -> Option<ToolEntry> {
    let Some(entries) = node.entries() else {
        let help = "write `{type: native, handler: context.read}`";
        found.with_help(node.at.clone(), format!("a tool is a map, but this is {node}"), help);
        return None;
    };
    let kind = Form::of(node, entries);
    let written = kind.need("type", "a tool", found)?;
    match written.written() {
        Some("native") => {
            let form = Form::read(node, "a native tool", &["type", "handler", "capabilities"], found)?;
            form.need("handler", "a native tool", found)?;
            Some(ToolEntry::Native { handler: form.text("handler", found)?.to_owned() })
        }
        Some("mcp_server") => {
            let form = Form::read(node, "an MCP server", &OF_SERVER, found)?;
            if form.lacks("url") && form.lacks("command") {
                found.add(form.at.clone(), "an MCP server needs `url` or `command`");
            }
            if let (Some(_), Some(allow)) = (form.entry("capabilities"), form.entry("allow")) {
                found.add(allow.at.clone(), "`allow` says what `capabilities` says: write one of them");
            }
            let Value::Object(mut config) = node.to_json(found) else { return None };
            config.remove("type");
            let text = |key: &str, found: &mut Found| form.text(key, found).map(str::to_owned);
            let (url, command) = (text("url", found), text("command", found));
            Some(ToolEntry::McpServer(McpEntry { url, command, config }))
        }
        other => {
            let help = other.and_then(|word| instead_of(word, &KINDS, found.is_crowded()));
            let help = help.unwrap_or_else(|| "the types are `mcp_server` and `native`".to_owned());
            found.with_help(written.at.clone(), "this is no type of tool", help);
            None
        }
    }
}
