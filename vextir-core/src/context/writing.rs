//! A change on its way: choices, then `.await`.

use super::{Change, Context, Intent, Version};
use crate::Result;
use serde_json::Value;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

/// A change that happens when it is awaited; made by [`Context::write`] and its siblings.
#[derive(Debug)]
#[must_use = "nothing is changed before it is awaited"]
pub struct Writing {
    context: Context,
    change: Change,
}

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The new version of the document. `None` in a handler, whose writes are committed when it is settled, and for
    /// what is not about content.
    pub version: Option<Version>,
}

impl Writing {
    pub(super) fn new(context: &Context, path: &str, what: Intent) -> Self {
        Self { context: context.clone(), change: Change::new(path, what) }
    }

    /// Sets the document's metadata, an object, in the same change. Without this they stay as they are.
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.change.metadata = Some(metadata);
        self
    }

    /// Refuses with [`Conflict`](crate::ErrorKind::Conflict) unless this is the current version; 0 for "not there
    /// yet". Without this, what others wrote meanwhile is merged.
    pub fn expect_version(mut self, version: Version) -> Self {
        self.change.expected = Some(version);
        self
    }

    /// Says which version the new content was made from (0: nothing was there): what others changed since then is
    /// kept where the two do not touch. In a handler, that is the version that it read. Refused with
    /// [`Conflict`](crate::ErrorKind::Conflict) if that version was another document's, or is not kept any more.
    pub fn based_on(mut self, version: Version) -> Self {
        self.change.base = Some(version);
        self
    }
}

impl IntoFuture for Writing {
    type Output = Result<Written>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { context, change } = self;
        Box::pin(async move { context.submit(change).await })
    }
}
