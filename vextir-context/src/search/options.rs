//! The choices for searching.

use super::hashing::HashingEmbedder;
use std::sync::Arc;
use std::time::Duration;
use vextir_core::context::Embedder;

/// How a hub's documents are searched; see [`HubBuilder::search`](crate::HubBuilder::search).
///
/// ```
/// use vextir_context::SearchOptions;
///
/// let options = SearchOptions::default().memory(64 << 20);
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
pub struct SearchOptions {
    pub(super) is_on: bool,
    pub(super) embedder: Option<Arc<dyn Embedder>>,
    pub(super) memory: usize,
    pub(super) deadline: Duration,
}

impl Default for SearchOptions {
    fn default() -> Self {
        let embedder: Arc<dyn Embedder> = Arc::new(HashingEmbedder);
        Self { is_on: true, embedder: Some(embedder), memory: 256 << 20, deadline: Duration::from_secs(5) }
    }
}

impl SearchOptions {
    /// No index is kept, and no search answered. One that was made before is left as it is, and brought up to date when
    /// it is kept again.
    #[must_use]
    pub fn off() -> Self {
        Self { is_on: false, ..Self::default() }
    }

    /// What makes vectors of texts. [`HashingEmbedder`] by default. With another one than before, all documents are
    /// embedded anew, in the background.
    #[must_use]
    pub fn embedder(self, embedder: impl Embedder) -> Self {
        Self { embedder: Some(Arc::new(embedder)), ..self }
    }

    /// No vectors: documents are found by words and paths alone.
    #[must_use]
    pub fn without_meaning(self) -> Self {
        Self { embedder: None, ..self }
    }

    /// How many bytes of memory the signatures of vectors may take; 256 MiB by default. Nothing is taken before the
    /// first search by meaning, and then two bits for each dimension and 12 bytes for each piece of about 1,200 bytes: 108
    /// bytes with the default embedder. What does not fit is not found by its meaning, with a warning.
    #[must_use]
    pub fn memory(self, bytes: usize) -> Self {
        Self { memory: bytes, ..self }
    }

    /// How long a search may look, its wait for a thread not counted. 5 seconds by default.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }
}
