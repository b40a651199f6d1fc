//! Commands: what they may, what bounds them, and what is told of them.
#![cfg(all(feature = "command", unix))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate vextir_core as vextir;

mod again;
mod crash;
mod limits;

use serde_json::json;
use std::path::Path;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::{Event, MemoryBus, Processor, Result};
use vextir_drivers::command::{CommandDriver, CommandFinished, CommandOutput, CommandRun};
use vextir_drivers::secret::SecretRef;

/// A shell is allowed, which a real application would not do.
fn shell() -> CommandDriver {
    CommandDriver::new().allow("sh", "/bin/sh").env("PATH", "/usr/bin:/bin")
}

fn script(text: &str) -> CommandRun {
    CommandRun::new("sh").args(["-c", text])
}

async fn app(driver: CommandDriver) -> Processor {
    Processor::builder(MemoryBus::new()).driver(driver).start().await.unwrap()
}

async fn run(driver: CommandDriver, ask: CommandRun) -> Result<CommandFinished> {
    app(driver).await.as_user("ann").request(ask).await
}

/// Waits until something holds.
async fn until(what: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not come to hold");
}

/// Whether a process with this number is there, and not only waits to be forgotten.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn pid_in(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

#[tokio::test]
async fn a_command_runs_and_says_how_it_ended() {
    let done = run(shell(), script("echo out; echo err >&2; exit 3")).await.unwrap();
    assert_eq!((done.code, done.signal, done.timed_out, done.lost), (Some(3), None, false, false));
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("out\n", "err\n"));
    let killed = run(shell(), script("kill -9 $$")).await.unwrap();
    assert_eq!((killed.code, killed.signal), (None, Some(9)));
    let read = CommandRun { stdin: Some("one\ntwo\n".into()), ..script("wc -l") };
    assert_eq!(run(shell(), read).await.unwrap().stdout.trim(), "2");
    let deaf = CommandRun { stdin: Some("x".repeat(200_000)), ..script("exit 0") };
    assert_eq!(run(shell(), deaf).await.unwrap().code, Some(0));
}

#[tokio::test]
async fn arguments_are_no_code() {
    let driver = CommandDriver::new().allow("echo", "/bin/echo");
    let ask = CommandRun::new("echo").args(["$(id)", "; id", "`id`", "a b", "*", "-n"]);
    assert_eq!(run(driver, ask).await.unwrap().stdout, "$(id) ; id `id` a b * -n\n");
}

#[tokio::test]
async fn what_is_not_allowed_is_not_run() {
    for (ask, why) in [
        (CommandRun::new("bash"), "not among the commands"),
        (CommandRun::new("/bin/sh"), "not among the commands"),
        (CommandRun::new("gone"), "does not start"),
        (script(&"x".repeat(200_000)), "at most 256 arguments"),
        (CommandRun::new("sh").args(["a\0b"]), "a zero in it"),
        (CommandRun { env: [("LD_PRELOAD".into(), "x".into())].into(), ..script("") }, "may be set"),
    ] {
        let error = run(shell().allow("gone", "/no/such"), ask).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn the_environment_is_what_is_given() {
    assert!(std::env::vars().count() > 2, "there is something to leak");
    let driver = shell().env("GIVEN", "1").allow_env("ASKED");
    let ask = CommandRun { env: [("ASKED".into(), "2".into())].into(), ..script("env") };
    let done = run(driver, ask).await.unwrap();
    let mut names: Vec<_> = done.stdout.lines().filter_map(|line| line.split('=').next()).collect();
    names.retain(|name| !matches!(*name, "PWD" | "OLDPWD" | "SHLVL" | "_"));
    names.sort_unstable();
    assert_eq!(names, ["ASKED", "GIVEN", "PATH"]);
}

#[tokio::test]
async fn a_program_is_named_by_its_whole_path() {
    let driver = CommandDriver::new().allow("ls", "ls");
    let error = Processor::builder(MemoryBus::new()).driver(driver).start().await.unwrap_err().to_string();
    assert!(error.contains("the command \"ls\": ls is no whole path"), "{error}");
}

#[tokio::test]
async fn secrets_are_given_to_commands_and_shown_to_nobody() {
    let key = SecretRef::with(|| Ok("k3y".to_owned()));
    let driver = shell().env("PLAIN", "t0ken").env("KEY", key);
    let shown = format!("{driver:?}");
    assert!(shown.contains("PLAIN") && shown.contains("/bin/sh"), "{shown}");
    assert!(!shown.contains("t0ken") && !shown.contains("k3y") && !shown.contains("/usr/bin:"), "{shown}");
    let done = run(driver, script("echo $PLAIN $KEY")).await.unwrap();
    assert_eq!(done.stdout, "t0ken k3y\n");
    let driver = shell().env("KEY", SecretRef::env("VEXTIR_NO_SUCH_VARIABLE"));
    let error = run(driver, script("echo")).await.unwrap_err().to_string();
    assert!(error.contains("the variable KEY") && error.contains("env:VEXTIR_NO_SUCH_VARIABLE"), "{error}");
}

#[tokio::test]
async fn the_documents_of_a_task_carry_the_labels_of_its_event() {
    let app = Processor::builder(Hub::in_memory().unwrap()).driver(shell()).start().await.unwrap();
    let ann = app.as_user("ann");
    let ask = Event::of(&script("echo x")).unwrap().with_label("private");
    let done: CommandFinished = ann.request(ask).await.unwrap();
    let metadata = async |path: String| ann.context().read(&path).await.unwrap().unwrap().metadata;
    let both = json!({"labels": ["private", "untrusted"]});
    assert_eq!(metadata(format!("/System/Tasks/.output/{}/stdout", done.task)).await, both);
    assert_eq!(metadata(format!("/System/Tasks/{}", done.task)).await, json!({"labels": ["private"]}));
}

#[tokio::test]
async fn a_command_runs_in_a_granted_folder() {
    let outside = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let granted = folder.path().canonicalize().unwrap();
    std::fs::create_dir(granted.join("below")).unwrap();
    std::fs::write(granted.join("file"), "x").unwrap();
    std::os::unix::fs::symlink(outside.path(), granted.join("link")).unwrap();
    let at = |cwd: Option<&str>| CommandRun { cwd: cwd.map(Into::into), ..script("pwd -P") };
    let driver = || shell().folder(folder.path());
    let below = granted.join("below");
    let whole = below.to_str().unwrap();
    for (cwd, found) in
        [(None, &granted), (Some("below"), &below), (Some(whole), &below), (Some("below/.."), &granted)]
    {
        let done = run(driver(), at(cwd)).await.unwrap();
        assert_eq!(Path::new(done.stdout.trim()), found, "{cwd:?}");
    }
    let escape = outside.path().to_str().unwrap();
    for cwd in ["..", "/", "link", "below/../..", "file", "gone", escape] {
        assert!(run(driver(), at(Some(cwd))).await.is_err(), "{cwd}");
    }
    // A folder whose name only begins alike.
    let alike = format!("{}x", granted.display());
    std::fs::create_dir(&alike).unwrap();
    assert!(run(driver(), at(Some(&alike))).await.is_err());
    std::fs::remove_dir(&alike).unwrap();
    assert!(run(shell(), at(Some("/tmp"))).await.is_err(), "no folder is granted");
}

#[tokio::test]
async fn a_task_is_kept_as_documents_and_told_in_pieces() {
    let hub = Hub::in_memory().unwrap();
    let app = Processor::builder(hub).driver(shell()).start().await.unwrap();
    let ann = app.as_user("ann");
    let mut outputs = app.subscribe("command.output").await.unwrap();
    let ask = script("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo oh >&2");
    let done: CommandFinished = ann.request(ask).await.unwrap();
    let mut said = String::new();
    loop {
        let event = outputs.next().await.unwrap().unwrap();
        assert!(event.labels.iter().any(|label| *label == "untrusted"));
        let piece: CommandOutput = event.decode().unwrap();
        assert_eq!(piece.task, done.task);
        if piece.stream == "stderr" {
            assert_eq!(piece.text, "oh\n");
            break;
        }
        said.push_str(&piece.text);
    }
    assert!(said.starts_with("line 0\nline 1\n") && said.ends_with("line 2999\n"));
    let read = async |path: String| ann.context().read(&path).await.unwrap().unwrap();
    let stdout = read(format!("/System/Tasks/.output/{}/stdout", done.task)).await;
    assert_eq!((stdout.content, stdout.metadata), (said.into(), json!({"labels": ["untrusted"]})));
    let task = read(format!("/System/Tasks/{}", done.task)).await.content;
    let task = task.as_json().unwrap();
    assert_eq!((&task["command"], &task["code"], &task["args"][0]), (&json!("sh"), &json!(0), &json!("-c")));
    assert!(task["started"].as_str().unwrap() <= task["finished"].as_str().unwrap(), "{task}");
    app.idle().await;
    // The same event again is no second run.
    let id = "a/strange id".parse::<vextir_core::EventId>().unwrap();
    for _ in 0..2 {
        let _ = ann.emit(Event::of(&script("echo")).unwrap().with_id(id.clone())).await;
    }
    app.idle().await;
    let tasks = ann.context().list("/System/Tasks").await.unwrap();
    assert_eq!(tasks.iter().filter(|item| !item.path.contains("/.")).count(), 2, "{tasks:?}");
}

#[tokio::test]
async fn output_is_heard_while_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let app = app(shell()).await;
    let mut signals = app.signals();
    let text = format!("echo first; while [ ! -e {} ]; do sleep 0.01; done; echo second", go.display());
    app.emit(Event::of(&script(&text)).unwrap()).await.unwrap();
    let heard = signals.recv().await.unwrap();
    assert_eq!(
        (heard.name.as_str(), heard.data.value()),
        ("output", json!({"stream": "stdout", "text": "first\n"}))
    );
    std::fs::write(&go, "").unwrap();
    assert_eq!(signals.recv().await.unwrap().data.value()["text"], "second\n");
}
