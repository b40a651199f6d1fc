//! The process dies while a tool is called.

use crate::stage::{PATIENCE, faulty, has_node, next, until};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use vextir::{Clock, Event, EventBus, ManualClock, MemoryBus, Name, Processor, Start, SystemClock};
use vextir_context::Hub;
use vextir_drivers::mcp::McpServer;

/// Names the folder of the process that dies, and the tool that it calls.
const WORLD: &str = "VEXTIR_TEST_MCP_WORLD";
const TOOL: &str = "VEXTIR_TEST_MCP_TOOL";

async fn started(world: &Path) -> Processor {
    let server = McpServer::connect("s", faulty("crash", world)).await.unwrap();
    Processor::builder(Hub::open(world.join("hub")).unwrap()).driver(server).start().await.unwrap()
}

/// The process that dies: this test program itself, with a folder to work in.
#[tokio::test]
async fn the_one_that_dies() {
    let Ok(world) = std::env::var(WORLD) else { return };
    let app = started(Path::new(&world)).await;
    let event = format!("mcp.s.{}", std::env::var(TOOL).unwrap());
    app.as_user("ann").emit(Event::new(event.as_str())).await.unwrap();
    std::future::pending().await
}

/// Has it die with `kill -9` while the tool works, and starts again; answers how it ended, and how often the tool was called.
async fn dies_during(tool: &str) -> (Event, usize) {
    let folder = tempfile::tempdir().unwrap();
    let world = folder.path();
    let calls = || std::fs::read_to_string(world.join("starts.calls")).unwrap_or_default().lines().count();
    let mut dying = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::the_one_that_dies"])
        .env(WORLD, world)
        .env(TOOL, tool)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the call", || calls() == 1).await;
    dying.kill().unwrap();
    dying.wait().unwrap();
    let app = started(world).await;
    let result = format!("mcp.s.{tool}.result");
    let ends = ["error", result.as_str()];
    let mut ended = app.as_user("ann").subscribe_from(ends, Start::Beginning).await.unwrap();
    let end = next(&mut ended).await;
    app.shutdown().await.unwrap();
    (end, calls())
}

#[tokio::test]
async fn a_tool_is_not_called_twice_unnoticed() {
    if !has_node() {
        return;
    }
    let (end, calls) = dies_during("once").await;
    assert_eq!((end.event_type.as_str(), calls), ("error", 1));
    assert!(
        end.data.as_json().contains("it was called before; it is not known whether it was done"),
        "{end:?}"
    );
}

#[tokio::test]
async fn one_that_may_be_repeated_is() {
    if !has_node() {
        return;
    }
    let (end, calls) = dies_during("echo").await;
    assert_eq!((end.event_type.as_str(), calls), ("mcp.s.echo.result", 2));
}

#[tokio::test]
async fn what_is_over_is_forgotten() {
    if !has_node() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (mode, end) in [("plain", "mcp.s.once.result"), ("fails", "error")] {
        let server = McpServer::connect("s", faulty(mode, folder.path())).await.unwrap();
        let bus = MemoryBus::new();
        let app = Processor::builder(bus.clone()).driver(server).start().await.unwrap();
        let caused = app.process_event(Event::new("mcp.s.once")).await.unwrap();
        assert!(caused.iter().any(|event| event.event_type == end), "{caused:?}");
        app.idle().await;
        let left = bus.checkpoints(&Name::literal("mcp.s"), "", 10).await.unwrap();
        assert!(left.is_empty(), "{left:?}");
        app.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn what_nobody_forgets_goes_after_a_week() {
    if !has_node() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = async || McpServer::connect("s", faulty("silent", folder.path())).await.unwrap();
    let bus = MemoryBus::new();
    let left = async || bus.checkpoints(&Name::literal("mcp.s"), "", 10).await.unwrap();
    let app = Processor::builder(bus.clone()).driver(server().await).start().await.unwrap();
    let id = app.emit(Event::new("mcp.s.once")).await.unwrap();
    let noted = async {
        while left().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, noted).await.unwrap();
    app.as_user("local").cancel(&id).await.unwrap();
    app.shutdown().await.unwrap();
    for (days, expected) in [(6, 1), (8, 0)] {
        let then = SystemClock.now().after(Duration::from_secs(days * 24 * 60 * 60));
        let builder =
            Processor::builder(bus.clone()).driver(server().await).clock(ManualClock::starting(then));
        let app = builder.start().await.unwrap();
        assert_eq!(left().await.len(), expected, "after {days} days");
        app.shutdown().await.unwrap();
    }
}
