//! The reference servers from npm, as they are.

use crate::stage::{PATIENCE, app, next, packages, until};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use vextir::{ErrorKind, Event};
use vextir_drivers::mcp::{McpConfig, McpServer};

fn script(server: &str) -> Option<String> {
    Some(packages()?.join(server).join("dist/index.js").to_str()?.to_owned())
}

/// What holds for the server `everything`, however it is reached.
async fn everything(server: &McpServer) {
    let names: Vec<String> = server.tools().into_iter().map(|tool| tool.name).collect();
    assert!(names.contains(&"echo".to_owned()), "{names:?}");
    let answer = server.call("echo", json!({"message": "hello"})).await.unwrap();
    assert!(answer.text.contains("hello"), "{answer:?}");
    let error = server.call("echo", json!({"message": 7})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed, "{error}");
    let answer = server.call("get-structured-content", json!({"location": "New York"})).await.unwrap();
    assert!(answer.structured.is_some_and(|value| value.is_object()));
    let answer = server.call("get-tiny-image", json!({})).await.unwrap();
    assert!(answer.content.iter().any(|part| part["type"] == "image"), "{answer:?}");
    let resources = server.resources().await.unwrap();
    let first = resources.first().unwrap();
    let contents = server.read_resource(&first.uri).await.unwrap();
    assert!(contents[0].text.is_some() || contents[0].blob.is_some());
    assert!(server.read_resource("nowhere:///x").await.is_err());
    let prompts = server.prompts().await.unwrap();
    let simple = prompts.iter().find(|prompt| prompt.arguments.is_empty()).unwrap();
    let messages = server.prompt(&simple.name, json!({})).await.unwrap();
    assert_eq!(messages[0].role, "user");
}

#[tokio::test]
async fn everything_over_stdio() {
    let Some(script) = script("server-everything") else { return };
    let server = McpServer::connect("everything", McpConfig::command("node", [script.as_str(), "stdio"]))
        .await
        .unwrap();
    everything(&server).await;
    let app = app(server).await;
    let ask = Event::new("mcp.everything.echo").with_data(json!({"message": "by event"}));
    let results = app.process_event(ask).await.unwrap();
    assert_eq!(results[0].event_type, "mcp.everything.echo.result");
    assert!(results[0].labels.contains("untrusted"));
    assert!(results[0].data.value()["text"].as_str().unwrap().contains("by event"));
    for (event, key) in [
        (Event::new("mcp.everything.resources.list"), "resources"),
        (Event::new("mcp.everything.prompts.list"), "prompts"),
    ] {
        let results = app.process_event(event).await.unwrap();
        assert!(results[0].event_type.ends_with(".list.result"));
        let listed = results[0].data.value();
        assert!(!listed[key].as_array().unwrap().is_empty());
        if key == "resources" {
            let read =
                Event::new("mcp.everything.resources.read").with_data(json!({"uri": listed[key][0]["uri"]}));
            let results = app.process_event(read).await.unwrap();
            assert!(results[0].data.value()["contents"][0].is_object(), "{results:?}");
        }
    }
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn everything_over_http() {
    let Some(script) = script("server-everything") else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut node = tokio::process::Command::new("node")
        .args([script.as_str(), "streamableHttp"])
        .env("PORT", port.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(node.stderr.take().unwrap()).lines();
    let listening = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("listening") {
                return;
            }
        }
        panic!("the server ended");
    };
    tokio::time::timeout(PATIENCE, listening).await.unwrap();
    let config = McpConfig::url(format!("http://127.0.0.1:{port}/mcp"));
    let server = McpServer::connect("everything", config).await.unwrap();
    everything(&server).await;
    node.kill().await.unwrap();
    let app = app(server.clone()).await;
    let mut downs = app.subscribe("mcp.down").await.unwrap();
    let error = server.call("echo", json!({"message": "gone"})).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Failed), "{error}");
    assert_eq!(next(&mut downs).await.data.value()["server"], "everything");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn files_within_a_folder() {
    let Some(script) = script("server-filesystem") else { return };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let config = McpConfig::command("node", [script.as_str(), root.to_str().unwrap()]).deny(["move_*"]);
    let app = app(McpServer::connect("files", config).await.unwrap()).await;
    let path = root.join("note.txt");
    let write = json!({"path": path, "content": "written by a tool"});
    let results = app.process_event(Event::new("mcp.files.write_file").with_data(write)).await.unwrap();
    assert_eq!(results[0].event_type, "mcp.files.write_file.result", "{results:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "written by a tool");
    let read = Event::new("mcp.files.read_text_file").with_data(json!({"path": path}));
    let results = app.process_event(read).await.unwrap();
    assert_eq!(results[0].data.value()["text"], "written by a tool");
    let outside = Event::new("mcp.files.read_text_file").with_data(json!({"path": "/etc/passwd"}));
    let results = app.process_event(outside).await.unwrap();
    assert_eq!(results[0].event_type, "error", "{results:?}");
    let denied =
        Event::new("mcp.files.move_file").with_data(json!({"source": path, "destination": "/tmp/x"}));
    let results = app.process_event(denied).await.unwrap();
    assert!(results[0].data.value()["error"].as_str().unwrap().contains("no tool"), "{results:?}");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_remembered_is_there_after_a_restart() {
    let Some(script) = script("server-memory") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("memory.json");
    let config = McpConfig::command("node", [script]).env("MEMORY_FILE_PATH", file.to_str().unwrap());
    let server = McpServer::connect("memory", config.clone()).await.unwrap();
    let entities =
        json!({"entities": [{"name": "Ada", "entityType": "person", "observations": ["likes tea"]}]});
    server.call("create_entities", entities).await.unwrap();
    drop(server);
    until("the file", || file.exists()).await;
    let server = McpServer::connect("memory", config).await.unwrap();
    let graph: Value = server.call("read_graph", json!({})).await.unwrap().json().unwrap();
    assert_eq!(graph["entities"][0]["name"], "Ada", "{graph}");
}
