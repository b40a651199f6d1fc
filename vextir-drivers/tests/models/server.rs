//! A small HTTP server that answers as the test says, and remembers what it was asked.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The first line and the headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// What the server does.
pub(crate) enum Answer {
    /// Sends these bytes and closes.
    Raw(String),
    /// Sends the first, then the second without an end, until nobody takes them.
    Endless(String, String, Duration),
    /// Sends this, and says nothing more until the other side goes away.
    Silent(String),
}

pub(crate) struct Server {
    pub(crate) base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    gone: Arc<Mutex<usize>>,
}

impl Server {
    /// Answers with a function of the request's number (from 1) and the request.
    pub(crate) fn start(answer: impl Fn(usize, &Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (asked, gone, answer) =
            (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)), Arc::new(answer));
        let server = Self { base, asked: asked.clone(), gone: gone.clone() };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (asked, gone, answer) = (asked.clone(), gone.clone(), answer.clone());
                thread::spawn(move || serve(stream.unwrap(), &asked, &gone, &*answer));
            }
        });
        server
    }

    /// Answers each request alike.
    pub(crate) fn always(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::start(move |_, _| Answer::Raw(answer.clone()))
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Waits until so many have gone before they got a whole answer.
    pub(crate) async fn until_gone(&self, count: usize) {
        for _ in 0..2_000 {
            if *self.gone.lock().unwrap() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("they are still there");
    }
}

fn serve(
    mut stream: TcpStream,
    all: &Mutex<Vec<Asked>>,
    gone: &Mutex<usize>,
    answer: &(impl Fn(usize, &Asked) -> Answer + ?Sized),
) {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let Some(asked) = read(&mut stream) else { return };
    let number = {
        let mut all = all.lock().unwrap();
        all.push(asked.clone());
        all.len()
    };
    match answer(number, &asked) {
        Answer::Raw(bytes) => drop(stream.write_all(bytes.as_bytes())),
        Answer::Endless(start, more, pause) => {
            let mut is_taken = stream.write_all(start.as_bytes()).is_ok();
            while is_taken {
                is_taken = stream.write_all(more.as_bytes()).is_ok();
                thread::sleep(pause);
            }
            *gone.lock().unwrap() += 1;
        }
        Answer::Silent(start) => {
            stream.write_all(start.as_bytes()).unwrap();
            if matches!(stream.read(&mut [0; 16]), Ok(0) | Err(_)) {
                *gone.lock().unwrap() += 1;
            }
        }
    }
}

fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let length: usize = length.parse().unwrap();
        while bytes.len() < end + 4 + length {
            let read = stream.read(&mut chunk).unwrap();
            bytes.extend_from_slice(&chunk[..read]);
        }
        return Some(Asked { head, body: serde_json::from_slice(&bytes[end + 4..]).unwrap() });
    }
}

/// A whole answer.
pub(crate) fn status(line: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {line}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

/// The beginning of an answer of this type that ends when the connection does.
pub(crate) fn open(kind: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {kind}\r\n\r\n")
}

/// A stream of these events.
pub(crate) fn events<S: AsRef<str>>(parts: &[S]) -> String {
    let events: String = parts.iter().map(|part| format!("data: {}\n\n", part.as_ref())).collect();
    format!("{}{events}", open("text/event-stream"))
}

/// An answer of OpenAI's form, bit by bit: this text, and so many tokens.
pub(crate) fn said(text: &str, input: u64, output: u64) -> String {
    let half = text.len() / 2;
    let part = |text: &str| json!({"model": "tiny-1", "choices": [{"delta": {"content": text}}]}).to_string();
    let usage = json!({"prompt_tokens": input, "completion_tokens": output});
    events(&[
        part(&text[..half]),
        part(&text[half..]),
        json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}).to_string(),
        json!({"choices": [], "usage": usage}).to_string(),
        "[DONE]".to_owned(),
    ])
}
