//! Time: attempts, pauses, rests, and callers who go away.

use crate::server::{Answer, Server, right, status, vector};
use crate::{choices, texts};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use vextir_core::context::Embedder;
use vextir_core::{ErrorKind, RetryPolicy};
use vextir_drivers::embed::HttpEmbedder;

#[tokio::test]
async fn what_passes_by_is_tried_again() {
    for first in [
        status("503 Service Unavailable", "", ""),
        status("429 Too Many Requests", "retry-after: 0.3\r\n", ""),
        String::new(),
    ] {
        let asks = first.contains("retry-after");
        let server = Server::start(move |number, asked| {
            Answer::Raw(if number == 1 { first.clone() } else { right(asked) })
        });
        let embedder = choices(&server).build().unwrap();
        let start = Instant::now();
        assert_eq!(embedder.embed(&texts(&["a dog"])).await.unwrap(), [vector("a dog")]);
        assert_eq!(server.asked().len(), 2);
        if asks {
            assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
        }
    }
}

#[tokio::test]
async fn a_service_that_asks_for_a_long_pause_gets_it() {
    let server = Server::start(|number, asked| {
        Answer::Raw(match number {
            1 => status("429 Too Many Requests", "retry-after: 1\r\n", ""),
            _ => right(asked),
        })
    });
    let embedder = choices(&server).build().unwrap();
    let start = Instant::now();
    let error = embedder.embed(&texts(&["a dog"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("a pause of 1s"), "{error}");
    let error = embedder.clone().embed(&texts(&["a dog"])).await.unwrap_err();
    assert!(error.to_string().contains("rests"), "{error}");
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
    assert_eq!(server.asked().len(), 1, "it is left alone");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(embedder.embed(&texts(&["a dog"])).await.unwrap(), [vector("a dog")]);
}

#[tokio::test]
async fn a_service_that_is_away_is_left_alone_for_a_moment() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let policy = RetryPolicy { base: Duration::from_millis(1), cap: Duration::from_millis(200) };
    let embedder = HttpEmbedder::builder(&base, "animals").dimensions(8).retry(policy).build().unwrap();
    let error = embedder.embed(&texts(&["a dog"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let said = error.to_string();
    assert!(said.contains("refused") && said.contains(&base) && said.contains("attempts: 3"), "{said}");
    let start = Instant::now();
    let error = embedder.embed(&texts(&["a dog"])).await.unwrap_err();
    assert!(error.to_string().contains("rests"), "{error}");
    assert!(start.elapsed() < Duration::from_millis(100), "a search does not wait");
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert!(!embedder.embed(&texts(&["a dog"])).await.unwrap_err().to_string().contains("rests"));
}

/// A machine that is off refuses nothing: it says nothing.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_service_that_lets_nobody_in_is_away() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody is let in, so that more than a few wait outside.
    let mut inside = Vec::new();
    let limit = Duration::from_millis(200);
    while let Ok(stream) = tokio::time::timeout(limit, tokio::net::TcpStream::connect(address)).await {
        inside.push(stream.unwrap());
    }
    let base = format!("http://{address}/v1");
    let builder = HttpEmbedder::builder(&base, "animals").dimensions(8).retries(0);
    let embedder = builder.timeout(Duration::from_millis(400)).build().unwrap();
    let error = embedder.embed(&texts(&["a dog", "a cat"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("no connection"), "{error}");
    let error = embedder.embed(&texts(&["a dog"])).await.unwrap_err();
    assert!(error.to_string().contains("rests"), "{error}");
}

#[tokio::test]
async fn a_slow_answer_is_not_waited_for() {
    let server = Server::start(|_, _| Answer::Silent);
    let embedder = choices(&server).timeout(Duration::from_millis(100)).retries(1).build().unwrap();
    let start = Instant::now();
    let error = embedder.embed(&texts(&["a dog"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains(".timeout(..)"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn texts_that_are_too_many_or_too_much_leave_the_service_open_to_others() {
    let server = Server::start(|_, asked| match asked.input()[0].as_str() {
        "a dog" => Answer::Raw(right(asked)),
        "a slow dog" => Answer::Silent,
        _ => Answer::Raw(status("500 Internal Server Error", "", "")),
    });
    let embedder = choices(&server).timeout(Duration::from_millis(200)).build().unwrap();
    let cases = [
        (texts(&["a slow dog", "a dog"]), ErrorKind::Timeout, 1),
        (texts(&["a slow dog"]), ErrorKind::Timeout, 3),
        (texts(&["a large dog", "a dog"]), ErrorKind::Unavailable, 3),
    ];
    for (asked, kind, requests) in cases {
        let before = server.asked().len();
        assert_eq!(embedder.embed(&asked).await.unwrap_err().kind(), kind, "{asked:?}");
        assert_eq!(server.asked().len() - before, requests, "{asked:?}");
        assert_eq!(embedder.embed(&texts(&["a dog"])).await.unwrap(), [vector("a dog")]);
    }
}

#[tokio::test]
async fn a_request_ends_with_its_caller() {
    let server = Server::start(|_, _| Answer::Silent);
    let embedder = choices(&server).build().unwrap();
    let asked = texts(&["a dog"]);
    let start = Instant::now();
    let gave_up = tokio::time::timeout(Duration::from_millis(200), embedder.embed(&asked)).await;
    assert!(gave_up.is_err());
    while *server.gone.lock().unwrap() == 0 {
        assert!(start.elapsed() < Duration::from_secs(5), "the request goes on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_runtime_that_lacks_something_or_has_ended_is_an_error() {
    let server = Server::start(|_, asked| Answer::Raw(right(asked)));
    let asked = texts(&["a dog"]);
    let bare = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = bare.block_on(async { choices(&server).build().unwrap().embed(&asked).await.unwrap_err() });
    assert!(error.to_string().contains("enable_all"), "{error}");
    let whole =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let ended = whole();
    let embedder = ended.block_on(async { choices(&server).build().unwrap() });
    drop(ended);
    let error = whole().block_on(embedder.embed(&asked)).unwrap_err();
    assert!(error.to_string().contains("has ended"), "{error}");
}
