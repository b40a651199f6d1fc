//! Starts the program, kills it at a random moment, and starts it again.

use crate::{Result, agents, log, plans, work};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What the program works at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Events, and drivers of every kind.
    Events,
    /// Instructions with every kind of step.
    Plans,
    /// Agents, with models and tools.
    Agents,
}

impl Subject {
    /// How many emitters there are.
    fn emitters(self) -> usize {
        match self {
            Self::Events => work::USERS.len(),
            Self::Plans => plans::USERS.len(),
            Self::Agents => agents::USERS.len(),
        }
    }

    /// How long it lives at most before it is killed, in microseconds: a run takes longer than an event.
    fn longest_life(self) -> u64 {
        match self {
            Self::Events => 300_000,
            Self::Plans | Self::Agents => 600_000,
        }
    }

    /// What the program is called with.
    fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Plans => "plans",
            Self::Agents => "agents",
        }
    }
}

/// What a campaign does.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The program.
    pub program: PathBuf,
    /// What it works at.
    pub subject: Subject,
    /// Its folder: the hub's file, and what it said.
    pub folder: PathBuf,
    /// How often it is killed.
    pub kills: u64,
    /// It is killed more often while fewer events than these were acknowledged: a slow machine does less between two
    /// kills.
    pub least: usize,
    /// Repeats the moments of the kills, as far as a machine can.
    pub seed: u64,
    /// When it ends however many kills are missing.
    pub longest: Option<Duration>,
    /// Whether it says how far it is.
    pub chatty: bool,
}

/// What the program said before it was killed.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The ids that each emitter was told, in the order of its numbers.
    pub acknowledged: Vec<Vec<String>>,
    /// How often a delivery of an event began to run alone, because the process had died while it may have run.
    pub alone: HashMap<String, usize>,
}

/// What a campaign did.
#[derive(Debug)]
pub struct Report {
    /// Kills that hit a running program.
    pub kills: u64,
    /// How long it took.
    pub took: Duration,
    /// What the program said.
    pub told: Told,
}

impl Plan {
    /// The hub's file.
    pub fn file(&self) -> PathBuf {
        self.folder.join("hub.db")
    }

    /// Runs the campaign. What the file says at its end is to be checked.
    ///
    /// # Errors
    /// The program could not be run, or ended by itself.
    pub fn run(&self) -> Result<Report> {
        let begun = Instant::now();
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut acknowledged: Vec<Vec<String>> = vec![Vec::new(); self.subject.emitters()];
        let mut kills = 0;
        let is_enough = |kills: u64, acknowledged: &[Vec<String>]| {
            kills >= self.kills && acknowledged.iter().map(Vec::len).sum::<usize>() >= self.least
        };
        while !is_enough(kills, &acknowledged) && self.longest.is_none_or(|longest| begun.elapsed() < longest)
        {
            let moment = Duration::from_micros(random.u64(1_000..self.subject.longest_life()));
            self.kill_once(moment, &mut acknowledged)?;
            kills += 1;
            if self.chatty && kills % 50 == 0 {
                let count: usize = acknowledged.iter().map(Vec::len).sum();
                println!("{kills} kills, {count} events acknowledged, {:?}", begun.elapsed());
            }
        }
        let mut child = self.spawn("drain", &[])?;
        let status = child.wait()?;
        if !status.success() {
            return Err(self.ended("the drain", status));
        }
        let told = Told { acknowledged, alone: self.alone()? };
        Ok(Report { kills, took: begun.elapsed(), told })
    }

    /// One life of the program: what it acknowledged is added.
    fn kill_once(&self, moment: Duration, acknowledged: &mut [Vec<String>]) -> Result<()> {
        let next: Vec<String> = acknowledged.iter().map(|ids| ids.len().to_string()).collect();
        let mut child = self.spawn("load", &next)?;
        let output = child.stdout.take().ok_or("the program has no output")?;
        let reader = thread::spawn(move || {
            // A line without its end was torn: `lines` gives it too, and `parse` does not take it.
            BufReader::new(output).split(b'\n').map_while(std::io::Result::ok).collect::<Vec<_>>()
        });
        thread::sleep(moment);
        if let Some(status) = child.try_wait()? {
            return Err(self.ended("the program", status));
        }
        child.kill()?;
        child.wait()?;
        for line in reader.join().map_err(|_| "the reader of the program's output panicked")? {
            let Some((emitter, n, id)) = parse(&line) else { continue };
            let known = acknowledged.get_mut(emitter).ok_or("an emitter that is not there")?;
            if known.len() != n {
                return Err(
                    format!("emitter {emitter} said {n} after {} acknowledgements", known.len()).into()
                );
            }
            known.push(id);
        }
        Ok(())
    }

    fn spawn(&self, mode: &str, next: &[String]) -> Result<Child> {
        let said = std::fs::File::options().create(true).append(true).open(self.said())?;
        Ok(Command::new(&self.program)
            .arg("--child")
            .arg(self.subject.name())
            .arg(mode)
            .arg(self.file())
            .args(next)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn()?)
    }

    fn alone(&self) -> Result<HashMap<String, usize>> {
        let mut alone = HashMap::new();
        for line in std::fs::read_to_string(self.said())?.lines() {
            if let Some(event) = line.strip_prefix(log::ALONE) {
                *alone.entry(event.to_owned()).or_default() += 1;
            }
        }
        Ok(alone)
    }

    fn said(&self) -> PathBuf {
        self.folder.join("said.txt")
    }

    fn ended(&self, who: &str, status: ExitStatus) -> Box<dyn std::error::Error + Send + Sync> {
        let said = std::fs::read_to_string(self.said()).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(20).collect();
        format!(
            "{who} ended by itself with {status}: {}",
            last.into_iter().rev().collect::<Vec<_>>().join("\n")
        )
        .into()
    }
}

fn parse(line: &[u8]) -> Option<(usize, usize, String)> {
    let mut words = std::str::from_utf8(line).ok()?.strip_prefix("ack ")?.split(' ');
    let (emitter, n) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((emitter, n, words.next()?.to_owned()))
}

/// The files of a hub: copied together.
///
/// # Errors
/// They cannot be copied.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    for end in ["", "-wal", "-shm"] {
        let beside = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        if beside(from).exists() {
            std::fs::copy(beside(from), beside(to))?;
        }
    }
    Ok(())
}
