//! Our server, with a client that is not ours.

use crate::stage::{PATIENCE, next, packages, until};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vextir::prelude::*;
use vextir::{AuthorizeRequest, Authorizer, Decision, MemoryBus, Verdict};
use vextir_context::Hub;
use vextir_drivers::mcp::{McpConfig, McpServer, Offer, Serving};

/// Says for whom this test binary serves MCP over its input and output, if it does.
const SERVE: &str = "VEXTIR_TEST_SERVES";

/// Ask for the weather at one place.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.get")]
struct GetWeather {
    location: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.data", category = "output")]
struct Weather {
    location: String,
    celsius: f64,
    user: String,
}

/// Tells the weather, fails, waits, answers twice.
struct Works(Arc<AtomicUsize>);

#[vextir::async_trait]
impl Driver for Works {
    fn manifest(&self) -> Manifest {
        use vextir::{Capability, Effect};
        Manifest::new("works")
            .can(Capability::of::<GetWeather>().describe("Tells the weather.").effect(Effect::Reads))
            .handles("work.fails")
            .handles("work.waits")
            .handles("work.twice")
            .handles("work.held")
            .with_retries(0)
            .with_timeout(Duration::from_secs(300))
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        match event.event_type.as_str() {
            "weather.get" => {
                let GetWeather { location } = event.decode()?;
                let user = cx.user().to_string();
                Ok(vec![Event::of(&Weather { location, celsius: 21.5, user })?])
            }
            "work.fails" => Err(Failure::permanent("the roof leaks").into()),
            "work.waits" => {
                self.0.fetch_add(1, Ordering::SeqCst);
                cx.cancelled().await;
                self.0.fetch_add(100, Ordering::SeqCst);
                Ok(Vec::new())
            }
            "work.twice" => {
                let answer =
                    |n| Event::new("work.answer").with_category(Category::Output).with_data(json!(n));
                Ok(vec![answer(1), answer(2)])
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// Holds what is named so.
#[derive(Debug)]
struct Holds;

#[vextir::async_trait]
impl Authorizer for Holds {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> vextir::Result<Verdict> {
        let is_held = request.event.event_type == "work.held";
        Ok(if is_held {
            Verdict::Hold(Decision::new("four eyes", "somebody else looks"))
        } else {
            Verdict::Allow
        })
    }
}

async fn app(waiting: &Arc<AtomicUsize>) -> Processor {
    let builder = Processor::builder(MemoryBus::new()).driver(Works(waiting.clone())).authorizer(Holds);
    builder.start().await.unwrap()
}

fn offer(app: &Processor) -> Offer {
    Offer::new(app).tool("weather.get").tool("work.*")
}

/// A server over HTTP; the tokens are `key-NAME`.
async fn http(app: &Processor, offer: Offer) -> (Serving, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = app.clone();
    let admit = move |token: &str| Some(app.as_user(token.strip_prefix("key-")?));
    let serving = offer.serve_http(listener, admit).await.unwrap();
    let url = format!("http://{}/mcp", serving.address());
    (serving, url)
}

/// Starts the client with its steps.
fn client(steps: &Value, way: &[&str]) -> tokio::process::Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/components/mcp_client.mjs");
    tokio::process::Command::new("node")
        .arg(script)
        .arg(steps.to_string())
        .args(way)
        .env(SERVE, "ada")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// What the steps brought.
async fn told(client: tokio::process::Child) -> Vec<Value> {
    let output = tokio::time::timeout(PATIENCE, client.wait_with_output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn steps() -> Value {
    json!([
        ["tools"],
        ["call", "weather_get", {"location": "Oslo"}],
        ["call", "weather_get", {"location": 7}],
        ["call", "work_fails", {}],
        ["call", "work_twice", {}],
        ["call", "work_held", {}],
        ["call", "no_such", {}],
    ])
}

/// What the steps bring, however the server is reached.
fn judge(told: &[Value], user: &str) {
    assert_eq!(told.len(), 7, "{told:?}");
    let tools = told[0]["tools"].as_array().unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["weather_get", "work_fails", "work_held", "work_twice", "work_waits"]);
    assert_eq!(tools[0]["description"], "Tells the weather.");
    assert_eq!(tools[0]["inputSchema"]["required"], json!(["location"]));
    assert_eq!(tools[0]["annotations"]["readOnlyHint"], true);
    assert_eq!(told[1]["structuredContent"], json!({"location": "Oslo", "celsius": 21.5, "user": user}));
    let failed = |index: usize| {
        assert_eq!(told[index]["isError"], true, "{}", told[index]);
        told[index]["content"][0]["text"].as_str().unwrap()
    };
    assert!(failed(2).contains("location"), "{}", failed(2));
    assert!(failed(3).contains("the roof leaks"));
    let both: Value = serde_json::from_str(told[4]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(both[1], json!({"type": "work.answer", "data": 2}));
    assert!(failed(5).contains("it is held") && failed(5).contains("event 0"), "{}", failed(5));
    let text = told[6].to_string();
    assert!(text.contains("there is no tool"), "{text}");
}

/// Not a test of its own: this binary as a server, when a client has started it.
#[tokio::test]
async fn serves_when_it_is_asked_to() {
    let Ok(user) = std::env::var(SERVE) else { return };
    let app = app(&Arc::default()).await;
    offer(&app).serve_stdio(app.as_user(user)).await.unwrap();
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn over_stdio() {
    if packages().is_none() {
        return;
    }
    let own = std::env::current_exe().unwrap();
    let way = ["stdio", own.to_str().unwrap(), "--exact", "offer::serves_when_it_is_asked_to", "--nocapture"];
    judge(&told(client(&steps(), &way)).await, "ada");
}

#[tokio::test]
async fn over_http() {
    if packages().is_none() {
        return;
    }
    let app = app(&Arc::default()).await;
    let (serving, url) = http(&app, offer(&app)).await;
    judge(&told(client(&steps(), &["http", &url, "key-bob"])).await, "bob");
    let refused = told(client(&json!([["tools"]]), &["http", &url, "stolen"])).await;
    assert!(refused[0]["refused"].is_string(), "{refused:?}");
    serving.shutdown().await.unwrap();
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn who_takes_a_call_back_cancels_what_it_caused() {
    if packages().is_none() {
        return;
    }
    let waiting = Arc::<AtomicUsize>::default();
    let app = app(&waiting).await;
    let (serving, url) = http(&app, offer(&app)).await;
    let mut client = client(&json!([["abort", "work_waits", {}]]), &["http", &url, "key-bob"]);
    until("the call", || waiting.load(Ordering::SeqCst) == 1).await;
    let mut input = client.stdin.take().unwrap();
    input.write_all(b"\n").await.unwrap();
    until("its end", || waiting.load(Ordering::SeqCst) == 101).await;
    drop(input);
    assert!(told(client).await[0]["thrown"].as_str().unwrap().contains("changed my mind"));
    serving.shutdown().await.unwrap();
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn calls_are_bounded_in_time_and_number() {
    if packages().is_none() {
        return;
    }
    let app = app(&Arc::default()).await;
    let (_serving, url) = http(&app, offer(&app).timeout(Duration::from_millis(200)).most_calls(1)).await;
    let both = json!([["together", ["call", "work_waits", {}], ["call", "work_waits", {}]]]);
    let told = told(client(&both, &["http", &url, "key-bob"])).await;
    let text = told[0].to_string();
    assert!(text.contains("no answer within 200ms; the work goes on as event"), "{text}");
    assert!(text.contains("1 calls run already"), "{text}");
}

#[tokio::test]
async fn documents_are_read_within_the_users_rights() {
    if packages().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("vextir.db")).unwrap();
    let app = Processor::builder(hub).start().await.unwrap();
    for (user, path) in [("bob", "/Notes/a b.md"), ("bob", "/Private/c.md"), ("eve", "/Notes/d.md")] {
        app.context(user).write(path, "of ".to_owned() + user).await.unwrap();
    }
    let (_serving, url) = http(&app, Offer::new(&app).documents("/Notes")).await;
    let steps = json!([
        ["resources"],
        ["read", "vextir:///Notes/a%20b.md"],
        ["read", "vextir:///Private/c.md"],
        ["read", "vextir:///Notes/../Private/c.md"],
        ["read", "vextir:///Notes/d.md"],
    ]);
    let told = told(client(&steps, &["http", &url, "key-bob"])).await;
    assert_eq!(told[0]["resources"][0]["uri"], "vextir:///Notes/a%20b.md");
    assert_eq!(told[0]["resources"].as_array().unwrap().len(), 1);
    assert_eq!(told[1]["contents"][0]["text"], "of bob");
    for refused in &told[2..] {
        assert!(refused["thrown"].as_str().unwrap().contains("there is no such document"), "{refused}");
    }
    app.shutdown().await.unwrap();
}

/// Sends a request by hand, and returns what comes back until the server closes or falls silent.
async fn by_hand(serving: &Serving, headers: &str, body: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(serving.address()).await.unwrap();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         Connection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    // A server that refuses need not read it all.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// The first message of a client.
fn hello() -> String {
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}});
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string()
}

#[tokio::test]
async fn the_door_over_http_is_narrow() {
    let app = app(&Arc::default()).await;
    let (serving, _) = http(&app, offer(&app).max_message_bytes(10_000).most_sessions(1)).await;
    let hello = hello();
    let host = format!("Host: {}\r\n", serving.address());
    let bob = format!("{host}Authorization: Bearer key-bob\r\n");
    let status = |answer: &str| answer.split(' ').nth(1).unwrap_or_default().to_owned();
    let none = by_hand(&serving, &host, &hello).await;
    assert!(status(&none) == "401" && none.to_lowercase().contains("www-authenticate: bearer"), "{none}");
    let rebound = "Host: evil.example\r\nAuthorization: Bearer key-bob\r\n";
    assert_eq!(status(&by_hand(&serving, rebound, &hello).await), "403");
    let page = format!("{bob}Origin: https://evil.example\r\n");
    assert_eq!(status(&by_hand(&serving, &page, &hello).await), "403");
    let long = " ".repeat(20_000);
    assert_eq!(status(&by_hand(&serving, &bob, &long).await), "413");
    let opened = by_hand(&serving, &bob, &hello).await;
    assert_eq!(status(&opened), "200", "{opened}");
    let session = opened
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("mcp-session-id: ").map(str::to_owned));
    let session = session.unwrap();
    // The one session that may be is open.
    assert_eq!(status(&by_hand(&serving, &bob, &hello).await), "503");
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).to_string();
    let eve = format!("{host}Authorization: Bearer key-eve\r\nMcp-Session-Id: {session}\r\n");
    assert_eq!(status(&by_hand(&serving, &eve, &list).await), "404", "another's session");
    serving.shutdown().await.unwrap();
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn one_user_does_not_take_all_sessions() {
    let app = app(&Arc::default()).await;
    let (serving, _) = http(&app, offer(&app).most_sessions(5)).await;
    let hello = hello();
    let opened = async |user: &str| {
        let headers = format!("Host: {}\r\nAuthorization: Bearer key-{user}\r\n", serving.address());
        by_hand(&serving, &headers, &hello).await.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    for _ in 0..4 {
        assert_eq!(opened("bob").await, "200");
    }
    assert_eq!(opened("bob").await, "503", "bob has his part");
    assert_eq!(opened("eve").await, "200");
    assert_eq!(opened("ann").await, "503", "all are open");
    serving.shutdown().await.unwrap();
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_too_large_is_answered_over_stdio() {
    let own = std::env::current_exe().unwrap();
    let mut server = tokio::process::Command::new(own)
        .args(["--exact", "offer::serves_when_it_is_asked_to", "--nocapture"])
        .env(SERVE, "ada")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut input, output) = (server.stdin.take().unwrap(), server.stdout.take().unwrap());
    let mut lines = tokio::io::BufReader::new(output).lines();
    let long = "x".repeat(2 << 20);
    let call = json!({"method": "tools/call", "params": {"name": "weather_get", "arguments": {"location": long}}, "id": 2});
    for message in [
        hello(),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string(),
        call.to_string(),
    ] {
        input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }
    let answered = async {
        loop {
            // The test program itself writes there, too.
            let line = lines.next_line().await.unwrap().expect("the server ended");
            match serde_json::from_str::<Value>(&line) {
                Ok(answer) if answer["id"] == 2 => break answer,
                _ => {}
            }
        }
    };
    let answer = tokio::time::timeout(PATIENCE, answered).await.unwrap();
    assert_eq!(answer["error"], json!({"code": -32600, "message": "larger than 1048576 bytes"}));
    drop(input);
    assert!(tokio::time::timeout(PATIENCE, server.wait()).await.unwrap().unwrap().success());
}

#[tokio::test]
async fn one_processor_calls_another() {
    let theirs = app(&Arc::default()).await;
    let (serving, url) = http(&theirs, offer(&theirs)).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "key-carol").unwrap();
    let key = vextir_drivers::secret::SecretRef::file(folder.path().join("key"));
    let server = McpServer::connect("other", McpConfig::url(url).key(key)).await.unwrap();
    let ours = crate::stage::app(server).await;
    let mut results = ours.subscribe("mcp.other.weather_get.result").await.unwrap();
    ours.emit(Event::new("mcp.other.weather_get").with_data(json!({"location": "Bergen"}))).await.unwrap();
    let answer = next(&mut results).await.data.value();
    assert_eq!(answer["structured"]["user"], "carol", "{answer}");
    ours.shutdown().await.unwrap();
    serving.shutdown().await.unwrap();
    theirs.shutdown().await.unwrap();
}
