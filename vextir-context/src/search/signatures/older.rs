//! Signatures of files that are older than the second bit: each load would make them anew from the vectors, so they are brought
//! forward in steps.

use super::table::{signature, to_bytes};
use crate::decode::get;
use crate::fault::OrFault;
use crate::queries;
use crate::search::entry::{execute, set};
use crate::search::ids;
use rusqlite::Connection;
use vextir_core::Result;

/// How many bits of each value all signatures have; nothing in a file of before.
const BITS: &str = "search_bits";

/// How many rows are looked through at once.
const PAGE: i64 = 1_024;

/// Notes that there are none of before.
pub(in crate::search) fn note_none(connection: &Connection) -> Result<i64> {
    set(connection, BITS, Some(2))?;
    Ok(0)
}

/// Some rows.
#[derive(Debug, PartialEq)]
pub(in crate::search) struct Page {
    /// Those of the older form.
    pub(in crate::search) rows: Vec<i64>,
    /// The last row that was looked at; `None` if there was none.
    pub(in crate::search) last: Option<i64>,
}

/// The rows behind another one; `None` if there are none of the older form in the file.
pub(in crate::search) fn page(
    hub: &Connection,
    after: i64,
    epoch: i64,
    stride: usize,
) -> Result<Option<Page>> {
    if queries::meta::<i64>(hub, BITS)?.is_some() {
        return Ok(None);
    }
    let sql =
        "SELECT id, epoch = ?2 AND length(bits) = ?3 FROM search_piece WHERE id > ?1 ORDER BY id LIMIT ?4";
    let former = i64::try_from(stride * 8).unwrap_or(i64::MAX);
    let read = |row: &rusqlite::Row<'_>| Ok((get(row, 0)?, get(row, 1)?));
    let met: Vec<(i64, bool)> = queries::rows(hub, sql, (after, epoch, former, PAGE), read)?;
    let last = met.last().map(|(row, _)| *row);
    Ok(Some(Page {
        rows: met.into_iter().filter(|(_, is_former)| *is_former).map(|(row, _)| row).collect(),
        last,
    }))
}

/// Brings rows forward, in the writer's transaction; by how many bytes the index grew.
pub(in crate::search) fn bring_forward(connection: &Connection, rows: &[i64], stride: usize) -> Result<i64> {
    // As many bytes come to them again.
    let former = i64::try_from(stride * 8).unwrap_or(i64::MAX);
    let mut grown = 0;
    for row in rows {
        let Some(bits) = made(connection, *row)?.filter(|bits| bits.len() == stride * 2) else { continue };
        // Meanwhile the document may have been stored anew.
        let sql = "UPDATE search_piece SET bits = ?2 WHERE id = ?1 AND length(bits) = ?3";
        if execute(connection, sql, (row, to_bytes(&bits), former))? > 0 {
            let sql = "UPDATE search_node SET vectors = vectors + ?2 WHERE node = ?1";
            execute(connection, sql, (ids::node(*row), former))?;
            grown += former;
        }
    }
    Ok(grown)
}

/// The signature of a stored vector.
pub(super) fn made(hub: &Connection, row: i64) -> Result<Option<Vec<u64>>> {
    queries::one(hub, "SELECT data FROM search_vector WHERE id = ?1", [row], |row| {
        let stored = row.get_ref(0).or_fault()?;
        let (numbers, _) = stored.as_blob().unwrap_or_default().as_chunks::<4>();
        let vector: Vec<f32> = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
        Ok(signature(&vector))
    })
}
