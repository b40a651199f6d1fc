//! Tools to prove a back end and to try a driver: a conformance suite for each contract, and a simulation that
//! crashes at every commit. Behind the feature `testkit`; meant for `[dev-dependencies]`.
//!
//! * [`bus_conformance!`](crate::testkit::bus_conformance) writes one test for each promise of
//!   [`EventBus`](crate::EventBus); [`conformance`] has what stands behind it.
//! * [`store_conformance!`](crate::testkit::store_conformance) does the same for each promise of
//!   [`ContextStore`](crate::ContextStore); [`stores`] has what stands behind it.
//! * [`Simulation`] runs drivers under seeded interleavings, and kills the process at every commit.

pub mod conformance;
mod simulation;
pub mod stores;

#[doc(inline)]
pub use crate::__bus_conformance as bus_conformance;
#[doc(inline)]
pub use crate::__store_conformance as store_conformance;
pub use simulation::{Checked, CrashPoint, Finding, Moment, Run, Simulation};
