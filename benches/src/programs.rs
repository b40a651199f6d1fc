//! The programs that measure: this one as a child, and the peers; how each is started for one round.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::Result;
use crate::limits::{rows, trace};
use crate::measurement::Measurement;
use crate::options::Options;
use crate::sync_delay::SyncDelay;

/// The one peer that is not built.
const AUTOGEN: &str = include_str!("../peers/autogen/publish.py");

/// What needs the editing trace.
const TRACED: [&str; 6] = [
    "documents_trace",
    "documents_trace_stored",
    "documents_reopen",
    "limit_yrs_trace",
    "limit_yrs_trace_stored",
    "limit_yrs_reopen",
];

/// A program that measures one or more figures in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    /// This program, with a workload of `children`.
    Child(&'static str),
    Apalis {
        jobs: u32,
        state: &'static str,
    },
    JetStream {
        mode: &'static str,
    },
    Duroxide {
        activities: u32,
    },
    Ractor,
    Grit,
    AutoGen,
}

impl Program {
    pub(crate) fn is_peer(self) -> bool {
        !matches!(self, Program::Child(_))
    }

    /// Whether it runs in each round, or once because it takes a minute.
    pub(crate) fn every_round(self) -> bool {
        !matches!(self, Program::Child("idle" | "million" | "search" | "sql" | "million_documents"))
    }

    pub(crate) fn name(self) -> String {
        match self {
            Program::Child(name) => name.into(),
            Program::Apalis { jobs, state } => format!("apalis, {jobs} jobs, {state}"),
            Program::JetStream { mode } => format!("JetStream, {mode}"),
            Program::Duroxide { activities } => format!("duroxide, {activities} activities"),
            Program::Ractor => "ractor".into(),
            Program::Grit => "grit-core".into(),
            Program::AutoGen => "AutoGen core".into(),
        }
    }
}

/// Starts programs: knows where they stand, and where they may write.
#[derive(Debug)]
pub(crate) struct Starter {
    peers: PathBuf,
    data: PathBuf,
    quick: bool,
    delay: Option<SyncDelay>,
}

impl Starter {
    pub(crate) fn new(options: &Options) -> Result<Starter> {
        let program = std::env::current_exe()?;
        let target = program.ancestors().nth(2).ok_or("this program does not stand in a target folder")?;
        let data = target.join("bench-data");
        std::fs::create_dir_all(&data)?;
        let mut starter = Starter { peers: target.join("peers"), data, quick: options.quick, delay: None };
        if options.sync_delay_ms > 0 {
            starter.delay = Some(SyncDelay::compile(&starter.data, options.sync_delay_ms)?);
            starter.prove_delay()?;
        }
        Ok(starter)
    }

    /// Why the program cannot be measured, if it cannot.
    pub(crate) fn obstacle(&self, program: Program) -> Option<String> {
        let delayed = self.delay.is_some();
        if delayed && program == (Program::JetStream { mode: "always" }) {
            return Some("its syncs cannot be delayed, a Go program does not call the C library".into());
        }
        self.needs(program)
            .into_iter()
            .find(|file| !file.exists())
            .map(|file| format!("{} is missing; run benches/peers/setup", file.display()))
    }

    /// Runs one round in an empty folder of its own.
    pub(crate) fn run(&self, program: Program) -> Result<Vec<Measurement>> {
        let folder = TempDir::new_in(&self.data)?;
        let mut command = self.command(program, folder.path())?;
        if let Some(delay) = &self.delay {
            delay.apply(&mut command);
        }
        let output = command.output()?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {}", output.status, complaint.trim()).into());
        }
        let measurements = Measurement::parse_all(std::str::from_utf8(&output.stdout)?)?;
        if measurements.is_empty() {
            return Err("it printed no figure".into());
        }
        Ok(measurements)
    }

    /// The tables that the raw limits write to.
    pub(crate) fn schema(&self) -> Result<String> {
        rows::schema(TempDir::new_in(&self.data)?.path())
    }

    fn command(&self, program: Program, folder: &Path) -> Result<Command> {
        let small = |full: u32| (if self.quick { full / 10 } else { full }).to_string();
        let mut command = match program {
            Program::Child(name) => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["--child", name, "--folder"]).arg(folder);
                if self.quick {
                    command.arg("--quick");
                }
                return Ok(command);
            }
            _ => Command::new(&self.needs(program)[0]),
        };
        match program {
            Program::Child(_) => {}
            Program::Apalis { jobs, state } => {
                command.args([&jobs.to_string(), "100", state]).arg(folder);
            }
            Program::JetStream { mode } => {
                let messages = small(if mode == "always" { 10_000 } else { 100_000 });
                command.arg(self.nats_server()).args([mode, &messages, "256"]).arg(folder);
            }
            Program::Duroxide { activities } => {
                // It writes its log where the figures go.
                command.env("RUST_LOG", "off").args([&activities.to_string(), &small(200)]).arg(folder);
            }
            Program::Ractor => {
                command.args(["64", &small(4_000_000)]);
            }
            Program::Grit => {
                command.arg(if self.quick { "0.3" } else { "2" }).arg(folder);
            }
            Program::AutoGen => {
                command.args(["-c", AUTOGEN, &small(20_000)]);
            }
        }
        Ok(command)
    }

    /// The files that a program needs; of a peer, the program itself first.
    fn needs(&self, program: Program) -> Vec<PathBuf> {
        let built = |name: &str| self.peers.join("build/release").join(name);
        match program {
            Program::Child(name) if TRACED.contains(&name) => vec![self.peers.join(trace::FILE)],
            Program::Child(_) => vec![],
            Program::Apalis { .. } => vec![built("vextir-peer-apalis")],
            Program::JetStream { .. } => vec![built("vextir-peer-jetstream"), self.nats_server()],
            Program::Duroxide { .. } => vec![built("vextir-peer-duroxide")],
            Program::Ractor => vec![built("vextir-peer-ractor")],
            Program::Grit => vec![built("vextir-peer-grit")],
            Program::AutoGen => vec![self.python("python")],
        }
    }

    fn nats_server(&self) -> PathBuf {
        self.python("nats-server")
    }

    fn python(&self, name: &str) -> PathBuf {
        self.peers.join("python/bin").join(name)
    }

    /// A delay that nobody feels would make a table of lies: single commits through SQLite must be slow now.
    fn prove_delay(&self) -> Result<()> {
        let Some(delay) = &self.delay else { return Ok(()) };
        let reached = self.run(Program::Child("limit_emit_single"))?[0].value;
        if reached > delay.most_commits() {
            return Err(format!("the delay of syncs does not work: {reached:.0} commits a second").into());
        }
        Ok(())
    }
}
