//! The kernel, from the outside: events go in, what comes out is looked at.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate vextir_core as vextir;

mod authorize;
mod branch;
mod check;
mod driver;
mod faults;
mod flow;
mod introduce;
mod lease;
mod meters;
mod operate;
mod order;
mod regressions;
mod reserve;
mod retry;
mod rules;
mod suspects;
mod tenant;
mod unclaimed;

mod watch;
