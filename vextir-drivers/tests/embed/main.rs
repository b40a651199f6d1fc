//! The HTTP embedder against real servers on this machine.
#![cfg(feature = "embed-http")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hostile;
mod hub;
mod server;
mod waiting;

use serde_json::json;
use server::{Answer, Server, ok, right, vector};
use std::time::Duration;
use vextir_core::context::Embedder;
use vextir_core::{ErrorKind, RetryPolicy};
use vextir_drivers::embed::{HttpEmbedder, HttpEmbedderBuilder};

const KEY: &str = "sk-very-secret";

/// The choices for a test: small vectors, short pauses.
fn choices(server: &Server) -> HttpEmbedderBuilder {
    HttpEmbedder::builder(&server.base, "animals")
        .dimensions(8)
        .key(KEY)
        .retry(RetryPolicy { base: Duration::from_millis(10), cap: Duration::from_millis(500) })
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn texts_become_vectors_in_order_in_batches() {
    let server = Server::start(|_, asked| Answer::Raw(right(asked)));
    let embedder = choices(&server).batch(2).build().unwrap();
    let asked = texts(&["a dog", "", "a cat", " \n", "a kitten and a puppy"]);
    let vectors = embedder.embed(&asked).await.unwrap();
    let nothing = vec![0.0; 8];
    assert_eq!(
        vectors,
        [vector("a dog"), nothing.clone(), vector("a cat"), nothing, vector("a kitten and a puppy")]
    );
    let requests = server.asked();
    let sent: Vec<_> = requests.iter().map(server::Asked::input).collect();
    assert_eq!(
        sent,
        [texts(&["a dog", "a cat"]), texts(&["a kitten and a puppy"])],
        "what is empty is not sent"
    );
    assert_eq!(requests[0].body, json!({"model": "animals", "input": ["a dog", "a cat"]}));
    assert!(requests[0].head.starts_with("post /v1/embeddings http/1.1"), "{}", requests[0].head);
    assert!(requests[0].head.contains(&format!("authorization: bearer {KEY}")));
    assert!(embedder.embed(&[]).await.unwrap().is_empty());
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn dimensions_are_asked_for_once_or_given_or_wanted() {
    let server = Server::start(|_, asked| Answer::Raw(right(asked)));
    let embedder = HttpEmbedder::builder(&server.base, "animals").connect().await.unwrap();
    assert_eq!((embedder.name(), embedder.dimensions(), embedder.floor()), ("animals", 8, 0.0));
    assert!(!server.asked()[0].head.contains("authorization"), "no key was given");
    embedder.embed(&texts(&["a dog"])).await.unwrap();
    assert_eq!(server.asked().len(), 2);

    let named = choices(&server).name("animals-2").floor(0.5).build().unwrap();
    assert_eq!((named.name(), named.dimensions(), named.floor()), ("animals-2", 8, 0.5));
    let short = choices(&server).shorten_to(8).build().unwrap();
    short.embed(&texts(&["a cat"])).await.unwrap();
    assert_eq!(server.asked()[2].body["dimensions"], 8);

    let error = choices(&server).dimensions(16).connect().await.unwrap_err();
    assert!(error.to_string().contains("8 numbers instead of 16"), "{error}");
    let tiny = Server::always(ok(&json!({"data": [{"index": 0, "embedding": [1, 2, 3]}]})));
    let error = HttpEmbedder::builder(&tiny.base, "tiny").connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("3 numbers"), "{error}");
}

#[tokio::test]
async fn choices_that_do_not_fit_are_refused() {
    let builder = || HttpEmbedder::builder("http://127.0.0.1:1/v1", "model").dimensions(8);
    let cases = [
        (HttpEmbedder::builder("http://127.0.0.1:1", "model"), ".connect()"),
        (HttpEmbedder::builder("127.0.0.1:1", "model").dimensions(8), "base address"),
        (HttpEmbedder::builder("http://127.0.0.1:1", " ").dimensions(8), "model"),
        (builder().dimensions(7), "from 8 to 4096"),
        (builder().shorten_to(5_000), "from 8 to 4096"),
        (builder().batch(0), "1 to 256"),
        (builder().batch(257), "1 to 256"),
        (builder().timeout(Duration::ZERO), "timeout"),
        (builder().floor(f32::NAN), "cosine"),
        (builder().name(""), "empty"),
        (builder().key(" \n"), "key is empty"),
        (builder().key("a\nb"), "key has signs"),
    ];
    for (builder, expected) in cases {
        let error = builder.clone().build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(expected), "{error}");
        if expected != ".connect()" {
            let error = builder.connect().await.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
    // A key from a file ends with its line.
    builder().key(format!("{KEY}\n")).build().unwrap();
    let outside = std::thread::spawn(move || builder().build().unwrap_err()).join().unwrap();
    assert!(outside.to_string().contains("tokio runtime"), "{outside}");
}

#[tokio::test]
async fn the_key_is_not_shown() {
    let server = Server::start(|_, asked| Answer::Raw(right(asked)));
    let builder = choices(&server);
    assert!(!format!("{builder:?}").contains("secret"), "{builder:?}");
    let embedder = builder.build().unwrap();
    assert!(!format!("{embedder:?}").contains("secret"), "{embedder:?}");
    assert!(format!("{embedder:#?}").contains("animals"));
}
