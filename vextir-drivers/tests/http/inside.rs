//! Ways that would lead inside.

use crate::server::{Server, redirect, text};
use crate::{app, get, here};
use serde_json::json;
use std::net::IpAddr;
use vextir_core::Event;
use vextir_drivers::http::{HttpFetched, HttpTools};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn nothing_is_allowed_until_it_is_said() {
    let server = Server::always(text("secret"));
    for tools in [HttpTools::new(), HttpTools::new().allow("example.com")] {
        let error = get(tools, &server.base).await.unwrap_err().to_string();
        assert!(error.contains("127.0.0.1 is not among the hosts"), "{error}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn names_that_lead_inside_are_refused() {
    let server = Server::always(text("secret"));
    let port = server.port;
    let everywhere = || HttpTools::new().allow("*");
    for (tools, host) in [
        (everywhere(), "127.0.0.1"),
        (everywhere(), "localhost"),
        (everywhere(), "LOCALHOST."),
        (everywhere(), "[::1]"),
        (everywhere(), "[::ffff:127.0.0.1]"),
        (everywhere(), "0x7f000001"),
        (everywhere().resolve("inside.example", [ip("127.0.0.1")]), "inside.example"),
        (everywhere().resolve("inside.example", [ip("169.254.169.254")]), "inside.example"),
        (everywhere().resolve("inside.example", [ip("::ffff:127.0.0.1")]), "inside.example"),
        // One address of several is enough.
        (everywhere().resolve("inside.example", [ip("1.1.1.1"), ip("127.0.0.1")]), "inside.example"),
        (HttpTools::new().allow("*.example").resolve("a.example", [ip("127.0.0.1")]), "a.example"),
    ] {
        let error = get(tools, &format!("http://{host}:{port}/")).await.unwrap_err().to_string();
        assert!(error.contains("which is no public address"), "{host}: {error}");
    }
    assert!(server.asked().is_empty());
    let known = |host: &str| {
        HttpTools::new().allow("*").allow_private(host).resolve("inside.example", [ip("127.0.0.1")])
    };
    let url = format!("http://inside.example:{port}/");
    let page = get(known(&format!("inside.example:{port}")), &url).await.unwrap();
    assert_eq!(page.text, "secret");
    // Without a port it is allowed with the usual ones alone.
    let error = get(known("inside.example"), &url).await.unwrap_err().to_string();
    assert!(error.contains("which is no public address"), "{error}");
}

#[tokio::test]
async fn redirects_that_lead_inside_are_refused() {
    let inside = Server::always(text("secret"));
    let port = inside.port;
    for to in [
        format!("http://localhost:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://inside.example:{port}/"),
        format!("http://user:secret@127.0.0.1:{port}/"),
        "file:///etc/passwd".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
    ] {
        let server = Server::always(redirect(&to));
        let tools = here().allow("*").resolve("inside.example", [ip("127.0.0.2")]);
        let error = get(tools, &server.base).await.unwrap_err().to_string();
        assert!(!error.contains("secret"), "{to}: {error}");
        assert_eq!(server.asked().len(), 1, "a refusal is not tried again: {error}");
    }
    assert!(inside.asked().is_empty());
}

#[tokio::test]
async fn headers_stay_with_the_host_that_they_are_for() {
    let other = Server::always(text("x"));
    let server = Server::always(redirect(&other.base));
    let app = app(here()).await;
    let ask = json!({"url": server.base, "headers": {"authorization": "Bearer abc"}});
    let event = Event::new("http.fetch").with_data(ask);
    let _: HttpFetched = app.as_user("ann").request(event).await.unwrap();
    assert!(server.asked()[0].contains("Bearer abc"));
    assert!(!other.asked()[0].contains("Bearer abc"), "{:?}", other.asked());
}
