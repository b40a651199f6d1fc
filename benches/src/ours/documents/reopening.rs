//! Opening what was closed, and reading a document of it.

use std::time::Instant;

use crate::Result;
use crate::limits::trace::Trace;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// How often it is opened.
const TIMES: usize = 21;

/// The paper of the editing trace stands in a hub; from `Hub::open` until its text is read, the hub closed before each
/// time. The median. The system may have the file in its memory.
pub(crate) fn reopening(trial: &Trial) -> Result<Vec<Measurement>> {
    let trace = Trace::read(trial)?;
    super::super::block_on(async {
        let hub = super::open(trial)?;
        for text in trace.versions() {
            hub.context("ann").write("/paper", text).await?;
        }
        hub.close().await?;
        let mut times = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            let began = Instant::now();
            let hub = super::open(trial)?;
            let paper = hub.context("ann").read("/paper").await?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
            trace.check(&paper.ok_or("the paper is gone")?.content.to_text())?;
            hub.close().await?;
        }
        Ok(vec![Measurement::middle("documents_reopen", Unit::Milliseconds, &times)?])
    })
}
