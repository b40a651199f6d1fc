//! How much room a hub takes.

use crate::queries::number;
use rusqlite::Connection;
use vextir_core::Result;

/// Pages of a file, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space {
    /// Bytes of pages that hold something.
    pub(crate) used: u64,
    /// Bytes of pages that are free.
    pub(crate) free: u64,
    /// Bytes of one page.
    pub(crate) page: u64,
}

/// Reads it from the file's header.
pub(crate) fn measure(connection: &Connection) -> Result<Space> {
    let pages = number(connection, "PRAGMA page_count", [])?;
    let free = number(connection, "PRAGMA freelist_count", [])?;
    let page = number(connection, "PRAGMA page_size", [])?;
    Ok(Space { used: pages.saturating_sub(free) * page, free: free * page, page })
}

/// The room that a hub takes, in bytes; see [`Hub::size`](crate::Hub::size).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubSize {
    /// What the log and everything beside it takes.
    pub used: u64,
    /// Free pages inside the file, which new rows will take.
    pub free: u64,
    /// The write-ahead log; 0 for a hub in memory.
    pub wal: u64,
}
