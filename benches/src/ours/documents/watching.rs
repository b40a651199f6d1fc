//! How soon a watch tells of a commit.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// How long the writer rests between two writes.
const REST: Duration = Duration::from_millis(2);

/// One task writes documents below a folder that another one watches; from the answer of each write, which comes after
/// its commit, until the watch has told of it. The 99th percentile.
pub(crate) fn watching(trial: &Trial) -> Result<Vec<Measurement>> {
    let writes = if trial.quick { 50 } else { 1_000 };
    super::super::block_on(async {
        let hub = super::open(trial)?;
        let ann = hub.context("ann");
        let mut watch = ann.watch("/inbox").await?;
        let watcher = tokio::spawn(async move {
            let mut seen = HashMap::new();
            while seen.len() < writes {
                let Some(changed) = watch.next().await else { break };
                let now = Instant::now();
                let path = changed?.path;
                if path.starts_with("/inbox/") {
                    seen.insert(path, now);
                }
            }
            Ok::<_, vextir::Error>(seen)
        });
        let writer = tokio::spawn(async move {
            let mut written = Vec::with_capacity(writes);
            for number in 0..writes {
                let path = format!("/inbox/letter{number}");
                ann.write(&path, "Dear Ann").await?;
                written.push((path, Instant::now()));
                tokio::time::sleep(REST).await;
            }
            Ok::<_, vextir::Error>(written)
        });
        let (written, seen) = (writer.await??, watcher.await??);
        hub.close().await?;
        let mut times = Vec::with_capacity(writes);
        for (path, committed) in written {
            let told = seen.get(&path).ok_or("a write was never told")?;
            times.push(told.saturating_duration_since(committed));
        }
        times.sort_unstable();
        let late = times[writes * 99 / 100].as_secs_f64() * 1e3;
        Ok(vec![Measurement::new("documents_watch", Unit::Milliseconds, late)])
    })
}
