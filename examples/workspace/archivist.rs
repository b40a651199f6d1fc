//! The archivist: looks into files, keeps a document about each, and says what they are and what they are called.

use crate::archive::{follow, keep};
use crate::class::has_new_extension;
use crate::events::Described;
use crate::facts::File;
use std::path::PathBuf;
use vextir::drivers::files::{FileChanged, FileCreated, FileMoved, FileRemoved};
use vextir::prelude::*;
use vextir::{Ctx, Error};

pub(crate) struct Archivist {
    pub(crate) root: PathBuf,
}

/// Keeps a document about each file.
#[driver(
    "archivist",
    version = "1",
    timeout = "2m",
    concurrency = 16,
    effect = "writes_context",
    // A log from before there was an archive fills it.
    from_start
)]
impl Archivist {
    /// A new file.
    #[on]
    async fn created(&self, file: FileCreated, cx: &Ctx) -> Result<Option<Described>, Error> {
        let found = keep(&cx.context(), &self.root, &file.path, Some(&file.media_type)).await?;
        Ok(found.map(describe))
    }

    /// A file with new content.
    #[on]
    async fn changed(&self, file: FileChanged, cx: &Ctx) -> Result<Option<Described>, Error> {
        let found = keep(&cx.context(), &self.root, &file.path, Some(&file.media_type)).await?;
        Ok(found.map(describe))
    }

    /// A file with a new name; what was said of it stands unless the name now says something else.
    #[on]
    async fn renamed(&self, file: FileMoved, cx: &Ctx) -> Result<Option<Described>, Error> {
        let way = (file.from.as_str(), file.path.as_str());
        let found = follow(&cx.context(), &self.root, way, Some(&file.media_type)).await?;
        Ok(found.filter(|_| has_new_extension(&file.from, &file.path)).map(describe))
    }

    /// A file that is gone.
    #[on]
    async fn removed(&self, file: FileRemoved, cx: &Ctx) -> Result<(), Error> {
        keep(&cx.context(), &self.root, &file.path, None).await.map(drop)
    }
}

fn describe(file: File) -> Described {
    Described { path: file.path, class: file.class, title: file.title }
}
