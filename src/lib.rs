//! The facade of Vextir.

pub use vextir_core::*;

#[cfg(feature = "hub")]
pub use vextir_context::Hub;
#[cfg(feature = "files")]
pub use vextir_drivers as drivers;

/// Everything that a program with drivers needs.
pub mod prelude {
    #[cfg(feature = "hub")]
    pub use vextir_context::Hub;
    pub use vextir_core::prelude::*;
}
