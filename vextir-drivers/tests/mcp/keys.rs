//! Servers that say the key that they were given.

use crate::stage::{app, faulty, has_node, next};
use serde_json::json;
use vextir::{Event, Start};
use vextir_drivers::mcp::{McpConfig, McpDown, McpServer};

const KEY: &str = "sk-0123456789";

/// A server that was given a key, in a mode.
fn with_key(mode: &str, folder: &std::path::Path) -> McpConfig {
    std::fs::write(folder.join("key"), KEY).unwrap();
    faulty(mode, folder).env("SECRET", format!("file:{}", folder.join("key").display()).as_str())
}

#[tokio::test]
async fn a_key_stands_in_no_error() {
    if !has_node() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let error = McpServer::connect("s", with_key("blabs-at-start", folder.path())).await.unwrap_err();
    assert!(error.to_string().contains("cannot log in with ***"), "{error}");
    let server = McpServer::connect("s", with_key("blabs", folder.path())).await.unwrap();
    for arguments in [json!({}), json!({"refuse": true})] {
        let error = server.call("echo", arguments).await.unwrap_err();
        assert!(error.to_string().contains("no access with ***"), "{error}");
    }
    let app = app(server).await;
    let mut news = app.subscribe_from("mcp.down", Start::Beginning).await.unwrap();
    app.emit(Event::new("mcp.s.once").with_data(json!({"die": true}))).await.unwrap();
    let down: McpDown = next(&mut news).await.decode().unwrap();
    assert!(down.reason.contains("*** is wrong") && !down.reason.contains("012345"), "{down:?}");
    let errors = app.as_user("local").dead_letters(10).await.unwrap();
    assert!(!format!("{errors:?}").contains(KEY), "{errors:?}");
    app.shutdown().await.unwrap();
}
