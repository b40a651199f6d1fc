//! A server over HTTP that has no time.

use crate::stage::{app, has_node, until};
use serde_json::json;
use std::path::Path;
use vextir::{ErrorKind, Event};
use vextir_drivers::mcp::{McpConfig, McpServer};

#[tokio::test]
async fn what_a_busy_server_did_not_take_is_sent_again() {
    if !has_node() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("port");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp/servers/busy.mjs");
    let mut node = tokio::process::Command::new("node");
    let _busy = node.arg(script).arg(&port).kill_on_drop(true).spawn().unwrap();
    until("its port", || port.exists()).await;
    let url = format!("http://127.0.0.1:{}/mcp", std::fs::read_to_string(&port).unwrap());
    let handle = McpServer::connect("s", McpConfig::url(url)).await.unwrap();
    let app = app(handle.clone()).await;
    // It is no tool that may be repeated: that the server did not take the call is known all the same.
    let caused = app.process_event(Event::new("mcp.s.once")).await.unwrap();
    assert_eq!(caused.len(), 1, "{caused:?}");
    assert_eq!(caused[0].data.value()["text"], "call 2", "{caused:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("port.done")).unwrap(), ".");
    // Of an answer that is cut off nobody knows.
    let error = handle.call("once", json!({"cut": true})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed, "{error}");
    assert!(error.to_string().contains("not known whether it was done"), "{error}");
    app.shutdown().await.unwrap();
}
