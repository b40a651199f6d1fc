//! A server as a child process: in a group of its own, its error output drained, and never left behind.

use super::config::{McpText, Place};
use super::mask::Masks;
use super::tool::cut;
use std::collections::{BTreeMap, VecDeque};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::{Child as Process, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use vextir::{Error, ErrorKind, Result};

/// How much of the error output is kept, in bytes.
const TAIL: usize = 8 * 1024;
/// How much of it is shown in an error, in bytes.
const SHOWN: usize = 1_024;
/// How long a server has to end by itself after its input was closed.
const GRACE: Duration = Duration::from_secs(2);
/// What a server gets of our own environment: nothing that holds secrets.
const INHERITED: [&str; 8] = ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER"];

/// A child process. Who drops it kills its group; [`Child::end`] lets it end by itself first, and waits for it.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    group: Option<u32>,
    tail: Arc<Mutex<VecDeque<u8>>>,
    drain: JoinHandle<()>,
    /// What it was given and may not be shown, though it prints it.
    masks: Masks,
}

impl Child {
    /// Starts a server, with its input and output.
    pub(super) async fn start(place: &Place) -> Result<(Self, ChildStdout, ChildStdin)> {
        let Place::Command { program, args, env, folder } = place else {
            return Err(Error::invalid("a URL is not started"));
        };
        let mut command = Command::new(program);
        let (environment, masks) = environment(env).await?;
        command.args(args).env_clear().envs(environment);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        #[cfg(unix)]
        command.process_group(0);
        let mut process = command.spawn().map_err(|error| {
            let remedy = match error.kind() {
                std::io::ErrorKind::NotFound => ": install it, or say where it is (and check `cwd`)",
                _ => "",
            };
            Error::new(ErrorKind::NotFound, format!("cannot start {program:?}: {}{remedy}", error.kind()))
        })?;
        let piped = (process.stdout.take(), process.stdin.take(), process.stderr.take());
        let (Some(output), Some(input), Some(errors)) = piped else {
            return Err(Error::new(ErrorKind::Unavailable, "the child has no pipes"));
        };
        let tail = Arc::<Mutex<VecDeque<u8>>>::default();
        let drain = tokio::spawn(drain(errors, tail.clone()));
        let group = process.id();
        Ok((Self { process, group, tail, drain, masks }, output, input))
    }

    /// Ends it, whatever state it is in, and says how it ended: by itself if it can, killed after two seconds.
    pub(super) async fn end(mut self) -> String {
        let exited = tokio::time::timeout(GRACE, self.process.wait()).await;
        self.kill();
        let status = match exited {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                // The group is killed; it is waited for so that nothing is left in the table of processes.
                let _ = self.process.wait().await;
                "it was killed".into()
            }
        };
        // What it wrote last is there when its end of the pipe is closed; a grandchild may hold that open.
        let _ = tokio::time::timeout(GRACE / 4, &mut self.drain).await;
        match self.last_words() {
            words if words.is_empty() => status,
            words => format!("{status}; its last words: {words}"),
        }
    }

    /// What it was given and may not be shown.
    pub(super) fn masks(&self) -> Masks {
        self.masks.clone()
    }

    /// The end of what it wrote to its error output, without its keys.
    fn last_words(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let text = if bytes.len() < TAIL { self.masks.hide(&text) } else { self.masks.hide_in_end(&text) };
        let reversed: String = text.trim().chars().rev().collect();
        cut(&reversed, SHOWN).chars().rev().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }

    fn kill(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.group.take().and_then(|id| i32::try_from(id).ok()) {
            // A group that is gone already needs no signal.
            if let Some(group) = rustix::process::Pid::from_raw(group) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
        }
        let _ = self.process.start_kill();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        self.drain.abort();
    }
}

/// The variables of a child, and which of their values may not be shown: all that were given, since people write keys there.
async fn environment(given: &BTreeMap<String, McpText>) -> Result<(BTreeMap<String, String>, Masks)> {
    let own = INHERITED.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    let mut all: BTreeMap<String, String> = own.collect();
    let mut values = Vec::new();
    for (name, value) in given {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Error::invalid(format!("env: {name:?} is no name of a variable")));
        }
        let value = value.resolve().await.map_err(|error| error.context(format!("env {name}")))?;
        values.push(value.clone());
        all.insert(name.clone(), value);
    }
    Ok((all, Masks::of(values.iter().map(String::as_str))))
}

/// Reads all that comes, and keeps the end of it.
async fn drain(mut errors: ChildStderr, tail: Arc<Mutex<VecDeque<u8>>>) {
    let mut chunk = vec![0; TAIL];
    while let Ok(read @ 1..) = errors.read(&mut chunk).await {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        let excess = (tail.len() + read).saturating_sub(TAIL);
        let excess = excess.min(tail.len());
        tail.drain(..excess);
        tail.extend(&chunk[..read]);
    }
}
