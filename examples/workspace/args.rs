//! The command line.

use crate::daily::Daily;
use crate::question::LONGEST;
use std::path::PathBuf;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Looks at a folder, says what is in it, and files it away if you want.

Usage: workspace [DIR] [--apply | --undo | --undo-all | --ask QUESTION | --daily TIME]
                 [--timezone ZONE] [--out FILE] [--state FILE] [--batch N]

  DIR            the folder; without one, a sample that comes with this program

  --apply        file away: each file goes to <Class>/<its old folder>/<name>
  --undo         put back what the last --apply filed away
  --undo-all     put back everything that was ever filed away
  --ask QUESTION say which files answer it: --ask \"which invoices came in June?\"
  --daily TIME   stay, watch the folder, and sum it up each day at this time: 18:00
  --timezone ZONE
                 where it is that time: Europe/Berlin; this machine's zone if not said
  --out FILE     write the summary as Markdown too
  --state FILE   remember things there, instead of below the user's state folder
  --batch N      plan N moves at a time: 1 to 10000, and 10000 if not said
  -h, --help     print this text

A question is looked up by words and by meaning, in the beginning of each file, its name and its
title. Plain words narrow it down: a sort of paper (invoices, letters, notes ..), of file (photos,
songs ..), and a time (in June, 2024, last month, this week, 12 June 2025). A file's time is
the date in its name, else the first in a document's text, else that of its last change.

With --daily it runs until it is stopped. A summary whose time came while it did not run is
made at the next start, if that is within a day.

Without --apply or --undo it only looks. It may be stopped at any time, even killed: started
again it finishes what it began, and run twice it does nothing twice.

The classes are Documents, Images, Code, Archives, Data, Audio, Video and Other, by name or,
where that says nothing, by content. Of files with the same content the one that is best
placed stays, and the others go to Duplicates/<their old folder>/<name>. A folder with a
project in it (Cargo.toml, package.json, .git and the like) is left as it is, and so are
hidden files, symbolic links, node_modules and __pycache__. No file is ever overwritten or
deleted: where a name is taken, the new one gets a number. Folders that end up empty are
removed, and made again by --undo.";

/// How many moves may be planned at a time: they are one commit.
pub(crate) const MOST_BATCH: usize = 10_000;

/// What to do beside looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Task {
    Look,
    Apply,
    Undo,
    UndoAll,
    Ask(String),
    Daily(Daily),
}

/// The command line, read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) task: Task,
    pub(crate) out: Option<PathBuf>,
    pub(crate) state: Option<PathBuf>,
    pub(crate) batch: usize,
}

/// Reads the command line; `None` when it asks for help.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Option<Args>, lexopt::Error> {
    use lexopt::prelude::*;

    let (mut time, mut timezone) = (None, None);
    let mut args = Args { dir: None, task: Task::Look, out: None, state: None, batch: MOST_BATCH };
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(None),
            Long("apply") => args.choose(Task::Apply)?,
            Long("undo") => args.choose(Task::Undo)?,
            Long("undo-all") => args.choose(Task::UndoAll)?,
            Long("ask") => args.choose(Task::Ask(question(parser.value()?.string()?)?))?,
            Long("daily") => time = Some(parser.value()?.string()?),
            Long("timezone") => timezone = Some(parser.value()?.string()?),
            Long("out") => args.out = Some(parser.value()?.into()),
            Long("state") => args.state = Some(parser.value()?.into()),
            Long("batch") => args.batch = batch(parser.value()?.parse()?)?,
            Value(dir) if args.dir.is_none() => args.dir = Some(dir.into()),
            Value(more) => {
                return Err(format!("one folder at a time; what is {}?", more.display()).into());
            }
            other => return Err(other.unexpected()),
        }
    }
    match (time, timezone.as_deref()) {
        (Some(time), zone) => args.choose(Task::Daily(Daily::parse(&time, zone)?))?,
        (None, Some(_)) => return Err("--timezone goes with --daily".into()),
        (None, None) => {}
    }
    if let (Task::Ask(_), Some(_)) = (&args.task, &args.out) {
        return Err("--out writes a summary, and --ask makes none".into());
    }
    Ok(Some(args))
}

fn question(text: String) -> Result<String, lexopt::Error> {
    match text.len() {
        _ if text.trim().is_empty() => Err("--ask needs a question".into()),
        0..=LONGEST => Ok(text),
        bytes => Err(format!("the question has {bytes} bytes, and {LONGEST} is the most").into()),
    }
}

fn batch(number: usize) -> Result<usize, lexopt::Error> {
    match number {
        1..=MOST_BATCH => Ok(number),
        _ => Err(format!("--batch is a number from 1 to {MOST_BATCH}, and not {number}").into()),
    }
}

impl Args {
    fn choose(&mut self, task: Task) -> Result<(), lexopt::Error> {
        if self.task != Task::Look && self.task != task {
            return Err("--apply, --undo, --undo-all, --ask and --daily exclude each other".into());
        }
        self.task = task;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Option<Args>, String> {
        parse(lexopt::Parser::from_args(args)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_usual_ways_to_write_it() {
        let args = read(&["--apply", "dir", "--out=a.md", "--state", "s.db", "--batch=7"]).unwrap().unwrap();
        let path = |text: &str| Some(PathBuf::from(text));
        let expected =
            Args { dir: path("dir"), task: Task::Apply, out: path("a.md"), state: path("s.db"), batch: 7 };
        assert_eq!(args, expected);
        assert_eq!(read(&["--", "--apply"]).unwrap().unwrap().dir, path("--apply"));
        assert_eq!(read(&["--ask=-- \"*\"?"]).unwrap().unwrap().task, Task::Ask("-- \"*\"?".into()));
        assert_eq!(read(&["dir", "-h"]), Ok(None));
        let daily = Daily::parse("18:00", Some("UTC")).unwrap();
        let args = read(&["--timezone", "UTC", "--daily=18:00"]).unwrap().unwrap();
        assert_eq!(args.task, Task::Daily(daily));
    }

    #[test]
    fn mistakes_are_named() {
        for (args, said) in [
            (&["a", "b"][..], "what is b?"),
            (&["--apply", "--undo"], "exclude each other"),
            (&["--ask", "a", "--undo"], "exclude each other"),
            (&["--daily", "18:00", "--undo"], "exclude each other"),
            (&["--daily"], "missing argument"),
            (&["--daily", "noon"], "not \"noon\""),
            (&["--daily=18:00", "--timezone=Mars"], "no zone \"Mars\""),
            (&["--timezone", "UTC"], "goes with --daily"),
            (&["--ask", "a", "--out", "b"], "--ask makes none"),
            (&["--ask"], "missing argument"),
            (&["--ask", " \n"], "needs a question"),
            (&["--ask", &"é".repeat(501)], "1002 bytes, and 1000"),
            (&["--aply"], "--aply"),
            (&["--out"], "missing argument"),
            (&["--batch=0"], "from 1 to 10000"),
            (&["--batch=all"], "all"),
        ] {
            let error = read(args).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
