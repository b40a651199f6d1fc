//! The driver: what the application allows, and what is told of a task.

use super::env::CommandText;
use super::group::{end_orphan, noted};
use super::payload::{CommandFinished, CommandOutput, CommandRun};
use super::place::folder;
use super::run::{Ended, Job};
use super::untold::{Over, Untold};
use crate::note::{Notes, task_of};
use async_trait::async_trait;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use vextir::{
    Capability, Ctx, DeliveryFailed, Driver, Effect, Emitter, Error, ErrorKind, Event, Failure,
    HandlerResult, IntoEvent, Manifest, Name, Payload, Result,
};

/// The most arguments, and the most bytes of them.
const ARGS: usize = 256;
const ARGS_BYTES: usize = 128 << 10;
/// The largest piece of output in one event, and the most that the last event tells.
const PIECE: usize = 8 << 10;
const TOLD: usize = 16 << 10;
/// The most that the application can have kept of one stream.
const LARGEST: usize = 256 << 10;

/// Runs commands that the application allows; see the [module](crate::command) for what it promises.
pub struct CommandDriver {
    id: Name,
    commands: BTreeMap<String, Grant>,
    folders: Vec<PathBuf>,
    env: Vec<(String, CommandText)>,
    settable: BTreeSet<String>,
    timeout: Duration,
    memory: u64,
    output: usize,
    notes: Notes,
    untold: Untold,
}

#[derive(Debug)]
struct Grant {
    program: PathBuf,
    repeatable: bool,
}

impl Default for CommandDriver {
    fn default() -> Self {
        Self::new()
    }
}

impl CommandDriver {
    /// Nothing is allowed yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            id: Name::literal("command"),
            commands: BTreeMap::new(),
            folders: Vec::new(),
            env: Vec::new(),
            settable: BTreeSet::new(),
            timeout: Duration::from_secs(60),
            memory: 512 << 20,
            output: 64 << 10,
            notes: Notes::default(),
            untold: Untold::default(),
        }
    }

    /// Sets the driver's id, `command` when nothing is said.
    #[must_use]
    pub fn id(mut self, id: impl Into<Name>) -> Self {
        self.id = id.into();
        self
    }

    /// Allows a program under a name. It is named by its whole path; the start fails with one that is not.
    #[must_use]
    pub fn allow(mut self, name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        self.commands.insert(name.into(), Grant { program: program.into(), repeatable: false });
        self
    }

    /// Allows a program, as [`CommandDriver::allow`] does, that does no harm when it is run once more after a crash.
    #[must_use]
    pub fn allow_repeatable(mut self, name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        self.commands.insert(name.into(), Grant { program: program.into(), repeatable: true });
        self
    }

    /// Grants a folder with all that is below it: commands may run there. Without any they run in `/`.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folders.push(folder.into());
        self
    }

    /// Gives all commands a variable of the environment: a text, or a [`SecretRef`](crate::secret::SecretRef) that is looked up
    /// each time that a command starts.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<CommandText>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Lets who asks set a variable of the environment.
    #[must_use]
    pub fn allow_env(mut self, name: impl Into<String>) -> Self {
        self.settable.insert(name.into());
        self
    }

    /// How long a command may take; a minute when nothing is said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How much address space each process of a command may have, in bytes; 512 MiB when nothing is said.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// How much is kept of each stream; 64 KiB when nothing is said, at most 256 KiB.
    #[must_use]
    pub fn max_output(mut self, bytes: usize) -> Self {
        self.output = bytes.min(LARGEST);
        self
    }

    async fn job(&self, ask: &CommandRun) -> Result<(Job, bool)> {
        let denied = |what: String| Error::new(ErrorKind::Denied, what);
        let unknown =
            || denied(format!("{:?} is not among the commands that the application allows", ask.command));
        let grant = self.commands.get(&ask.command).ok_or_else(unknown)?;
        let bytes: usize = ask.args.iter().map(String::len).sum();
        if ask.args.len() > ARGS || bytes > ARGS_BYTES {
            return Err(Error::invalid(format!("at most {ARGS} arguments and {ARGS_BYTES} bytes of them")));
        }
        let texts = ask.args.iter().chain(ask.env.values());
        if texts.into_iter().any(|text| text.contains('\0')) {
            return Err(Error::invalid("an argument with a zero in it"));
        }
        if let Some(name) = ask.env.keys().find(|name| !self.settable.contains(*name)) {
            return Err(denied(format!("{name:?} is not among the variables that may be set")));
        }
        let folder = folder(ask.cwd.as_deref(), &self.folders)?;
        let mut env = Vec::with_capacity(self.env.len() + ask.env.len());
        for (name, value) in &self.env {
            let value =
                value.resolve().await.map_err(|error| error.context(format!("the variable {name}")))?;
            env.push((name.clone(), value));
        }
        env.extend(ask.env.clone());
        let job = Job {
            program: grant.program.clone(),
            args: ask.args.clone(),
            folder,
            env,
            stdin: ask.stdin.clone(),
            timeout: ask.timeout.map_or(self.timeout, |asked| Duration::from_secs(asked).min(self.timeout)),
            memory: self.memory,
            output: self.output,
        };
        Ok((job, grant.repeatable))
    }

    async fn run(&self, ask: CommandRun, cx: &Ctx) -> HandlerResult {
        let (user, task) = (cx.user(), task_of(&cx.event().id));
        if let Some(over) = self.untold.of(user, &task) {
            return told(&ask, &over, cx).await;
        }
        let (job, repeatable) = self.job(&ask).await?;
        let (started, command) = (cx.now(), ask.command.clone());
        if self.notes.has_begun(user, &task).await? && !repeatable {
            let finished = CommandFinished { task, command, lost: true, ..Default::default() };
            return told(&ask, &Over { started, finished, ended: Ended::default() }, cx).await;
        }
        let running = job.start()?;
        // It does nothing yet, and is gone if this fails.
        self.notes.note(user, &task, noted(running.pid())).await?;
        // From here on it runs, and is not run again.
        let ended = running.end(&job, cx).await.map_err(Failure::permanent)?;
        let finished = CommandFinished {
            task,
            command,
            code: ended.code(),
            signal: ended.signal(),
            timed_out: ended.timed_out,
            lost: false,
            seconds: ended.took.as_secs_f64(),
            stdout: pieces(&ended.stdout, TOLD).next().unwrap_or_default(),
            stderr: pieces(&ended.stderr, TOLD).next().unwrap_or_default(),
            truncated: ended.truncated,
        };
        let over = self.untold.keep(user, Over { started, finished, ended });
        told(&ask, &over, cx).await
    }

    /// What is settled is not asked for again.
    async fn forget(&self, user: &Name, task: &str) -> Result<()> {
        self.untold.forget(user, task);
        self.notes.forget(user, task).await
    }
}

/// The text of what was said, in pieces that end where a character does. What is no text is replaced.
fn pieces(bytes: &[u8], most: usize) -> impl Iterator<Item = String> {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let rest = text.split_off(text.floor_char_boundary(most));
        Some(std::mem::replace(&mut text, rest))
    })
}

/// The events and the documents of a task that is over.
async fn told(ask: &CommandRun, over: &Over, cx: &Ctx) -> HandlerResult {
    let Over { finished, ended, .. } = over;
    let streams = [("stdout", &ended.stdout), ("stderr", &ended.stderr)];
    let mut events = Vec::new();
    for (stream, bytes) in streams {
        for (number, text) in (1..).zip(pieces(bytes, PIECE)) {
            let output =
                CommandOutput { task: finished.task.clone(), stream: stream.to_owned(), number, text };
            events.push(output.into_event()?.with_label("untrusted"));
        }
    }
    write(ask, over, cx).await?;
    events.push(finished.clone().into_event()?.with_label("untrusted"));
    Ok(events)
}

/// The documents, with the labels of the event; without a store there are none.
async fn write(ask: &CommandRun, over: &Over, cx: &Ctx) -> Result<()> {
    let Over { started, finished, ended } = over;
    let folder = "/System/Tasks";
    let path = format!("{folder}/{}", finished.task);
    let documents = cx.context();
    match documents.read(&path).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(()),
        found => found?,
    };
    let metadata = crate::labels::added(json!({}), &cx.event().labels);
    let of_output = crate::labels::added(metadata.clone(), &[Name::literal("untrusted")].into());
    for (stream, bytes) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let path = format!("{folder}/.output/{}/{stream}", finished.task);
        documents.write(&path, text).metadata(of_output.clone()).await?;
    }
    let CommandFinished { command, code, signal, timed_out, lost, seconds, truncated, .. } = finished;
    let summary = json!({
        "command": command, "args": ask.args, "cwd": ask.cwd, "started": started.to_string(),
        "finished": cx.now().to_string(), "seconds": seconds, "code": code, "signal": signal,
        "timed_out": timed_out, "lost": lost, "truncated": truncated,
    });
    documents.write(&path, summary).metadata(metadata).await.map(drop)
}

#[async_trait]
impl Driver for CommandDriver {
    fn manifest(&self) -> Manifest {
        let names = self.commands.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let run = Capability::of::<CommandRun>()
            .describe(format!("Run a command: {names}."))
            .returns::<(CommandOutput, CommandFinished)>();
        let quiet = |capability: Capability| capability.effect(Effect::Reads);
        Manifest::new(self.id.clone())
            .with_name("Commands")
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_description("Runs commands within limits.")
            .with_timeout(self.timeout + Duration::from_secs(30))
            .with_concurrency(8)
            .can(run)
            .can(quiet(Capability::of::<CommandFinished>()).describe("Forget that a command has begun."))
            .can(quiet(Capability::of::<DeliveryFailed>()))
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        match event.event_type.as_str() {
            CommandRun::TYPE => return self.run(event.decode()?, cx).await,
            CommandFinished::TYPE if event.source == self.id => {
                let finished: CommandFinished = event.decode()?;
                self.forget(cx.user(), &finished.task).await?;
            }
            DeliveryFailed::TYPE => {
                let failed: DeliveryFailed = event.decode()?;
                self.forget(cx.user(), &task_of(&failed.event_id)).await?;
            }
            _ => {}
        }
        Ok(Vec::new())
    }

    fn check(&self, event: &Event) -> Result<()> {
        match event.event_type.as_str() {
            CommandRun::TYPE => event.decode::<CommandRun>().map(drop),
            _ => Ok(()),
        }
    }

    async fn start(&self, emitter: Emitter) -> Result<()> {
        for (name, Grant { program, .. }) in &self.commands {
            if !program.is_absolute() {
                let message = format!("the command {name:?}: {} is no whole path", program.display());
                return Err(Error::invalid(message));
            }
        }
        self.notes.begin(emitter, end_orphan).await
    }
}

impl fmt::Debug for CommandDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("CommandDriver")
            .field("id", &self.id)
            .field("commands", &self.commands)
            .field("folders", &self.folders)
            .field("env", &names)
            .finish_non_exhaustive()
    }
}
