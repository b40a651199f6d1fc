//! What a processor can do, for other agents: chosen capabilities as the tools of an MCP server.

mod call;
mod documents;
mod http;

pub use http::Serving;

use super::wire::serving;
use documents::Documents;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use vextir::check::Known;
use vextir::{Error, ErrorKind, Manifest, Name, Pattern, Processor, Result, Tenant};

/// The most tools that are offered.
const MOST_TOOLS: usize = 1_000;

/// Chosen capabilities of a processor, for other agents. A call of a tool is an event of the user for whom the agent works:
/// policy, budget and audit apply as to every other event, and the agent gets what answers it.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::prelude::*;
/// use vextir_drivers::mcp::Offer;
///
/// # async fn run(app: Processor) -> vextir::Result<()> {
/// let offer = Offer::new(&app).tool("weather.get").tool("github.**").documents("/Shared");
/// offer.serve_stdio(app.as_user("ada")).await
/// # }
/// ```
///
/// An event type becomes the name of a tool with `_` for `.`: `weather_get`. Two types with one name are refused.
#[derive(Debug, Clone)]
pub struct Offer {
    manifests: Arc<[Manifest]>,
    wanted: Vec<String>,
    documents: Option<String>,
    limits: Limits,
    hosts: Vec<String>,
    origins: Vec<String>,
}

#[derive(Debug, Clone)]
struct Limits {
    timeout: Duration,
    calls: usize,
    sessions: usize,
    body: usize,
}

/// One tool that is offered.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) event_type: String,
    pub(super) description: String,
    pub(super) input: Value,
    pub(super) read_only: bool,
}

/// What is served: checked, and shared by all sessions.
#[derive(Debug)]
pub(super) struct Menu {
    pub(super) tools: BTreeMap<String, Offered>,
    pub(super) documents: Option<Documents>,
    timeout: Duration,
    calls: Semaphore,
    most_calls: usize,
    /// How many calls run of each user, and how many may.
    of_users: Mutex<HashMap<Name, usize>>,
    most_of_user: usize,
    longest: usize,
}

impl Offer {
    /// Nothing so far, of what the drivers of this processor can do now.
    #[must_use]
    pub fn new(app: &Processor) -> Self {
        Self {
            manifests: app.drivers().into_iter().map(|status| status.manifest).collect(),
            wanted: Vec::new(),
            documents: None,
            limits: Limits { timeout: Duration::from_secs(60), calls: 64, sessions: 256, body: 1 << 20 },
            hosts: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into(),
            origins: Vec::new(),
        }
    }

    /// Offers an event type, or all that match a pattern and that a driver handles by name.
    #[must_use]
    pub fn tool(mut self, pattern: impl Into<String>) -> Self {
        self.wanted.push(pattern.into());
        self
    }

    /// Offers the documents in a folder to be read, as resources `vextir:///path`, within the user's rights.
    #[must_use]
    pub fn documents(mut self, folder: impl Into<String>) -> Self {
        self.documents = Some(folder.into());
        self
    }

    /// Sets how long a call is waited for, 60 seconds when nothing is said. The work itself goes on.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limits.timeout = limit;
        self
    }

    /// Sets how many calls run at a time, 64 when nothing is said; what comes beyond that is told so. Over HTTP one user
    /// gets an eighth of them, and at least 4.
    #[must_use]
    pub fn most_calls(mut self, calls: usize) -> Self {
        self.limits.calls = calls;
        self
    }

    /// Sets how many sessions there are over HTTP, 256 when nothing is said. One user gets an eighth of them, and at least 4.
    /// One that is idle for five minutes ends.
    #[must_use]
    pub fn most_sessions(mut self, sessions: usize) -> Self {
        self.limits.sessions = sessions;
        self
    }

    /// Sets how large a message may be, 1 MiB when nothing is said.
    #[must_use]
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.limits.body = bytes;
        self
    }

    /// A name by which the server is reached over HTTP, beside those of this machine (`localhost`, `127.0.0.1`, `::1`). Requests
    /// for other hosts are refused: they come from a browser that was told that this machine is another one.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Lets pages of this origin (`https://app.example:443`) send requests. Without it no page may; programs send no origin.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Serves one agent over our input and output, for one user, until it closes them. Nothing else may write there: logs go
    /// to the error output.
    ///
    /// # Errors
    /// `NotFound`: no driver handles what is offered. `Invalid`: a bad pattern, or two types with one name. `Unavailable`: the
    /// client speaks no MCP.
    pub async fn serve_stdio(&self, user: Tenant) -> Result<()> {
        serving::stdio(Arc::new(self.menu(self.limits.calls)?), user, self.limits.body).await
    }

    /// What is served, checked; so many calls of one user may run.
    fn menu(&self, most_of_user: usize) -> Result<Menu> {
        let known = Known::of(self.manifests.clone());
        let mut tools = BTreeMap::<String, Offered>::new();
        for wanted in &self.wanted {
            for event_type in self.matching(&known, wanted)? {
                let name = event_type.replace('.', "_");
                match tools.get(&name) {
                    Some(other) if other.event_type != event_type => {
                        let (one, two) = (&other.event_type, &event_type);
                        return Err(Error::invalid(format!(
                            "{one} and {two} would both be the tool {name}: offer one of them"
                        )));
                    }
                    Some(_) => {}
                    None => {
                        tools.insert(name, offered(&known, event_type));
                    }
                }
            }
        }
        if tools.len() > MOST_TOOLS {
            return Err(Error::invalid(format!("{} tools are offered; at most {MOST_TOOLS}", tools.len())));
        }
        Ok(Menu {
            tools,
            documents: self.documents.clone().map(Documents::new),
            timeout: self.limits.timeout,
            calls: Semaphore::new(self.limits.calls),
            most_calls: self.limits.calls,
            of_users: Mutex::default(),
            most_of_user,
            longest: self.limits.body,
        })
    }

    /// The event types that are meant. Patterns of drivers are no tools: nobody knows the names that they stand for.
    fn matching(&self, known: &Known, wanted: &str) -> Result<Vec<String>> {
        let pattern = Pattern::new(wanted)?;
        let found: Vec<String> = if pattern.is_exact() {
            known.handlers(wanted).take(1).map(|_| wanted.to_owned()).collect()
        } else {
            let all = self.manifests.iter().flat_map(|manifest| &manifest.capabilities);
            let named = all.filter(|one| Pattern::new(one.pattern.clone()).is_ok_and(|own| own.is_exact()));
            named.map(|one| one.pattern.to_string()).filter(|name| pattern.matches(name)).collect()
        };
        if found.is_empty() {
            let what = format!("no driver handles {wanted}; register it before the offer is made");
            return Err(Error::new(ErrorKind::NotFound, what));
        }
        Ok(found)
    }
}

fn offered(known: &Known, event_type: String) -> Offered {
    let handlers: Vec<_> = known.handlers(&event_type).map(|(_, capability)| capability).collect();
    let said = handlers.iter().find(|one| !one.description.is_empty());
    let description = said.map(|one| one.description.clone()).unwrap_or_default();
    let schema = handlers.iter().find_map(|one| one.input.clone());
    let mut input = schema.map_or_else(|| json!({}), Into::into);
    if !input.is_object() {
        input = json!({});
    }
    if input.get("type").is_none() {
        input["type"] = json!("object");
    }
    let read_only = !handlers.is_empty() && handlers.iter().all(|one| one.effect == vextir::Effect::Reads);
    Offered { event_type, description, input, read_only }
}

#[cfg(test)]
mod tests {
    use super::Offer;
    use vextir::prelude::*;
    use vextir::{ErrorKind, MemoryBus};

    struct Many(&'static [&'static str]);

    #[vextir::async_trait]
    impl Driver for Many {
        fn manifest(&self) -> Manifest {
            self.0.iter().fold(Manifest::new("many"), |manifest, name| manifest.handles(*name))
        }

        async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
            Ok(Vec::new())
        }
    }

    #[tokio::test]
    async fn what_is_offered_is_checked() {
        let many = Many(&["a.b", "a_b", "a.c", "x.*"]);
        let app = Processor::builder(MemoryBus::new()).driver(many).start().await.unwrap();
        let offer = || Offer::new(&app);
        let names = |offer: Offer| offer.menu(4).unwrap().tools.into_keys().collect::<Vec<_>>();
        assert_eq!(names(offer().tool("a.*").tool("a.b").tool("x.y")), ["a_b", "a_c", "x_y"]);
        let error = offer().tool("a.*").tool("a_b").menu(4).unwrap_err();
        assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("a.b and a_b"), "{error}");
        assert_eq!(offer().tool("b.*").menu(4).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(offer().tool("a**").menu(4).unwrap_err().kind(), ErrorKind::Invalid);
        app.shutdown().await.unwrap();
    }
}
