//! The model as an embedder.

use crate::bert::{Bert, DIMENSIONS};
use crate::weights::Weights;
use crate::wordpiece::WordPiece;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;
use vextir::context::Embedder;
use vextir::{Error, ErrorKind, Result, async_trait};

/// How many pieces of a text the model was trained to see.
const PIECES: usize = 256;

/// all-MiniLM-L6-v2.
pub struct MiniLm(Arc<Model>);

struct Model {
    pieces: WordPiece,
    bert: Bert,
}

impl MiniLm {
    pub fn load(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let bert = Bert::new(&Weights::read(&folder.join("model.safetensors"))?)?;
        Ok(Self(Arc::new(Model { pieces: WordPiece::read(&folder.join("vocab.txt"))?, bert })))
    }
}

impl Model {
    fn embed(&self, texts: &[String]) -> Vec<Vec<f32>> {
        texts.iter().map(|text| self.bert.embed(&self.pieces.pieces(text, PIECES))).collect()
    }
}

impl fmt::Debug for MiniLm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MiniLm")
    }
}

#[async_trait]
impl Embedder for MiniLm {
    fn name(&self) -> &str {
        "all-MiniLM-L6-v2"
    }

    fn dimensions(&self) -> usize {
        DIMENSIONS
    }

    /// It takes milliseconds: too long for a thread that serves others.
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let Ok(runtime) = Handle::try_current() else { return Ok(self.0.embed(texts)) };
        let (model, texts) = (self.0.clone(), texts.to_vec());
        let made = runtime.spawn_blocking(move || model.embed(&texts)).await;
        made.map_err(|error| Error::new(ErrorKind::Unavailable, error.to_string()))
    }

    fn floor(&self) -> f32 {
        0.1
    }
}
