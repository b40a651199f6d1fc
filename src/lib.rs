//! x

pub use vextir_core::*;

#[cfg(feature = "hub")]
pub use vextir_context::{Hub, HubBuilder, HubSize, Synchronous};
#[cfg(feature = "files")]
pub use vextir_drivers as drivers;
