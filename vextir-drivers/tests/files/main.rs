//! The `files` driver under a processor, on real folders.

#![cfg(feature = "files")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

extern crate vextir_core as vextir;

#[cfg(target_os = "linux")]
mod denied;
mod live;
#[cfg(unix)]
mod read;
mod world;
