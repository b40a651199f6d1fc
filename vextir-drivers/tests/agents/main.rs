//! Agents on a real hub, with a model that answers by a script.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

extern crate vextir_core as vextir;

mod double;
mod recall;
mod runs;
mod taped;
mod wrong;
