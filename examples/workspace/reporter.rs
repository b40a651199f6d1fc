//! The reporter: sums up the folder, as an event and as a document.

use crate::archive::keep_summary;
use crate::daily::local;
use crate::events::{Report, Summarized, TimeToReport};
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
        self.sum_up(ask.date, cx).await
    }

    /// The summary of the day for which the time has come, though it may be made later.
    #[on]
    async fn daily(&self, ask: TimeToReport, cx: &Ctx) -> Result<Summarized, Error> {
        let slot = cx.event().metadata.get("slot").and_then(|slot| slot.parse().ok());
        let (date, _) = local(slot.unwrap_or_else(|| cx.now()), &ask.timezone).map_err(Error::invalid)?;
        self.sum_up(date, cx).await
    }

    async fn sum_up(&self, date: String, cx: &Ctx) -> Result<Summarized, Error> {
        let exists = |path: &str| probe(&self.root, path).is_some();
        let summary = summarize(&*self.ledger.read().await?, date, &exists);
        keep_summary(&cx.context(), &summary).await?;
        Ok(Summarized { summary })
    }
}
