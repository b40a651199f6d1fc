//! An export comes back, into the same tree or another one.

use super::Hands;
use super::parcel::{Entry, EntryKind, Parcel, Placed, parent};
use crate::documents::arrive::{Arrival, Arrived, arrive};
use crate::hub::Hub;
use serde_json::Value;
use std::path::Path;
use vextir_core::{Name, Result};

/// How many arrivals, and about how many bytes, are stored in one commit.
const BATCH: usize = 64;
const BYTES: usize = 256 << 10;

/// What becomes of the rights that an export names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportRights {
    /// They are left out: only the user sees what is imported. Restricted folders stay restricted.
    LeaveOut,
    /// They are given again. For an export that you trust, and among the same users.
    Restore,
}

/// What an import came to; see [`Hub::import`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Folders and documents that are new.
    pub made: u64,
    /// Those that were there already, and were left as they are.
    pub there: u64,
}

impl Hub {
    /// Takes an export ([`Hub::export`]) into a user's tree: the same user's or another's, of this hub or another one.
    ///
    /// What is in the tree already, known by its `uid`, stays as it is, wherever it was moved to; so importing twice
    /// does nothing twice. What stands at the place of something new stays too, and the new one is called `name (2)`;
    /// a folder takes in what belongs to a folder of its path. What was removed comes back as something new. Of the
    /// history only the times of the first and the last change are taken.
    ///
    /// The export is read and checked whole before anything is changed: paths, sizes, links, JSON. After that, each
    /// folder and document is taken in whole; an import that is cut off, also by a crash, is finished by importing
    /// again. The folder must not change meanwhile.
    ///
    /// ```
    /// # extern crate vextir_core as vextir;
    /// use vextir_context::{Hub, ImportRights};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> vextir::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let folder = place.path().join("ann");
    /// let hub = Hub::in_memory()?;
    /// hub.context("ann").write("/notes/today", "remember").await?;
    /// let exported = hub.export("ann", &folder).await?;
    /// assert_eq!((exported.folders, exported.documents), (2, 1));
    ///
    /// let other = Hub::in_memory()?;
    /// other.import(&folder, "ann", ImportRights::LeaveOut).await?;
    /// assert!(other.context("ann").read("/notes/today").await?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid`: the export is damaged, or is none; `Conflict`: there is no place for something, or its folder was
    /// removed meanwhile. `Unavailable`: there is no room. It says what it is, and where.
    pub async fn import(
        &self,
        folder: impl AsRef<Path>,
        user: impl Into<Name>,
        rights: ImportRights,
    ) -> Result<Imported> {
        let (folder, user, client) = (folder.as_ref().to_owned(), user.into(), self.client());
        self.keeper().run(move |hands| import(hands, &folder, &user, (rights, client))).await
    }
}

fn import(hands: &Hands, folder: &Path, user: &Name, how: (ImportRights, u64)) -> Result<Imported> {
    let parcel = Parcel::open(folder, || hands.go_on())?;
    let (mut placed, mut imported) = (Placed::new(), Imported::default());
    let (mut batch, mut weight) = (Vec::new(), 0);
    for entry in parcel.entries()? {
        let entry = entry?;
        let arrival = prepare(&parcel, entry, how)?;
        weight += arrival.body.as_ref().map_or(0, Arrived::weight);
        let is_folder = arrival.is_folder;
        batch.push(arrival);
        // What comes next may be in this folder.
        if is_folder || batch.len() >= BATCH || weight >= BYTES {
            store(hands, user, std::mem::take(&mut batch), (&mut placed, &mut imported))?;
            weight = 0;
        }
    }
    store(hands, user, batch, (&mut placed, &mut imported))?;
    Ok(imported)
}

/// Makes an entry ready for the writer.
fn prepare(parcel: &Parcel, entry: Entry, (rights, client): (ImportRights, u64)) -> Result<Arrival> {
    let content = parcel.content(&entry)?;
    let uid = entry.uid().ok_or_else(|| parcel.refused(&entry.path, "the export was changed meanwhile"))?;
    let metadata = Value::Object(entry.metadata);
    let body = content.map(|content| Arrived::new(client, &content, metadata)).transpose();
    Ok(Arrival {
        uid,
        body: body.map_err(|error| error.context(entry.path.clone()))?,
        path: entry.path,
        is_folder: entry.kind == EntryKind::Folder,
        created: entry.created,
        updated: entry.updated,
        restricted: entry.restricted,
        granted: if rights == ImportRights::Restore { entry.granted } else { Vec::new() },
        keep: entry.keep,
    })
}

fn store(
    hands: &Hands,
    user: &Name,
    batch: Vec<Arrival>,
    (placed, imported): (&mut Placed, &mut Imported),
) -> Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let parents: Vec<i64> =
        batch.iter().map(|arrival| placed.get(parent(&arrival.path)).copied().unwrap_or(0)).collect();
    let owner = user.clone();
    let (paths, found) = hands.write(move |rows| {
        let mut found = Vec::with_capacity(batch.len());
        for (parent, arrival) in parents.iter().zip(&batch) {
            found.push(arrive(rows.writing(), &owner, (*parent, arrival))?);
        }
        let folders = batch.into_iter().map(|arrival| arrival.is_folder.then_some(arrival.path));
        Ok((folders.collect::<Vec<_>>(), found))
    })?;
    for (path, now) in paths.into_iter().zip(found) {
        if let Some(path) = path {
            placed.insert(path, now.node);
        }
        *(if now.is_new { &mut imported.made } else { &mut imported.there }) += 1;
    }
    Ok(())
}
