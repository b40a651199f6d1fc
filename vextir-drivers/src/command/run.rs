//! One command, from its start to its end.

use super::group::Group;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use vextir::{Ctx, Error, ErrorKind, Result};

/// Sets the limits, waits for a line, and becomes the command: nothing of what was asked is read by the shell, there is no moment
/// without limits, and when we die before the line is written nothing is run. The shell reads no more than the line.
const LIMITED: &str =
    r#"ulimit -v "$1" && ulimit -t "$2" && ulimit -c 0 && shift 2 && read -r _ && exec "$@""#;
/// For a command that is given nothing to read.
const NOTHING: &str = " </dev/null";
/// How long the streams of what left the group are waited for.
const LEFT_OPEN: Duration = Duration::from_secs(1);

/// What is run, checked. It is not shown: its environment may hold secrets.
pub(super) struct Job {
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) folder: PathBuf,
    pub(super) env: Vec<(String, String)>,
    pub(super) stdin: Option<String>,
    pub(super) timeout: Duration,
    /// Of address space, in bytes.
    pub(super) memory: u64,
    /// Of each stream, in bytes.
    pub(super) output: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) status: Option<ExitStatus>,
    pub(super) timed_out: bool,
    pub(super) took: Duration,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) truncated: bool,
}

impl Ended {
    pub(super) fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }

    pub(super) fn signal(&self) -> Option<i32> {
        self.status.and_then(|status| status.signal())
    }
}

/// What is kept of a stream.
#[derive(Debug)]
struct Kept {
    name: &'static str,
    most: usize,
    bytes: Mutex<(Vec<u8>, bool)>,
}

impl Kept {
    fn new(name: &'static str, most: usize) -> Self {
        Self { name, most, bytes: Mutex::default() }
    }

    /// Reads to the end: who writes is not stopped by what is not kept.
    async fn read(&self, stream: Option<impl AsyncRead + Unpin>, cx: &Ctx) {
        let Some(mut stream) = stream else { return };
        let mut chunk = vec![0; 8 << 10];
        while let Ok(read) = stream.read(&mut chunk).await
            && read > 0
        {
            let mut kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
            let fits = read.min(self.most - kept.0.len());
            kept.0.extend_from_slice(&chunk[..fits]);
            kept.1 |= fits < read;
            drop(kept);
            if fits > 0 {
                let text = String::from_utf8_lossy(&chunk[..fits]);
                cx.signal("output", serde_json::json!({"stream": self.name, "text": text}));
            }
        }
    }

    fn take(&self) -> (Vec<u8>, bool) {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A command that runs; it is killed with all that it has started when this goes.
pub(super) struct Running {
    group: Group,
    child: Child,
    begun: Instant,
}

impl Job {
    /// Starts what becomes the command once its end is waited for; before that it does nothing.
    ///
    /// # Errors
    /// `NotFound`: there is no such program.
    pub(super) fn start(&self) -> Result<Running> {
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::NotFound, format!("{} does not start: {error}", self.program.display()))
        };
        if !self.program.is_file() {
            return Err(failed(std::io::ErrorKind::NotFound.into()));
        }
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &[LIMITED, if self.stdin.is_some() { "" } else { NOTHING }].concat(), "sh"])
            .arg((self.memory >> 10).to_string())
            .arg(self.timeout.as_secs().max(1).to_string())
            .arg(&self.program)
            .args(&self.args)
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let child = command.spawn().map_err(failed)?;
        Ok(Running { group: Group::led_by(child.id()), child, begun: Instant::now() })
    }
}

impl Running {
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Lets it go, and waits for its end, or brings it about.
    ///
    /// # Errors
    /// `Closed`: the work was cancelled.
    pub(super) async fn end(self, job: &Job, cx: &Ctx) -> Result<Ended> {
        let Self { group, mut child, begun } = self;
        let (out, err) = (Kept::new("stdout", job.output), Kept::new("stderr", job.output));
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let streams = async {
            tokio::join!(out.read(stdout, cx), err.read(stderr, cx), feed(stdin, job.stdin.as_deref()));
        };
        let mut streams = pin!(streams);
        let mut late = pin!(tokio::time::sleep(job.timeout));
        let (mut is_read, mut ended) = (false, Ended::default());
        loop {
            tokio::select! {
                status = child.wait() => {
                    ended.status = status.ok();
                    break;
                }
                () = &mut late => {
                    ended.timed_out = true;
                    break;
                }
                () = cx.cancelled() => return Err(Error::new(ErrorKind::Closed, "the command was cancelled")),
                () = &mut streams, if !is_read => is_read = true,
            }
        }
        drop(group);
        if ended.status.is_none() {
            ended.status = child.wait().await.ok();
        }
        if !is_read {
            // Who left the group may hold them for ever.
            let _ = tokio::time::timeout(LEFT_OPEN, streams).await;
        }
        let ((stdout, more_out), (stderr, more_err)) = (out.take(), err.take());
        Ok(Ended { took: begun.elapsed(), stdout, stderr, truncated: more_out || more_err, ..ended })
    }
}

/// Lets the command go, and gives it what it reads; one that does not want it is not made to.
async fn feed(stdin: Option<ChildStdin>, text: Option<&str>) {
    let Some(mut stdin) = stdin else { return };
    if stdin.write_all(b"\n").await.is_ok()
        && let Some(text) = text
    {
        let _ = stdin.write_all(text.as_bytes()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::Job;
    use std::time::Duration;

    /// As when we die before it is noted which process it is.
    #[tokio::test(flavor = "current_thread")]
    async fn nothing_runs_that_is_not_let_go() {
        for stdin in [None, Some("text".to_owned())] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("file");
            let job = Job {
                program: "/bin/sh".into(),
                args: vec!["-c".into(), format!("echo > {}", file.display())],
                folder: "/".into(),
                env: Vec::new(),
                stdin,
                timeout: Duration::from_secs(60),
                memory: 512 << 20,
                output: 64,
            };
            let mut running = job.start().unwrap();
            drop(running.child.stdin.take());
            assert!(!running.child.wait().await.unwrap().success());
            assert!(!file.exists());
        }
    }
}
