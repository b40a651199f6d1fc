//! The example, as a process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use vextir::{EventBus, EventFilter, Hub};

/// Beyond this, it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Few moves for each plan, so that a kill also falls between two of them.
const BATCH: &str = "7";

pub(crate) struct Program {
    folder: PathBuf,
    state: PathBuf,
}

impl Program {
    pub(crate) fn new(folder: &Path, state: &Path) -> Self {
        Self { folder: folder.to_owned(), state: state.to_owned() }
    }

    pub(crate) fn spawn(&self, task: &str) -> Child {
        let mut command = Command::new(executable());
        // One argument, also when it is a question: `--ask=..`.
        command.arg(&self.folder).args([task, "--batch", BATCH, "--state"]).arg(&self.state);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Begins with these arguments as well; what it prints can be read.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(executable());
        command.arg(&self.folder).arg("--state").arg(&self.state).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// Runs it to its end with these arguments as well; gives what it printed.
    pub(crate) fn read(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(executable());
        command.arg(&self.folder).arg("--state").arg(&self.state).args(arguments);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {}\n{said}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// The summaries that are in its log.
    pub(crate) fn summaries(&self) -> Vec<serde_json::Value> {
        let read = async {
            let hub = Hub::open(&self.state).unwrap();
            let filter = EventFilter::try_from("workspace.summary").unwrap();
            let (mut summaries, mut after, mut is_over) = (Vec::new(), 0, false);
            while !is_over {
                let page = hub.read(after, &filter, 1_000).await.unwrap();
                summaries
                    .extend(page.events.iter().map(|logged| logged.event.data.value()["summary"].clone()));
                (after, is_over) = (page.next, page.at_head);
            }
            hub.close().await.unwrap();
            summaries
        };
        block_on(read)
    }

    /// The documents about files that are in its hub, in order: where, what is known of the file, and how it begins.
    pub(crate) fn documents(&self) -> Vec<(String, serde_json::Value, String)> {
        let read = async {
            let hub = Hub::open(&self.state).unwrap();
            let archive = hub.context("local");
            let mut documents = Vec::new();
            for item in archive.list("/Files").await.unwrap() {
                let document = archive.read(&item.path).await.unwrap().unwrap();
                documents.push((item.path, document.metadata, document.content.to_text().into_owned()));
            }
            hub.close().await.unwrap();
            documents
        };
        block_on(read)
    }

    /// The files that answer a question, in order.
    pub(crate) fn ask(&self, question: &str) -> Vec<String> {
        let said = self.read(&["--ask", question]);
        assert!(!said.contains("failed:"), "{said}");
        let is_path = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
        let found = said.lines().skip_while(|line| !line.starts_with("Found: "));
        let paths: Vec<String> = found.filter(is_path).map(|line| line.trim().to_owned()).collect();
        assert_ne!(paths.is_empty(), said.contains("Found: "), "{said}");
        assert_eq!(paths.is_empty(), said.contains("Nothing was found."), "{said}");
        paths
    }

    /// Runs it with these arguments alone; gives its status and what it complained about.
    pub(crate) fn complaint(arguments: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(executable()).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    /// Runs it to its end; says how long that took.
    pub(crate) fn run(&self, task: &str) -> Duration {
        executable(); // To build it is no part of the run.
        let begin = Instant::now();
        let output = self.spawn(task).wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{task}: {}\n{said}", output.status);
        begin.elapsed()
    }

    /// Runs it and kills it after a while. True when it had ended by itself before.
    pub(crate) fn run_and_kill(&self, task: &str, after: Duration) -> bool {
        let mut child = self.spawn(task);
        let begin = Instant::now();
        while begin.elapsed() < after.min(PATIENCE) {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        // Of one that has ended, the status stays what it was.
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let is_killed = output.status.code().is_none();
        assert!(is_killed || output.status.success(), "{task}: {}\n{said}", output.status);
        !is_killed
    }
}

/// Runs to its end what reads a hub.
pub(crate) fn block_on<T>(read: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(read)
}

/// Builds the example in the profile of this test, and says where it is.
fn executable() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut command = Command::new(env!("CARGO"));
        command.args(["build", "--quiet", "--example", "workspace"]);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        assert!(command.status().unwrap().success(), "the example cannot be built");
        let test = std::env::current_exe().unwrap();
        let folder = test.ancestors().nth(2).unwrap();
        folder.join("examples").join(format!("workspace{}", std::env::consts::EXE_SUFFIX))
    })
}
