//! The process dies while a command runs.

use crate::{lives, pid_in, script, shell, until};
use std::path::Path;
use std::process::{Command, Stdio};
use vextir_context::Hub;
use vextir_core::{Event, Processor};
use vextir_drivers::command::{CommandDriver, CommandFinished};

const WORLD: &str = "VEXTIR_TEST_COMMAND_WORLD";

/// The process that dies: this test program itself, with a folder to work in.
#[tokio::test]
async fn the_one_that_dies() {
    let Ok(world) = std::env::var(WORLD) else { return };
    let world = Path::new(&world);
    let driver = if world.join("repeatable").exists() { repeatable() } else { shell() };
    let app = Processor::builder(Hub::open(world.join("hub")).unwrap()).driver(driver).start().await.unwrap();
    let text = format!(
        "echo $$ >> {0}/pids; echo $$ > {0}/pid; echo up; [ -e {0}/again ] || sleep 1000",
        world.display()
    );
    let mut signals = app.signals();
    app.as_user("ann").emit(Event::of(&script(&text)).unwrap()).await.unwrap();
    // It is listened to once all about it is noted.
    signals.recv().await.unwrap();
    std::fs::write(world.join("heard"), "").unwrap();
    std::future::pending().await
}

fn repeatable() -> CommandDriver {
    CommandDriver::new().allow_repeatable("sh", "/bin/sh").env("PATH", "/usr/bin:/bin")
}

/// Has it die with `kill -9`, and starts again; answers what is told of the command, and how often it ran.
async fn dies_with(driver: CommandDriver, world: &Path) -> (CommandFinished, usize) {
    let mut dying = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::the_one_that_dies"])
        .env(WORLD, world)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let file = world.join("pid");
    until(|| lives(&pid_in(&file))).await;
    until(|| world.join("heard").exists()).await;
    dying.kill().unwrap();
    dying.wait().unwrap();
    let first = pid_in(&file);
    assert!(lives(&first), "it outlives its process");
    std::fs::write(world.join("again"), "").unwrap();
    let app = Processor::builder(Hub::open(world.join("hub")).unwrap()).driver(driver).start().await.unwrap();
    app.idle().await;
    until(|| !lives(&first)).await;
    let mut ended =
        app.as_user("ann").subscribe_from("command.finished", vextir_core::Start::Beginning).await.unwrap();
    let finished = ended.next().await.unwrap().unwrap().decode().unwrap();
    (finished, std::fs::read_to_string(world.join("pids")).unwrap().lines().count())
}

#[tokio::test]
async fn a_command_is_not_run_twice_unnoticed() {
    let world = tempfile::tempdir().unwrap();
    let (finished, runs) = dies_with(shell(), world.path()).await;
    assert_eq!((finished.lost, finished.code, runs), (true, None, 1));
}

#[tokio::test]
async fn one_that_may_be_repeated_is() {
    let world = tempfile::tempdir().unwrap();
    std::fs::write(world.path().join("repeatable"), "").unwrap();
    let (finished, runs) = dies_with(repeatable(), world.path()).await;
    assert_eq!((finished.lost, finished.code, runs), (false, Some(0), 2));
}
