//! Drivers for Vextir: families of ready drivers, each behind a feature.
//!
//! | feature | what it adds |
//! |---|---|
//! | `context` | `context::ContextDriver` reads and writes documents by event |
//! | `embed-http` | `embed::HttpEmbedder` has texts made into vectors by an OpenAI-compatible service |
//! | `workflow` | `workflow::Instruction`: instructions in YAML, checked before they run |
//! | `files` | `files::Files` watches folders: what is created, changed, moved and removed |
//!
//! Applications reach them as `vextir::drivers`, behind the same features of the facade.
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate vextir_core as vextir;

#[cfg(feature = "context")]
pub mod context;
#[cfg(feature = "embed-http")]
pub mod embed;
#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "workflow")]
pub mod workflow;
