//! A copy of a hub that is at work.

use super::part::Part;
use super::{Hands, Progress};
use crate::fault::OrFault;
use crate::file::real_path;
use crate::hub::Hub;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::ops::ControlFlow;
use std::path::Path;
use vextir_core::{Error, ErrorKind, Result};

/// How many pages of 4 KiB are copied between two looks at the progress.
const STEP: i32 = 256;

impl Hub {
    /// Copies the hub to a new file while it is at work, as it is at this moment. The copy opens as a hub; to
    /// restore it, put it in the hub's place while that is closed. Cursors of the hub are none of the copy: what was
    /// watched is read anew.
    ///
    /// It is written beside its path, as `<path>.part`, and gets its name when it is whole and on the disk. `progress`
    /// hears how many bytes are there, and cuts it off with `Break`; so does dropping the future. A hub in memory is
    /// held up meanwhile; one in a file is not, but its write-ahead log grows until the copy is done.
    ///
    /// ```
    /// # extern crate vextir_core as vextir;
    /// use std::ops::ControlFlow::Continue;
    /// use vextir_context::Hub;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> vextir::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// let hub = Hub::open(folder.path().join("vextir.db"))?;
    /// hub.context("ann").write("/notes", "remember").await?;
    /// let copy = folder.path().join("copy.db");
    /// hub.backup(&copy, |_| Continue(())).await?;
    ///
    /// let restored = Hub::open(&copy)?;
    /// assert!(restored.context("ann").read("/notes").await?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Conflict`: there is a file at `path`, or at `<path>.part`. `Unavailable`: it cannot be written, or there is no
    /// room. `Closed`: it was cut off. No file is left at `path` then.
    pub async fn backup(
        &self,
        path: impl AsRef<Path>,
        progress: impl FnMut(Progress) -> ControlFlow<()> + Send + 'static,
    ) -> Result<()> {
        let path = path.as_ref().to_owned();
        self.keeper().run(move |hands| backup(hands, &path, progress)).await
    }
}

fn backup(
    hands: &Hands,
    path: &Path,
    mut progress: impl FnMut(Progress) -> ControlFlow<()> + Send + 'static,
) -> Result<()> {
    let path = real_path(path)?;
    let part = Part::file(&path, "backup")?;
    let (target, go_on) = (part.path().to_owned(), hands.clone());
    hands.read_long(move |source| {
        copy(source, &target, None, |now| match progress(now) {
            ControlFlow::Continue(()) => go_on.go_on(),
            ControlFlow::Break(()) => Err(Error::new(ErrorKind::Closed, "the backup was cut off")),
        })
    })?;
    part.finish()
}

/// Copies a database as it is now.
fn copy(
    source: &Connection,
    target: &Path,
    most_pages: Option<u32>,
    mut progress: impl FnMut(Progress) -> Result<()>,
) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(target, flags).or_fault()?;
    if let Some(most) = most_pages {
        copy.execute_batch(&format!("PRAGMA max_page_count = {most}")).or_fault()?;
    }
    let page = crate::space::measure(source)?.page;
    // Held to the end: otherwise each write elsewhere would begin the copy anew.
    let snapshot = source.unchecked_transaction().or_fault()?;
    crate::queries::stored_number(&snapshot, "head")?;
    {
        let backup = Backup::new(&snapshot, &mut copy).or_fault()?;
        loop {
            let step = backup.step(STEP).or_fault()?;
            let pages = |count: i32| u64::try_from(count).unwrap_or(0) * page;
            let now = backup.progress();
            progress(Progress { done: pages(now.pagecount - now.remaining), total: pages(now.pagecount) })?;
            if step == StepResult::Done {
                break;
            }
        }
    }
    snapshot.finish().or_fault()?;
    // Its numbers go on from here, and so do those of the hub: neither's cursors are the other's.
    copy.execute_batch("DELETE FROM meta WHERE name = 'incarnation'; PRAGMA wal_checkpoint(TRUNCATE);")
        .or_fault()?;
    copy.close().map_err(|(_, error)| error).or_fault()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_ends_the_copy_with_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let source = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&source, 0).unwrap();
        source
            .execute_batch(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
                 INSERT INTO meta SELECT 'x' || i, randomblob(4000) FROM n",
            )
            .unwrap();
        let target = folder.path().join("copy");
        std::fs::write(&target, "").unwrap();
        let mut steps = 0;
        let full = copy(&source, &target, Some(600), |_| {
            steps += 1;
            Ok(())
        });
        assert_eq!(full.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(steps, 2, "it began");
        copy(&source, &target, None, |_| Ok(())).unwrap();
    }
}
