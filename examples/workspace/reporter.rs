//! The reporter: sums up the folder, as an event.

use crate::events::{Report, Summarized};
use crate::ledger::Ledger;
use crate::planner::probe;
use crate::summary::summarize;
use std::path::PathBuf;
use vextir::Error;
use vextir::prelude::*;

pub(crate) struct Reporter {
    pub(crate) root: PathBuf,
    pub(crate) ledger: Ledger,
}

/// Sums up what is in the folder.
#[driver("reporter", version = "1", timeout = "2m", effect = "reads")]
impl Reporter {
    /// The summary of a day.
    #[on]
    async fn report(&self, ask: Report) -> Result<Summarized, Error> {
        let catalog = self.ledger.read().await?;
        let exists = |path: &str| probe(&self.root, path).is_some();
        Ok(Summarized { summary: summarize(&catalog, ask.date, &exists) })
    }
}
