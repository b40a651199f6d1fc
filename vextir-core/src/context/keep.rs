//! How long a folder keeps what is not current any more.

use super::{Change, Context, Intent};
use crate::Result;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a store keeps what is not current any more, at a folder and all that is below it.
///
/// What is not set here is as in the folder above, and at the root as the store's default says. `Duration::MAX` is for
/// ever.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use std::time::Duration;
/// use vextir::context::Keep;
///
/// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// let keep = Keep::new().versions(30 * DAY).removed(7 * DAY);
/// assert_eq!(keep.versions, Some(30 * DAY));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Keep {
    /// For how long the past can be read: versions, [`Context::at`], history. What is current stays in any case.
    pub versions: Option<Duration>,
    /// For how long what is removed can be restored.
    pub removed: Option<Duration>,
}

impl Keep {
    /// Everything as in the folder above.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For how long the past can be read.
    #[must_use]
    pub fn versions(self, versions: Duration) -> Self {
        Self { versions: Some(versions), ..self }
    }

    /// For how long what is removed can be restored.
    #[must_use]
    pub fn removed(self, removed: Duration) -> Self {
        Self { removed: Some(removed), ..self }
    }
}

impl Context {
    /// Says how long a folder, and all below it, keeps what is not current any more, instead of what was said there
    /// before. Takes `Admin` on the folder. It is carried out in the background; what is gone by it answers
    /// [`Gap`](crate::ErrorKind::Gap).
    ///
    /// # Errors
    /// `NotFound`; `Denied`; `Invalid`: a document stands there.
    pub async fn keep(&self, folder: &str, keep: Keep) -> Result<()> {
        self.submit(Change::new(folder, Intent::Keep(keep))).await.map(drop)
    }
}
