//! The benches: one command runs every workload against its limit or its peer and prints one table.
//!
//! `cargo run --release -p vextir-benches` is all of it. Each figure is measured by a program of its own, which this
//! one starts: itself with `--child`, or a peer. So no two of them share caches, allocators or a SQLite.

use std::error::Error;
use std::process::ExitCode;

mod children;
mod limits;
mod measurement;
mod options;
mod ours;
mod programs;
mod report;
mod resources;
mod rounds;
mod sync_delay;
mod table;
mod trial;

use options::{Command, Options};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let answer = match options::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            println!("{}", options::USAGE);
            Ok(ExitCode::SUCCESS)
        }
        Ok(Command::Child { name, trial }) => children::run(&name, &trial).map(|()| ExitCode::SUCCESS),
        Ok(Command::Table(options)) => print_table(&options),
        Err(message) => Err(format!("{message}\n\n{}", options::USAGE).into()),
    };
    answer.unwrap_or_else(|error| {
        eprintln!("vextir-benches: {error}");
        ExitCode::FAILURE
    })
}

/// Runs the rounds and prints. A workload that failed fails the command; a missed floor does not, it is printed.
fn print_table(options: &Options) -> Result<ExitCode> {
    let rows = table::select(options);
    if rows.is_empty() {
        return Err("no row has that name".into());
    }
    let starter = programs::Starter::new(options)?;
    let schema = starter.schema()?;
    let outcome = rounds::run(&rows, &starter, options)?;
    print!("{}", report::render(&rows, &outcome, options, &schema));
    Ok(if outcome.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
