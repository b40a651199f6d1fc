//! The reporter: sums up the folder, as an event and as a document.

use crate::archive::keep_summary;
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
#[driver("reporter", version = "1", timeout = "2m", effect = "writes_context")]
impl Reporter {
    /// The summary of a day.
    #[on]
    async fn report(&self, ask: Report, cx: &Ctx) -> Result<Summarized, Error> {
        let exists = |path: &str| probe(&self.root, path).is_some();
        let summary = summarize(&*self.ledger.read().await?, ask.date, &exists);
        keep_summary(&cx.context(), &summary).await?;
        Ok(Summarized { summary })
    }
}
