//! What the benches measure of the inside. It is no part of the public API.

use crate::crdt::{Body, Content};
use std::ops::Range;
use vextir_core::Result;

/// The client that the benches write as.
const CLIENT: u64 = 0x001B_3C5D_7E9F_0A2C;

/// The merge layer of one document.
#[derive(Debug)]
pub struct Layer(Body);

impl Layer {
    /// An empty text.
    #[expect(clippy::new_without_default, reason = "the benches need no default")]
    #[must_use]
    pub fn new() -> Self {
        Self(Body::new(CLIENT))
    }

    /// The document of a stored state.
    ///
    /// # Errors
    /// `Corrupt`: it is damaged.
    pub fn load(state: &[u8]) -> Result<Self> {
        Body::load(CLIENT, state).map(Self)
    }

    /// Replaces a range of characters.
    ///
    /// # Errors
    /// `Invalid`: the range is not within the text.
    pub fn splice(&mut self, range: Range<usize>, text: &str) -> Result<()> {
        self.0.splice(range, text)
    }

    /// The text; of JSON, its canonical form.
    #[must_use]
    pub fn text(&self) -> String {
        match self.0.content() {
            Content::Text(text) => text,
            Content::Json(value) => value.to_string(),
        }
    }

    /// The document as it is stored.
    #[must_use]
    pub fn state(&self) -> Vec<u8> {
        self.0.state()
    }
}
