//! What documents take in the file.

use rusqlite::Connection;
use serde_json::json;

use crate::Result;
use crate::limits::row_per_key::{KEYS, key};
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// How many documents are weighed.
const DOCUMENTS: usize = 1_000;

/// Documents of 50 keys, each written whole and then patched ten times: what one takes as it is now (content, what
/// replicas merge, its place in the tree, indexes), as bytes in the file's rows and in whole pages; and what each patch
/// takes in the operation log, in whole pages.
pub(crate) fn storage(trial: &Trial) -> Result<Vec<Measurement>> {
    super::super::block_on(async {
        let documents = if trial.quick { DOCUMENTS / 10 } else { DOCUMENTS };
        let hub = super::open(trial)?;
        let ann = hub.context("ann");
        for document in 0..documents {
            ann.write(&format!("/f{}/d{document}", document % 10), super::fifty_keys()).await?;
        }
        let before = hub.stats().await?.history;
        for round in 0..10 {
            for document in 0..documents {
                let name = key((document + round * 7) % KEYS);
                let patch = json!({ name: format!("new{round}") });
                ann.patch(&format!("/f{}/d{document}", document % 10), patch).await?;
            }
        }
        let stats = hub.stats().await?;
        hub.close().await?;
        let file = Connection::open(trial.folder.join("vextir.db"))?;
        let rows: f64 = file.query_row(
            "SELECT sum(payload) FROM dbstat JOIN sqlite_schema ON sqlite_schema.name = dbstat.name
             WHERE tbl_name IN ('document', 'node')",
            [],
            |row| row.get(0),
        )?;
        let pages = stats.documents.bytes as f64 / documents as f64;
        let changes = (stats.history.count - before.count) as f64;
        let logged = stats.history.bytes.saturating_sub(before.bytes) as f64 / changes;
        Ok(vec![
            Measurement::new("rows", Unit::Bytes, rows / documents as f64),
            Measurement::new("pages", Unit::Bytes, pages),
            Measurement::new("operation", Unit::Bytes, logged),
        ])
    })
}
