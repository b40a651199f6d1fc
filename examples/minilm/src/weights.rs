//! The numbers of a model, from a safetensors file: a length, a table of contents in JSON, and the numbers.

use ndarray::{Array1, Array2};
use serde_json::Value;
use std::path::Path;
use vextir::{Error, Result};

pub struct Weights {
    contents: Value,
    numbers: Vec<u8>,
}

impl Weights {
    pub fn read(path: &Path) -> Result<Self> {
        let file = std::fs::read(path).map_err(|error| wrong(path, &error.to_string()))?;
        let (length, rest) = file.split_first_chunk().ok_or_else(|| wrong(path, "it is too short"))?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (contents, numbers) =
            rest.split_at_checked(length).ok_or_else(|| wrong(path, "it is cut off"))?;
        let contents = serde_json::from_slice(contents).map_err(|error| wrong(path, &error.to_string()))?;
        Ok(Self { contents, numbers: numbers.to_vec() })
    }

    fn floats(&self, name: &str) -> Option<Vec<f32>> {
        let entry = self.contents.get(name).filter(|entry| entry["dtype"] == "F32")?;
        let offset = |at: usize| usize::try_from(entry["data_offsets"][at].as_u64()?).ok();
        let (chunks, rest) = self.numbers.get(offset(0)?..offset(1)?)?.as_chunks();
        rest.is_empty().then(|| chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
    }

    pub fn vector(&self, name: &str, length: usize) -> Result<Array1<f32>> {
        let floats = self.floats(name).filter(|floats| floats.len() == length);
        floats.map(Array1::from).ok_or_else(|| missing(name))
    }

    /// With `columns` columns, and as many rows as there are.
    pub fn matrix(&self, name: &str, columns: usize) -> Result<Array2<f32>> {
        let floats = self.floats(name).ok_or_else(|| missing(name))?;
        Array2::from_shape_vec((floats.len() / columns, columns), floats).map_err(|_| missing(name))
    }
}

fn wrong(path: &Path, why: &str) -> Error {
    Error::invalid(format!("{}: {why}", path.display()))
}

fn missing(name: &str) -> Error {
    Error::invalid(format!("the model lacks `{name}`, or has another shape than all-MiniLM-L6-v2"))
}
