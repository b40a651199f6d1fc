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
    /// The first line and the headers.
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Asked {
    /// The texts.
    pub(crate) fn input(&self) -> Vec<String> {
        serde_json::from_value(self.body["input"].clone()).unwrap()
    }
}

/// What the server does.
pub(crate) enum Answer {
    /// Sends these bytes and closes.
    Raw(String),
    /// Sends bytes without an end, until nobody takes them.
    Endless,
    /// Says nothing until the other side goes away.
    Silent,
}

pub(crate) struct Server {
    pub(crate) base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// How many were gone before they got an answer.
    pub(crate) gone: Arc<Mutex<usize>>,
}

impl Server {
    /// Answers with a function of the request's number (from 1) and the request.
    pub(crate) fn start(answer: impl Fn(usize, &Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
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
}

fn serve(
    mut stream: TcpStream,
    all: &Mutex<Vec<Asked>>,
    gone: &Mutex<usize>,
    answer: &(impl Fn(usize, &Asked) -> Answer + ?Sized),
) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let Some(asked) = read(&mut stream) else { return };
    let number = {
        let mut all = all.lock().unwrap();
        all.push(asked.clone());
        all.len()
    };
    match answer(number, &asked) {
        Answer::Raw(bytes) => drop(stream.write_all(bytes.as_bytes())),
        Answer::Endless => {
            let start = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"data\": [";
            let mut is_taken = stream.write_all(start).is_ok();
            while is_taken {
                is_taken = stream.write_all(&[b' '; 64 << 10]).is_ok();
            }
            *gone.lock().unwrap() += 1;
        }
        Answer::Silent => {
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

/// A good one with this body.
pub(crate) fn ok(body: &Value) -> String {
    status("200 OK", "content-type: application/json\r\n", &body.to_string())
}

/// A vector of 8 numbers that tells how long a text is and whether it is about dogs.
pub(crate) fn vector(text: &str) -> Vec<f32> {
    let is_about = |words: [&str; 2]| f32::from(words.iter().any(|word| text.contains(word)));
    vec![
        is_about(["dog", "puppy"]),
        is_about(["cat", "kitten"]),
        text.len() as f32 / 1_000.0,
        0.,
        0.,
        0.,
        0.,
        0.,
    ]
}

/// The right answer, last text first.
pub(crate) fn right(asked: &Asked) -> String {
    let entry = |(index, text): (usize, &String)| json!({"object": "embedding", "index": index, "embedding": vector(text)});
    let data: Vec<Value> = asked.input().iter().enumerate().rev().map(entry).collect();
    ok(&json!({"object": "list", "data": data, "model": "animals", "usage": {"total_tokens": 1}}))
}
