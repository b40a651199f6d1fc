//! Handlers as data.
