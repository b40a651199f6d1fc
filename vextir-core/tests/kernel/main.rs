//! The kernel, from the outside: events go in, what comes out is looked at.

extern crate vextir_core as vextir;

mod authorize;
mod driver;
mod faults;
mod flow;
mod lease;
mod operate;
mod order;
mod retry;
mod watch;
