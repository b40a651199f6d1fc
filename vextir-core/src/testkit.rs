//! Tools to prove a back end and to try a driver: a conformance suite for each contract, and a simulation that
//! crashes at every commit. Behind the feature `testkit`; meant for `[dev-dependencies]`.
//!
//! * [`bus_conformance!`](crate::testkit::bus_conformance) writes one test for each promise of
//!   [`EventBus`](crate::EventBus); [`conformance`] has what stands behind it.
//! * [`store_conformance!`](crate::testkit::store_conformance) does the same for each promise of
//!   [`ContextStore`](crate::ContextStore); [`stores`] has what stands behind it.
//! * [`Simulation`] runs drivers under seeded interleavings, and kills the process at every commit.

/// Makes each property of a contract a function that takes a fresh subject, and the list of them all.
macro_rules! properties {
    ($subject:ident; $($group:ident: $($name:ident)*;)*) => {
        $($(
            #[doc = concat!("The property `", stringify!($name), "`, on a fresh subject.")]
            ///
            /// # Errors
            /// The promise that is broken.
            pub async fn $name<S: $subject>(subject: S) -> Outcome {
                crate::testkit::conformance::judged(stringify!($name), $group::$name(subject)).await
            }
        )*)*

        /// Checks every property, each on a fresh subject.
        ///
        /// # Errors
        /// Every broken promise.
        pub async fn run<S, F>(make: impl Fn() -> F) -> Result<(), Vec<Broken>>
        where
            S: $subject,
            F: Future<Output = S>,
        {
            let mut broken = Vec::new();
            $($(broken.extend($name(make().await).await.err());)*)*
            if broken.is_empty() { Ok(()) } else { Err(broken) }
        }

        /// The names of all properties.
        pub const PROPERTIES: &[&str] = &[$($(stringify!($name)),*),*];
    };
}

pub mod conformance;
mod simulation;
pub mod stores;

#[doc(inline)]
pub use crate::__bus_conformance as bus_conformance;
#[doc(inline)]
pub use crate::__store_conformance as store_conformance;
pub use simulation::{Checked, CrashPoint, Finding, Moment, Run, Simulation};
