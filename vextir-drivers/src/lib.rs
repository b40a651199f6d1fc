//! Drivers for Vextir: families of ready drivers, each behind a feature.

extern crate vextir_core as vextir;

#[cfg(feature = "files")]
pub mod files;
