//! The events by which runs come to a gate and leave it.

use super::super::payload::Begin;
use super::place::Place;
use serde::{Deserialize, Serialize};
use vextir::Name;

/// `instruction.<id>.enter`: a run wants a place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Enter {
    pub(super) plan: Name,
    pub(super) place: Place,
    /// The gates behind this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) then: Vec<Place>,
    #[serde(default)]
    pub(super) rank: i8,
    /// The step from which it is retried, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) again: Option<Name>,
    /// How it begins, if it has no document yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) begin: Option<Begin>,
}

/// `instruction.<id>.leave`: a run is over, or wants no place any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Leave {
    pub(super) plan: Name,
    pub(super) place: Place,
}

/// `instruction.<id>.queue`: a run that has to wait gets its document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Queue {
    pub(super) plan: Name,
    pub(super) begin: Begin,
}

/// `instruction.<id>.go`: a run holds all its places.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Go {
    pub(super) plan: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) again: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) begin: Option<Begin>,
}
