//! A process that is killed while its index follows loses no document of it.

use crate::exact;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use vextir_context::Hub;

const FILE: &str = "VEXTIR_SEARCH_KILLED";

/// Not a test of its own: the process that is killed. It tells what was acknowledged.
#[tokio::test]
async fn child() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let hub = Hub::open(Path::new(&file)).unwrap();
    let ann = hub.context("ann");
    let first = ann.list("/n").await.unwrap().len();
    for number in first.. {
        let text = format!("number{number} {}", "filler words ".repeat(number % 300));
        ann.write(&format!("/n/{number:05}"), text).await.unwrap();
        println!("\nwritten {number}");
    }
}

#[tokio::test]
async fn every_document_that_was_acknowledged_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let mut written = 0;
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child", "--nocapture"])
            .env(FILE, &file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let goal = written + 40 + 17 * round;
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line.strip_prefix("written ") {
                written = number.parse::<usize>().unwrap() + 1;
                if written >= goal {
                    break;
                }
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(written >= goal, "the child ended by itself");
    }
    let hub = Hub::open(&file).unwrap();
    let ann = hub.context("ann");
    ann.search("x").fresh_within(Duration::from_secs(120)).await.unwrap();
    for number in 0..written {
        assert_eq!(exact(&ann, &format!("number{number} ")).await, [format!("/n/{number:05}")]);
    }
    let waiting = hub.search_state().await.unwrap();
    assert_eq!((waiting.behind, waiting.waiting), (0, 0));
}
