//! The MCP drivers against servers that are real, servers that misbehave, and clients that are not ours.
//!
//! They need node, and the npm packages that `VEXTIR_COMPONENTS` says where to find; a test without them says that it is
//! skipped, and fails if `VEXTIR_COMPONENTS=required`.
#![cfg(feature = "mcp")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

extern crate vextir_core as vextir;

mod crash;
mod faults;
mod http;
mod keys;
mod npm;
mod offer;
mod stage;
