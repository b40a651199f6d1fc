//! What is fetched, and what bounds it.

use crate::server::{Server, redirect, status, text};
use crate::{app, get, here};
use serde_json::json;
use std::io::Write;
use std::thread;
use std::time::Duration;
use vextir_core::Event;
use vextir_drivers::http::HttpFetched;

#[tokio::test]
async fn a_page_comes_as_text_and_is_untrusted() {
    let server = Server::always(text("caf\u{e9}"));
    let app = app(here()).await;
    let mut fetched = app.subscribe("http.fetched").await.unwrap();
    let ask = json!({"url": format!("{}/page?x=1", server.base), "headers": {"accept": "text/plain"}});
    app.emit(Event::new("http.fetch").with_data(ask)).await.unwrap();
    let event = fetched.next().await.unwrap().unwrap();
    assert!(event.labels.iter().any(|label| *label == "untrusted"));
    let page: HttpFetched = event.decode().unwrap();
    assert_eq!((page.status, page.text.as_str(), page.truncated), (200, "caf\u{e9}", false));
    assert!(page.content_type.starts_with("text/plain"));
    let asked = &server.asked()[0];
    assert!(asked.starts_with("GET /page?x=1 HTTP/1.1") && asked.contains("accept: text/plain"), "{asked}");
}

#[tokio::test]
async fn a_status_that_says_no_is_an_answer() {
    let server = Server::always(status("404 Not Found", "content-type: text/html\r\n", b"<p>no"));
    let page = get(here(), &server.base).await.unwrap();
    assert_eq!((page.status, page.text.as_str()), (404, "<p>no"));
}

#[tokio::test]
async fn what_is_long_or_endless_is_cut() {
    let endless = Server::start(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
        let mut is_taken = stream.write_all(head).is_ok();
        while is_taken {
            is_taken = stream.write_all(&[b'x'; 64 << 10]).is_ok();
        }
    });
    let page = get(here(), &endless.base).await.unwrap();
    assert_eq!((page.text.len(), page.truncated), (256 << 10, true));
    let page = get(here().max_bytes(10), &endless.base).await.unwrap();
    assert_eq!((page.text.as_str(), page.truncated), ("xxxxxxxxxx", true));
    let large = Server::start(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 52428800\r\n\r\n";
        let mut left = if stream.write_all(head).is_ok() { 800 } else { 0 };
        while left > 0 && stream.write_all(&[b'y'; 64 << 10]).is_ok() {
            left -= 1;
        }
    });
    let page = get(here().max_bytes(usize::MAX), &large.base).await.unwrap();
    assert_eq!((page.text.len(), page.truncated), (512 << 10, true));
}

#[tokio::test]
async fn what_is_slow_or_silent_ends() {
    let slow = Server::start(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
        let mut is_taken = stream.write_all(head).is_ok();
        while is_taken {
            thread::sleep(Duration::from_millis(20));
            is_taken = stream.write_all(b"x").is_ok();
        }
    });
    let silent = Server::start(|_, _| thread::sleep(Duration::from_secs(60)));
    for server in [slow, silent] {
        let app = app(here().timeout(Duration::from_millis(500))).await;
        let mut errors = app.subscribe("error").await.unwrap();
        app.emit(Event::new("http.fetch").with_data(json!({"url": server.base}))).await.unwrap();
        let failed = errors.next().await.unwrap().unwrap();
        assert!(server.asked().len() > 1, "it is tried again: {failed:?}");
    }
}

#[tokio::test]
async fn what_is_no_text_is_told_and_not_passed_on() {
    let mut bomb = vec![0x1f, 0x8b, 8, 0];
    bomb.extend([0; 5_000]);
    let packed = "content-type: text/html\r\ncontent-encoding: gzip\r\n";
    for answer in [
        status("200 OK", "content-type: image/png\r\n", b"\x89PNG"),
        status("200 OK", packed, &bomb),
        status("200 OK", "content-type: text/plain\r\n", b"a\0b"),
    ] {
        let page = get(here(), &Server::always(answer).base).await.unwrap();
        assert!(page.binary && page.text.is_empty(), "{page:?}");
    }
    let wrong = status("200 OK", "content-type: text/plain; charset=utf-8\r\n", b"caf\xe9 \xff");
    let page = get(here(), &Server::always(wrong).base).await.unwrap();
    assert_eq!(page.text, "caf\u{fffd} \u{fffd}");
}

#[tokio::test]
async fn what_is_cut_off_fails() {
    let server = Server::always(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec());
    let error = get(here(), &server.base).await.unwrap_err().to_string();
    assert!(error.contains("cut off"), "{error}");
    let noise = Server::always(b"\x16\x03\x01 this is no HTTP".to_vec());
    assert!(get(here(), &noise.base).await.is_err());
}

#[tokio::test]
async fn redirects_are_followed_a_few_times() {
    let server = Server::start(|request, stream| {
        let step: u32 = request.split('/').nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let answer = if step == 0 { text("there") } else { redirect(&format!("/{}", step - 1)) };
        let _ = stream.write_all(&answer);
    });
    let page = get(here(), &format!("{}/5", server.base)).await.unwrap();
    assert_eq!((page.text.as_str(), page.url), ("there", format!("{}/0", server.base)));
    let error = get(here(), &format!("{}/6", server.base)).await.unwrap_err().to_string();
    assert!(error.contains("more than 5 redirects"), "{error}");
}

#[tokio::test]
async fn other_methods_are_allowed_by_name_and_not_repeated() {
    let server = Server::always(redirect("/done"));
    let ask = json!({"url": server.base, "method": "post", "body": "{\"a\":1}"});
    let post = || Event::new("http.fetch").with_data(ask.clone());
    let refused = app(here()).await.as_user("ann").request::<HttpFetched>(post()).await.unwrap_err();
    assert!(refused.to_string().contains("POST is not among the methods"), "{refused}");
    assert!(server.asked().is_empty());
    let cut = Server::always(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec());
    let ask = json!({"url": cut.base, "method": "POST", "body": "{\"a\":1}"});
    let app = app(here().with_methods(["POST"])).await;
    let post = Event::new("http.fetch").with_data(ask);
    assert!(app.as_user("ann").request::<HttpFetched>(post).await.is_err());
    app.idle().await;
    let asked = cut.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("idempotency-key: ") && asked[0].ends_with("{\"a\":1}"), "{asked:?}");
}

#[tokio::test]
async fn headers_of_the_connection_are_not_the_askers() {
    let server = Server::always(text("x"));
    let app = app(here()).await;
    for name in ["Host", "content-length", "Transfer-Encoding", "proxy-authorization", "bad name"] {
        let ask = json!({"url": server.base, "headers": {name: "1"}});
        let event = Event::new("http.fetch").with_data(ask);
        let error = app.as_user("ann").request::<HttpFetched>(event).await.unwrap_err().to_string();
        assert!(error.contains("cannot be sent"), "{name}: {error}");
    }
    assert!(server.asked().is_empty());
}
