//! `cargo run --release -p vextir-crash -- [--plans | --agents] [--kills N] [--seed S] [--seconds S] [--keep DIR]`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use vextir_crash::campaign::{Plan, Subject, copy};
use vextir_crash::{Result, agents, check, child, log, plans, sabotage};

const USAGE: &str = "\
Kills a program under load and counts what its file says afterwards.

  --plans       the program runs instructions
  --agents      the program runs agents
  --kills N     how often it is killed; 1000 by default
  --seconds S   ends after S seconds, however many kills are missing
  --seed S      the moments of the kills; random by default
  --keep DIR    works in this folder and keeps it; a temporary one is kept only when a promise is broken";

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let ended = if args.first().is_some_and(|first| first == "--child") {
        args.remove(0);
        run_child(&args).map(|()| true)
    } else {
        run_campaign(&args)
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run_child(args: &[String]) -> Result<()> {
    let [subject, mode, file, next @ ..] = args else {
        return Err("--child SUBJECT MODE FILE [NEXT ..]".into());
    };
    let file = PathBuf::from(file);
    let next = next.iter().map(|n| n.parse()).collect::<std::result::Result<Vec<u64>, _>>()?;
    tracing::subscriber::set_global_default(log::Log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match (subject.as_str(), mode.as_str()) {
        ("events", "load") => runtime.block_on(child::load(&file, next)),
        ("events", "drain") => runtime.block_on(child::drain(&file)),
        ("plans", "load") => runtime.block_on(plans::child::load(&file, next)),
        ("plans", "drain") => runtime.block_on(plans::child::drain(&file)),
        ("agents", "load") => runtime.block_on(agents::child::load(&file, next)),
        ("agents", "drain") => runtime.block_on(agents::child::drain(&file)),
        other => Err(format!("no such child: {other:?}").into()),
    }
}

fn run_campaign(args: &[String]) -> Result<bool> {
    let (mut kills, mut seed, mut longest, mut keep, mut broken) =
        (1_000, fastrand::u64(..1_000_000), None, None, None);
    let mut subject = Subject::Events;
    let mut args = args.iter();
    while let Some(option) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{option} needs a value\n\n{USAGE}"));
        match option.as_str() {
            "--plans" => subject = Subject::Plans,
            "--agents" => subject = Subject::Agents,
            "--kills" => kills = value()?.parse()?,
            "--seed" => seed = value()?.parse()?,
            "--seconds" => longest = Some(Duration::from_secs(value()?.parse()?)),
            "--keep" => keep = Some(PathBuf::from(value()?)),
            // Breaks the file before the check: it must be found.
            "--sabotage" => broken = Some(value()?.clone()),
            _ => return Err(format!("no such option: {option}\n\n{USAGE}").into()),
        }
    }
    if subject == Subject::Plans && broken.is_some() {
        return Err(
            format!("--sabotage breaks a file of events or of agents; leave --plans out\n\n{USAGE}").into()
        );
    }
    let temporary = tempfile::tempdir()?;
    let folder = keep.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let program = std::env::current_exe()?;
    let plan = Plan { program, subject, folder, kills, least: 0, seed, longest, chatty: true };
    println!("seed {seed}, {kills} kills, in {}", plan.folder.display());
    let ended = run_plan(&plan, broken.as_deref());
    if keep.is_none() && !matches!(ended, Ok(true)) {
        println!("kept: {}", temporary.keep().display());
    }
    ended
}

fn run_plan(plan: &Plan, broken: Option<&str>) -> Result<bool> {
    let report = plan.run()?;
    let (holds, found) = match (plan.subject, broken) {
        (Subject::Plans, _) => {
            let found = plans::check::file(&plan.file(), &report.told)?;
            (found.promises.hold(), found.to_string())
        }
        (Subject::Agents, broken) => {
            let file = broken.map_or_else(|| Ok(plan.file()), |name| forgetful(plan, name))?;
            let found = agents::check::file(&file, &report.told)?;
            (found.promises.hold(), found.to_string())
        }
        (Subject::Events, broken) => {
            let file = broken.map_or_else(|| Ok(plan.file()), |name| sabotaged(plan, name))?;
            let found = check::file(&file, &report.told)?;
            (found.promises.hold(), found.to_string())
        }
    };
    println!("{} kills in {:.0?}, seed {}: {found}", report.kills, report.took, plan.seed);
    Ok(holds)
}

/// A copy of the file, broken in this way.
fn sabotaged(plan: &Plan, name: &str) -> Result<PathBuf> {
    let way = sabotage::ALL.iter().find(|way| way.name == name).ok_or("no such sabotage")?;
    let file = plan.folder.join("broken.db");
    copy(&plan.file(), &file)?;
    way.apply(&file)?;
    Ok(file)
}

/// The same for agents, and for what they noted.
fn forgetful(plan: &Plan, name: &str) -> Result<PathBuf> {
    let file = plan.folder.join("broken.db");
    agents::sabotage::apply(name, &plan.file(), &file)?;
    Ok(file)
}
