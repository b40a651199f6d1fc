//! Instructions as they are written: what loads, and what is said of what does not.

#![cfg(feature = "workflow")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

extern crate vextir_core as vextir;

mod application;
mod faulty;
mod good;
mod hostile;
mod same;
