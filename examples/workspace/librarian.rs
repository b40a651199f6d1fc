//! The librarian: looks into files, and says what they are and what they are called.

use crate::class::{Class, classify, has_new_extension};
use crate::events::Described;
use crate::title::{HEAD_BYTES, title};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use vextir::drivers::files::{FileChanged, FileCreated, FileMoved, unescape};
use vextir::prelude::*;

pub(crate) struct Librarian {
    pub(crate) root: PathBuf,
}

/// Says what files are and what they are called.
#[driver("librarian", version = "1", timeout = "2m", concurrency = 16, effect = "reads")]
impl Librarian {
    /// A new file.
    #[on]
    async fn created(&self, file: FileCreated) -> Option<Described> {
        self.describe(file.path, file.media_type).await
    }

    /// A file with new content.
    #[on]
    async fn changed(&self, file: FileChanged) -> Option<Described> {
        self.describe(file.path, file.media_type).await
    }

    /// A file with a new name; the old description stands unless the name now says something else.
    #[on]
    async fn renamed(&self, file: FileMoved) -> Option<Described> {
        if !has_new_extension(&file.from, &file.path) {
            return None;
        }
        self.describe(file.path, file.media_type).await
    }

    /// Nothing, when the file is gone again or cannot be read: its name has to do.
    async fn describe(&self, path: String, media_type: String) -> Option<Described> {
        let root = self.root.clone();
        let work = move || {
            let head = head(&root, &path).ok()?;
            let class = classify(&path, &media_type, &head);
            let title = title(&path, class, &head).filter(|_| class == Class::Documents);
            Some(Described { path, class, title })
        };
        tokio::task::spawn_blocking(work).await.ok()?
    }
}

/// How the file begins.
fn head(root: &Path, path: &str) -> io::Result<Vec<u8>> {
    let path = unescape(path).map_err(io::Error::other)?;
    let mut head = Vec::new();
    File::open(root.join(path))?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}
