//! The editing trace of automerge-perf: a paper of 105 KB, typed in 259,778 edits of one character each.

use std::path::PathBuf;

use serde::Deserialize;

use crate::Result;
use crate::trial::Trial;

/// After how many edits the text is stored, where it is.
pub(crate) const STEP: usize = 1_000;

/// How many edits a quick run does.
const QUICK: usize = 20_000;

/// Some characters, of one byte each, that went, and what came in their place.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) at: usize,
    pub(crate) removed: usize,
    pub(crate) inserted: String,
}

/// The edits in order.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) edits: Vec<Edit>,
    /// What they must make; only the whole trace says that.
    end: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    end_content: String,
    txns: Vec<Transaction>,
}

#[derive(Deserialize)]
struct Transaction {
    patches: Vec<(usize, usize, String)>,
}

/// What `benches/peers/setup` calls it, beside the peers.
pub(crate) const FILE: &str = "automerge-paper.json";

fn place() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).ok_or("this program does not stand in a target folder")?;
    Ok(target.join("peers").join(FILE))
}

impl Trace {
    pub(crate) fn read(trial: &Trial) -> Result<Trace> {
        let file: File = serde_json::from_slice(&std::fs::read(place()?)?)?;
        let patches = file.txns.into_iter().flat_map(|transaction| transaction.patches);
        let mut edits: Vec<Edit> =
            patches.map(|(at, removed, inserted)| Edit { at, removed, inserted }).collect();
        if trial.quick {
            edits.truncate(QUICK);
        }
        Ok(Trace { edits, end: Some(file.end_content).filter(|_| !trial.quick) })
    }

    /// The text after each [`STEP`] edits, and at the end.
    pub(crate) fn versions(&self) -> impl Iterator<Item = String> {
        let mut text = String::new();
        self.edits.chunks(STEP).map(move |edits| {
            for edit in edits {
                text.replace_range(edit.at..edit.at + edit.removed, &edit.inserted);
            }
            text.clone()
        })
    }

    /// Whether this is what the edits make.
    pub(crate) fn check(&self, text: &str) -> Result<()> {
        match &self.end {
            Some(end) if end != text => Err("the edits made another text".into()),
            _ => Ok(()),
        }
    }
}
