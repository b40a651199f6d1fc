//! One key of a document, written durably.

use std::time::Instant;

use serde_json::json;
use vextir::{Error, ErrorKind};

use crate::Result;
use crate::limits::row_per_key::{DOCUMENTS, turn};
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// One writer patches one key after the other, each in another one of a hundred documents with 50 keys, and waits
/// until the write is durable. The search index is off.
pub(crate) fn writing(trial: &Trial) -> Result<Vec<Measurement>> {
    let trial = trial.clone();
    super::super::block_on(async {
        let hub = super::open(&trial)?;
        let ann = hub.context("ann");
        for document in 0..DOCUMENTS {
            ann.write(&format!("/d{document}"), super::fifty_keys()).await?;
        }
        // On a worker, as in a server: the main thread would have to be woken for each answer.
        let took = tokio::spawn(async move {
            let (began, mut written, mut warm) = (Instant::now(), 0_usize, None);
            while began.elapsed() < trial.warm_up() + trial.length() {
                let (document, name) = turn(written);
                ann.patch(&format!("/d{document}"), json!({ name: format!("new{written}") })).await?;
                written += 1;
                if warm.is_none() && began.elapsed() > trial.warm_up() {
                    warm = Some((Instant::now(), written));
                }
            }
            let (since, before) =
                warm.ok_or_else(|| Error::new(ErrorKind::Timeout, "the warm-up did not end"))?;
            Ok::<f64, Error>(since.elapsed().as_secs_f64() * 1e6 / (written - before).max(1) as f64)
        })
        .await??;
        hub.close().await?;
        Ok(vec![Measurement::new("documents_write", Unit::Microseconds, took)])
    })
}
