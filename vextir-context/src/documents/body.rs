//! The mergeable form of one document. A plain form for now: state and update are the whole document.

use crate::fault::damaged;
use serde_json::{Value, json};
use vextir_core::{Content, Error, Result};

pub(super) struct Body {
    content: Content,
    metadata: Value,
}

impl Body {
    pub(super) fn new(_client: u64) -> Self {
        Self { content: Content::Text(String::new()), metadata: json!({}) }
    }

    pub(super) fn load(_client: u64, state: &[u8]) -> Result<Self> {
        let (content, metadata) = serde_json::from_slice(state).map_err(|_| damaged("a document"))?;
        Ok(Self { content, metadata })
    }

    pub(super) fn content(&self) -> Content {
        self.content.clone()
    }

    pub(super) fn metadata(&self) -> Value {
        self.metadata.clone()
    }

    pub(super) fn set_text(&mut self, text: &str) -> Result<()> {
        self.content = Content::Text(text.to_owned());
        Ok(())
    }

    pub(super) fn set_json(&mut self, value: &Value) -> Result<()> {
        self.content = Content::Json(value.clone());
        Ok(())
    }

    pub(super) fn set_metadata(&mut self, metadata: &Value) -> Result<()> {
        self.metadata = metadata.clone();
        Ok(())
    }

    pub(super) fn take_update(&mut self) -> Vec<u8> {
        self.state()
    }

    pub(super) fn state(&self) -> Vec<u8> {
        serde_json::to_vec(&(&self.content, &self.metadata)).unwrap_or_default()
    }

    pub(super) fn apply(&mut self, update: &[u8]) -> Result<()> {
        *self = Self::load(0, update).map_err(|_| Error::invalid("the update is damaged"))?;
        Ok(())
    }
}
