//! Servers that misbehave.

use crate::stage::{PATIENCE, app, faulty, has_node, is_alive, next, until};
use serde_json::json;
use std::time::Duration;
use vextir::{Error, ErrorKind, Event, Start};
use vextir_drivers::mcp::{McpChanged, McpConfig, McpDown, McpServer, McpUp};

/// A server in a mode, and the folder where it counts its starts.
async fn server(mode: &str) -> Option<(McpServer, tempfile::TempDir)> {
    server_with(mode, |config| config).await
}

async fn server_with(
    mode: &str,
    change: impl FnOnce(McpConfig) -> McpConfig,
) -> Option<(McpServer, tempfile::TempDir)> {
    if !has_node() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = McpServer::connect("s", change(faulty(mode, folder.path()))).await.unwrap();
    Some((server, folder))
}

async fn refused(mode: &str) -> Option<Error> {
    if !has_node() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    Some(McpServer::connect("s", faulty(mode, folder.path())).await.unwrap_err())
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let error = McpServer::connect("s", McpConfig::command("no-such-program-17", [""; 0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let said = error.to_string();
    assert!(
        said.contains("\"s\"") && said.contains("no-such-program-17") && said.contains("install it"),
        "{said}"
    );
    let error = McpServer::connect("a.b", McpConfig::command("x", [""; 0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_server_that_dies_at_the_start_has_last_words() {
    let Some(error) = refused("dies-at-start").await else { return };
    let said = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(said.contains("no licence found") && said.contains("exit status: 3"), "{said}");
}

#[tokio::test]
async fn a_call_that_was_lost_is_repeated_only_where_that_is_safe() {
    let Some((server, _folder)) = server("dies").await else { return };
    let error = server.call("once", json!({})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed, "{error}");
    assert!(error.to_string().contains("not known whether it was done"), "{error}");
    // It was started again, and the call waits for that.
    let answer = server.call("once", json!({})).await.unwrap();
    assert_eq!(answer.json::<serde_json::Value>().unwrap()["starts"], 2);
    let error = server.call("echo", json!({"die": "always"})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn the_processor_repeats_what_was_lost() {
    let Some((server, folder)) = server("dies").await else { return };
    let app = app(server).await;
    let mut results = app.subscribe("mcp.s.*.result").await.unwrap();
    app.emit(Event::new("mcp.s.echo")).await.unwrap();
    let result = next(&mut results).await;
    assert!(result.labels.contains("untrusted"));
    assert_eq!(std::fs::read_to_string(folder.path().join("starts")).unwrap(), "..");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_crash_loop_ends_and_is_told() {
    let change = |config: McpConfig| config.restarts(2, Duration::from_secs(600));
    let Some((server, _folder)) = server_with("crash-loop", change).await else { return };
    let handle = server.clone();
    let app = app(server).await;
    let mut news = app.subscribe_from(["mcp.up", "mcp.down"], Start::Beginning).await.unwrap();
    assert_eq!(next(&mut news).await.decode::<McpUp>().unwrap().tools, 2);
    kill_of(&app).await;
    let lost: McpDown = next(&mut news).await.decode().unwrap();
    assert!(!lost.given_up, "{lost:?}");
    let gone: McpDown = next(&mut news).await.decode().unwrap();
    assert!(gone.given_up && gone.reason.contains("start 3 fails"), "{gone:?}");
    let error = handle.call("echo", json!({})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("is down") && error.to_string().contains("start 3 fails"), "{error}");
    app.shutdown().await.unwrap();
    assert_eq!(handle.call("echo", json!({})).await.unwrap_err().kind(), ErrorKind::Closed);
}

/// Kills the servers that this process has started.
async fn kill_of(_app: &vextir::Processor) {
    for child in children() {
        let killed = std::process::Command::new("kill").args(["-9", &child]).status().unwrap();
        assert!(killed.success());
    }
}

/// The processes that this test has started; nextest gives each test a process of its own.
fn children() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let of = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default()
    };
    tasks.map(of).flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[tokio::test]
async fn a_server_that_came_back_is_told() {
    let Some((server, _folder)) = server("dies").await else { return };
    let app = app(server).await;
    let mut news = app.subscribe_from("mcp.*", Start::Beginning).await.unwrap();
    assert_eq!(next(&mut news).await.event_type, "mcp.up");
    app.emit(Event::new("mcp.s.once")).await.unwrap();
    let down: McpDown = next(&mut news).await.decode().unwrap();
    assert!(down.reason.contains("out of memory") && !down.given_up, "{down:?}");
    let up = next(&mut news).await;
    assert!(up.event_type == "mcp.up" && up.labels.contains("untrusted"), "{up:?}");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_flood_of_errors_costs_nothing() {
    let Some((server, _folder)) = server("flood").await else { return };
    assert!(server.call("echo", json!({"a": 1})).await.unwrap().text.contains("\"a\":1"));
}

#[tokio::test]
async fn a_server_that_lies_about_its_schema_is_found_out() {
    let Some((server, _folder)) = server("lies").await else { return };
    let tools = server.tools();
    let open = json!({"type": "object"});
    let inputs: Vec<_> =
        tools.iter().map(|tool| (tool.name.as_str(), tool.input.as_value().clone())).collect();
    for name in ["text", "number", "huge"] {
        assert!(inputs.contains(&(name, open.clone())), "{inputs:?}");
        assert!(server.findings().iter().any(|found| found.contains(&format!("{name:?} lies"))));
    }
    assert_eq!(server.findings().len(), 3);
    let honest = tools.iter().find(|tool| tool.name == "honest").unwrap();
    assert_eq!(honest.input.as_value()["required"], json!(["a"]));
    assert!(server.call("text", json!({"b": 2})).await.unwrap().text.contains("\"b\":2"));
    let app = app(server).await;
    let mut news = app.subscribe_from("mcp.up", Start::Beginning).await.unwrap();
    assert_eq!(next(&mut news).await.decode::<McpUp>().unwrap().findings.len(), 3);
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn two_tools_with_one_event_are_refused() {
    let Some(error) = refused("collide").await else { return };
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("mcp.s.a_b") && error.to_string().contains("`deny`"), "{error}");
    let change = |config: McpConfig| config.deny(["a.b"]);
    let (server, _folder) = server_with("collide", change).await.unwrap();
    assert_eq!(server.tools().len(), 1);
}

#[tokio::test]
async fn fifty_megabytes_are_refused_and_the_server_lives() {
    let Some((server, folder)) = server("large").await else { return };
    let error = server.call("once", json!({})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert!(error.to_string().contains("larger than 1048576 bytes"), "{error}");
    let error = server.call("echo", json!({})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed, "{error}");
    assert_eq!(std::fs::read_to_string(folder.path().join("starts")).unwrap(), ".");
}

#[tokio::test]
async fn an_answer_just_above_the_bound_is_refused() {
    let change = |config: McpConfig| config.max_answer_bytes(10_000);
    let Some((server, _folder)) = server_with("plain", change).await else { return };
    assert_eq!(server.call("echo", json!({"large": 4_000})).await.unwrap().text.len(), 4_000);
    let error = server.call("echo", json!({"large": 11_000})).await.unwrap_err();
    assert!(error.to_string().contains("larger than 10000 bytes"), "{error}");
}

#[tokio::test]
async fn no_answer_is_a_timeout_and_repeated_only_where_that_is_safe() {
    let change = |config: McpConfig| config.timeout(Duration::from_millis(300)).repeat(["again"]);
    let Some((server, _folder)) = server_with("silent", change).await else { return };
    let error = server.call("once", json!({})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert!(error.to_string().contains("no answer within 300ms"), "{error}");
    let change = |config: McpConfig| config.timeout(Duration::from_millis(300)).repeat(["on*"]);
    let (server, _folder) = server_with("silent", change).await.unwrap();
    assert_eq!(server.call("once", json!({})).await.unwrap_err().kind(), ErrorKind::Timeout);
    // The server itself is alive, and stays.
    let answer = server.call("echo", json!({})).await.unwrap();
    assert_eq!(answer.json::<serde_json::Value>().unwrap()["starts"], 1);
}

#[tokio::test]
async fn a_server_that_does_not_answer_pings_is_started_again() {
    let change =
        |config: McpConfig| config.ping_every(Duration::from_millis(50)).timeout(Duration::from_secs(5));
    let Some((server, folder)) = server_with("deaf", change).await else { return };
    let starts = || std::fs::read_to_string(folder.path().join("starts")).unwrap_or_default();
    until("a second start", || starts() == "..").await;
    let answer = tokio::time::timeout(PATIENCE, server.call("echo", json!({}))).await.unwrap().unwrap();
    assert_eq!(answer.json::<serde_json::Value>().unwrap()["starts"], 2);
}

#[tokio::test]
async fn lines_that_are_no_messages_are_passed_over() {
    let Some((server, _folder)) = server("noise").await else { return };
    assert_eq!(server.call("echo", json!({})).await.unwrap().text, "still here");
    assert_eq!(server.call("once", json!({})).await.unwrap().text, "still here");
}

#[tokio::test]
async fn failures_of_both_kinds_are_for_good_and_bounded() {
    for (mode, expected) in [("fails", "the disk is full"), ("refuses", "unknown tool")] {
        let Some((server, _folder)) = server(mode).await else { return };
        let app = app(server).await;
        let mut errors = app.subscribe("error").await.unwrap();
        app.emit(Event::new("mcp.s.echo")).await.unwrap();
        let error = next(&mut errors).await.data.value();
        let said = error["error"].as_str().unwrap();
        assert!(said.contains(expected) && said.len() < 3_000, "{said}");
        let letters = app.as_user("local").dead_letters(10).await.unwrap();
        assert_eq!(letters.len(), 1, "it was not tried again");
        assert_eq!(letters[0].attempts, 1);
        app.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn parts_that_nobody_knows_are_passed_on() {
    let Some((server, _folder)) = server("strange").await else { return };
    let answer = server.call("echo", json!({})).await.unwrap();
    assert_eq!(answer.content[0]["type"], "hologram");
    assert_eq!(answer.text, "and text");
}

#[tokio::test]
async fn tools_that_appear_are_called_by_the_pattern() {
    let Some((server, _folder)) = server("grows").await else { return };
    let app = app(server).await;
    let mut changes = app.subscribe("mcp.changed").await.unwrap();
    app.emit(Event::new("mcp.s.echo")).await.unwrap();
    let change: McpChanged = next(&mut changes).await.decode().unwrap();
    assert_eq!((change.added, change.removed), (vec!["mcp.s.late".to_owned()], vec![]));
    let results = app.process_event(Event::new("mcp.s.late").with_data(json!({"z": 1}))).await.unwrap();
    assert_eq!(results.len(), 1, "one delivery, though two patterns match some tools: {results:?}");
    assert_eq!(results[0].event_type, "mcp.s.late.result");
    let results = app.process_event(Event::new("mcp.s.echo")).await.unwrap();
    assert_eq!(results.len(), 1, "{results:?}");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_refused_list_is_told_once_and_the_next_one_is_read() {
    let Some((server, _folder)) = server("spoils").await else { return };
    let app = app(server).await;
    let mut changes = app.subscribe("mcp.changed").await.unwrap();
    app.emit(Event::new("mcp.s.echo")).await.unwrap();
    let change: McpChanged = next(&mut changes).await.decode().unwrap();
    assert!(change.added.is_empty() && change.findings[0].contains("mcp.s.a_b"), "{change:?}");
    let change: McpChanged = next(&mut changes).await.decode().unwrap();
    assert_eq!(change.added, ["mcp.s.late"], "{change:?}");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_list_without_end_is_refused() {
    let Some(error) = refused("bomb").await else { return };
    assert!(error.to_string().contains("larger than 8388608 bytes"), "{error}");
}

#[tokio::test]
async fn who_does_not_wait_any_more_tells_the_server() {
    let Some((server, folder)) = server("cancels").await else { return };
    let seen = move || std::fs::read_to_string(folder.path().join("starts.seen")).unwrap_or_default();
    let app = app(server).await;
    let id = app.emit(Event::new("mcp.s.once")).await.unwrap();
    until("the call", || seen().contains("tools/call")).await;
    app.as_user("local").cancel(&id).await.unwrap();
    until("the cancel", || seen().contains("notifications/cancelled")).await;
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn nothing_is_left_behind() {
    for by_stop in [true, false] {
        let Some((server, folder)) = server("grandchild").await else { return };
        let pids = std::fs::read_to_string(folder.path().join("starts.pids")).unwrap();
        let pids: Vec<&str> = pids.split_whitespace().collect();
        assert!(pids.iter().all(|pid| is_alive(pid)));
        if by_stop {
            app(server).await.shutdown().await.unwrap();
        } else {
            drop(server);
        }
        until("the end of all", || !pids.iter().any(|pid| is_alive(pid))).await;
        until("no zombie", || children().is_empty()).await;
    }
}

#[tokio::test]
async fn of_our_environment_a_server_gets_little_and_secrets_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "s3cret\n").unwrap();
    let secret = format!("file:{}", key.display());
    let change = |config: McpConfig| config.env("SECRET", secret);
    let Some((server, _folder)) = server_with("plain", change).await else { return };
    let answer: serde_json::Value = server.call("echo", json!({})).await.unwrap().json().unwrap();
    assert_eq!(answer["secret"], "s3cret");
    // Cargo sets it for us, and nobody asked that it be passed on.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some() && answer.get("leak").is_none());
    let error = server.call("nothing", json!({})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("echo, once"), "{error}");
    let error = server.call("echo", json!([1])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
