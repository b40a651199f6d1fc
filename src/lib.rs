#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(inline)]
pub use vextir_core::*;

#[cfg(feature = "hub")]
#[doc(inline)]
pub use vextir_context::{
    Exported, HashingEmbedder, Hub, HubBuilder, HubPart, HubSize, HubStats, ImportRights, Imported, Peer,
    Progress, QueryLimits, SearchOptions, SearchState, SyncReport, SyncSession, Synchronous, Tidied,
};

#[cfg(any(
    feature = "agent",
    feature = "command",
    feature = "context",
    feature = "embed-http",
    feature = "files",
    feature = "http",
    feature = "mcp",
    feature = "script",
    feature = "workflow"
))]
pub use vextir_drivers as drivers;

/// Everything that a program with drivers needs: `use vextir::prelude::*`.
pub mod prelude {
    #[doc(inline)]
    pub use vextir_core::prelude::*;

    #[cfg(feature = "hub")]
    #[doc(no_inline)]
    pub use vextir_context::Hub;
}

/// What proves a back end, and what tries drivers and agents; meant for `[dev-dependencies]`.
///
/// * `bus_conformance!` and `store_conformance!` write one test for each promise of [`EventBus`] and [`ContextStore`];
///   [`conformance`](testkit::conformance) and [`stores`](testkit::stores) have what stands behind them.
/// * [`Simulation`](testkit::Simulation) runs drivers under seeded interleavings, and kills the process at every commit.
/// * `Tape`, with the feature `agent`, records what models and drivers answer, and replays it offline.
#[cfg(feature = "testkit")]
pub mod testkit {
    #[doc(inline)]
    pub use vextir_core::testkit::*;

    #[cfg(feature = "agent")]
    #[doc(inline)]
    pub use vextir_drivers::agent::{Tape, TapedDriver, TapedModel};
}

/// Longer texts, by task. Every program in them is compiled and run with the tests.
pub mod guide {
    #[cfg(feature = "macros")]
    #[doc = include_str!("guide/driver.md")]
    pub mod driver {}

    #[cfg(feature = "testkit")]
    #[doc = include_str!("guide/bus.md")]
    pub mod bus {}

    #[cfg(all(feature = "macros", feature = "hub"))]
    #[doc = include_str!("guide/context.md")]
    pub mod context {}

    #[cfg(all(feature = "macros", feature = "hub", feature = "workflow"))]
    #[doc = include_str!("guide/instruction.md")]
    pub mod instruction {}

    #[cfg(all(feature = "macros", feature = "hub", feature = "agent"))]
    #[doc = include_str!("guide/agent.md")]
    pub mod agent {}

    #[cfg(all(feature = "macros", feature = "hub", feature = "agent"))]
    #[doc = include_str!("guide/tools.md")]
    pub mod tools {}

    #[doc = include_str!("guide/design.md")]
    pub mod design {}
}
