//! The command line.

use std::path::PathBuf;

use crate::trial::Trial;

pub(crate) const USAGE: &str = "\
vextir-benches: what Vextir does a second, beside its limits and its peers

  --rounds N          alternating rounds, of which the medians are shown (default 5; quick: 1)
  --quick             short runs, to see that everything works: the figures say little
  --sync-delay-ms N   adds N milliseconds to each sync of ours, the limits and the peers that allow it
  --only TEXT         only the rows whose name contains TEXT
  --no-peers          only ours and the limits";

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Table(Options),
    /// One round of one workload, started by the driver.
    Child {
        name: String,
        trial: Trial,
    },
}

/// How to make the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) quick: bool,
    pub(crate) sync_delay_ms: u64,
    pub(crate) only: Option<String>,
    pub(crate) peers: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { rounds: 5, quick: false, sync_delay_ms: 0, only: None, peers: true }
    }
}

pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut arguments = arguments;
    let mut options = Options::default();
    let (mut child, mut folder, mut rounds) = (None, None, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--quick" => options.quick = true,
            "--no-peers" => options.peers = false,
            "--only" => options.only = Some(value()?),
            "--rounds" => rounds = Some(number(&value()?)?),
            "--sync-delay-ms" => options.sync_delay_ms = number(&value()?)?,
            "--child" => child = Some(value()?),
            "--folder" => folder = Some(PathBuf::from(value()?)),
            unknown => return Err(format!("unknown option {unknown}")),
        }
    }
    options.rounds = rounds.unwrap_or(if options.quick { 1 } else { options.rounds });
    if options.rounds == 0 {
        return Err("--rounds must be at least 1".into());
    }
    match (child, folder) {
        (None, None) => Ok(Command::Table(options)),
        (Some(name), Some(folder)) => {
            Ok(Command::Child { name, trial: Trial { folder, quick: options.quick } })
        }
        _ => Err("--child and --folder come together".into()),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(line: &str) -> Result<Options, String> {
        match parse(line.split_whitespace().map(String::from))? {
            Command::Table(options) => Ok(options),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn nothing_given_means_five_rounds_of_everything() {
        assert_eq!(table(""), Ok(Options::default()));
    }

    #[test]
    fn all_options_together() {
        let options = table("--rounds 7 --quick --sync-delay-ms 1 --only loop --no-peers");
        let expected =
            Options { rounds: 7, quick: true, sync_delay_ms: 1, only: Some("loop".into()), peers: false };
        assert_eq!(options, Ok(expected));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(table("--round 5"), Err("unknown option --round".into()));
        assert_eq!(table("--rounds"), Err("--rounds needs a value".into()));
        assert_eq!(table("--rounds x"), Err("x is not a number".into()));
        assert_eq!(table("--rounds 0"), Err("--rounds must be at least 1".into()));
    }
}
