//! Commands that want too much.

use crate::{app, lives, pid_in, run, script, shell, until};
use std::time::Duration;
use vextir_core::Event;
use vextir_drivers::command::{CommandFinished, CommandRun};

#[tokio::test]
async fn time_ends_it_with_all_that_it_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let text = format!("sleep 1000 & echo $! > {}; sleep 1000", file.display());
    let done = run(shell().timeout(Duration::from_secs(1)), script(&text)).await.unwrap();
    assert_eq!((done.timed_out, done.signal), (true, Some(9)));
    let child = pid_in(&file);
    assert!(!child.is_empty());
    until(|| !lives(&child)).await;
    let asked = CommandRun { timeout: Some(1), ..script("sleep 1000") };
    assert!(run(shell(), asked).await.unwrap().timed_out);
}

#[tokio::test]
async fn what_it_leaves_behind_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    // The child holds the streams open.
    let text = format!("sleep 1000 & echo $! > {}; echo done", file.display());
    let done = run(shell(), script(&text)).await.unwrap();
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "done\n"));
    until(|| !lives(&pid_in(&file))).await;
    // One that left the group holds them, and is not waited for.
    let text = format!("setsid sleep 1000 & echo $! > {}; sleep 0.2; echo done", file.display());
    let done = run(shell(), script(&text)).await.unwrap();
    assert_eq!(done.code, Some(0));
    let _ = std::process::Command::new("kill").args(["-9", pid_in(&file).trim()]).status();
}

#[tokio::test]
async fn children_without_end_are_killed_with_their_group() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    // Each has two, five generations deep.
    let bomb = format!(
        "f() {{ echo $(sh -c 'echo $PPID') >> {0}; if [ $1 -gt 0 ]; then f $(($1-1)) & f $(($1-1)) & fi; sleep 1000; }}; f 4",
        pids.display()
    );
    let done = run(shell().timeout(Duration::from_secs(2)), script(&bomb)).await.unwrap();
    assert!(done.timed_out);
    let all = std::fs::read_to_string(&pids).unwrap();
    assert!(all.lines().count() > 1, "{all}");
    until(|| all.lines().all(|pid| !lives(pid))).await;
}

#[tokio::test]
async fn a_flood_of_output_is_read_and_dropped() {
    let flood = script("yes | head -c 20000000; yes x | head -c 10000000 >&2; echo last");
    let done = run(shell(), flood).await.unwrap();
    assert_eq!((done.code, done.truncated, done.stdout.len()), (Some(0), true, 16 << 10));
    let endless = run(shell().timeout(Duration::from_secs(1)).max_output(100), script("yes")).await.unwrap();
    assert!(endless.truncated && endless.stdout.len() == 100);
    assert!(endless.timed_out || endless.signal.is_some(), "its time or its processor time is over");
    let noise = run(shell(), script("head -c 1000 /dev/zero; printf '\\377\\376'")).await.unwrap();
    assert!(noise.stdout.ends_with("\u{fffd}\u{fffd}"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_and_processor_time_are_limited() {
    let greedy = script("x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}");
    let done = run(shell().memory(100 << 20), greedy).await.unwrap();
    assert_ne!(done.code, Some(0), "{done:?}");
    let shown = run(shell().memory(100 << 20), script("ulimit -v; ulimit -t; ulimit -c")).await.unwrap();
    assert_eq!(shown.stdout, "102400\n60\n0\n");
    // What it may take it may also raise no more.
    let raised = run(shell().memory(100 << 20), script("ulimit -H -v")).await.unwrap();
    assert_eq!(raised.stdout, "102400\n");
}

#[tokio::test]
async fn a_cancelled_task_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let app = app(shell()).await;
    let ann = app.as_user("ann");
    let text = format!("echo $$ > {}; sleep 1000", file.display());
    let id = ann.emit(Event::of(&script(&text)).unwrap()).await.unwrap();
    until(|| lives(&pid_in(&file))).await;
    ann.cancel(&id).await.unwrap();
    until(|| !lives(&pid_in(&file))).await;
    app.idle().await;
    let done: CommandFinished = ann.request(script("echo on")).await.unwrap();
    assert_eq!(done.stdout, "on\n");
}

#[tokio::test]
async fn what_runs_at_the_end_of_the_processor_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let app = app(shell()).await;
    let text = format!("echo $$ > {}; sleep 1000", file.display());
    app.emit(Event::of(&script(&text)).unwrap()).await.unwrap();
    until(|| lives(&pid_in(&file))).await;
    let _ = tokio::time::timeout(Duration::from_secs(60), app.shutdown()).await.unwrap();
    until(|| !lives(&pid_in(&file))).await;
}
