//! What the tests stand on: where things are, and waiting for what comes.

use std::path::{Path, PathBuf};
use std::time::Duration;
use vextir::{Event, EventStream, MemoryBus, Processor};
use vextir_drivers::mcp::{McpConfig, McpServer};

/// How long anything may take before a test fails; no test measures.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The folder with the npm packages, or None after saying that the test is skipped.
pub(crate) fn packages() -> Option<PathBuf> {
    let given = std::env::var("VEXTIR_COMPONENTS").ok().filter(|folder| !folder.is_empty());
    let packages = given.as_ref().map(|folder| Path::new(folder).join("node_modules/@modelcontextprotocol"));
    match packages.filter(|packages| packages.is_dir()) {
        Some(packages) => Some(packages),
        None => {
            assert!(given.is_none(), "VEXTIR_COMPONENTS={given:?} has no npm packages: run .ci/components");
            eprintln!("SKIPPED: set VEXTIR_COMPONENTS to the folder that .ci/components has filled");
            None
        }
    }
}

/// Whether node is there; says that the test is skipped if not.
pub(crate) fn has_node() -> bool {
    let found = std::process::Command::new("node").arg("--version").output().is_ok();
    if !found {
        assert!(std::env::var_os("VEXTIR_COMPONENTS").is_none(), "node is missing");
        eprintln!("SKIPPED: node is missing");
    }
    found
}

/// A server that does one thing wrong; `folder` is where it counts its starts.
pub(crate) fn faulty(mode: &str, folder: &Path) -> McpConfig {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp/servers/fault.mjs");
    let count = folder.join("starts");
    McpConfig::command("node", [script.to_str().unwrap(), mode, count.to_str().unwrap()])
}

pub(crate) async fn app(server: McpServer) -> Processor {
    Processor::builder(MemoryBus::new()).driver(server).start().await.unwrap()
}

/// The next event of a stream.
pub(crate) async fn next(stream: &mut EventStream) -> Event {
    stream.next_within(PATIENCE).await.expect("the stream ended").unwrap()
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waited).await.is_ok(), "still waiting: {what}");
}

/// Whether a process is there, and no zombie.
pub(crate) fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z')
}
