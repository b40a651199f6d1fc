//! What the kernel itself has to say, as payloads that a driver can take.

use crate::{BranchEnded, BranchHeld, Category, Error, Event, EventId, Name, Payload, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The source of the kernel's own events, and no driver's id.
pub(crate) const KERNEL: &str = "vextir";

/// Whether the kernel itself emitted it, about its work: such events draw on no lease and cause no error event.
pub(crate) fn is_kernels_own(event: &Event) -> bool {
    event.source == KERNEL
}

/// Refuses what gives itself the kernel's name: no policy is asked about the kernel's own events.
pub(crate) fn refuse_kernels_name(name: &Name) -> Result<()> {
    if *name == KERNEL {
        return Err(Error::invalid(format!("{KERNEL:?} is the kernel's own name; say another")));
    }
    Ok(())
}

/// A handler failed for good, and its delivery became a dead letter. The event `error`.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::HandlerFailed;
/// use vextir::prelude::*;
///
/// struct Alarm;
///
/// #[driver("alarm", effect = "reads")]
/// impl Alarm {
///     /// Says what failed.
///     #[on]
///     async fn failed(&self, failed: HandlerFailed) {
///         eprintln!("{}: {}", failed.driver, failed.error);
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct HandlerFailed {
    /// The driver.
    #[schemars(with = "String")]
    pub driver: Name,
    /// Why, in at most 4 KiB.
    pub error: String,
    /// The event that it could not handle.
    #[schemars(with = "String")]
    pub event_id: EventId,
}

impl Payload for HandlerFailed {
    const TYPE: &'static str = "error";
    const DESCRIPTION: &'static str = "A handler failed for good, and its delivery became a dead letter.";
}

impl HandlerFailed {
    pub(crate) fn new(driver: Name, error: &str, event_id: EventId) -> Self {
        Self { driver, error: error.to_owned(), event_id }
    }
}

/// A driver's own delivery became a dead letter. The event `delivery.failed`, which goes to that driver and to no other, if it
/// handles it: under the ordering key of the event that it could not handle, so that it comes in turn.
///
/// For a driver that keeps state about something that has to come to its end, and which would wait for ever otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DeliveryFailed {
    /// Why, in at most 4 KiB.
    pub error: String,
    /// The event that it could not handle.
    #[schemars(with = "String")]
    pub event_id: EventId,
    /// It is not to be handled: the branch that it belonged to was cancelled
    /// ([`Ctx::cancel_branch`](crate::Ctx::cancel_branch)). Of a delayed event it is told to the driver that had emitted it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

impl Payload for DeliveryFailed {
    const TYPE: &'static str = "delivery.failed";
    const DESCRIPTION: &'static str = "A delivery of the driver's own became a dead letter.";
}

impl DeliveryFailed {
    pub(crate) fn new(error: &str, event_id: EventId) -> Self {
        Self { error: error.to_owned(), event_id, cancelled: false }
    }

    pub(crate) fn cancelled(event_id: EventId) -> Self {
        Self { error: "its branch was cancelled".to_owned(), event_id, cancelled: true }
    }
}

/// What only the kernel says, so that a driver can rely on it.
pub(crate) fn refuse_kernels_news(event_type: &str) -> Result<()> {
    if event_type == BranchEnded::TYPE {
        return Err(Error::invalid(
            "branch.ended: the kernel alone says when a branch is over; use another type",
        ));
    }
    if event_type == BranchHeld::TYPE {
        return Err(Error::invalid("branch.held: the kernel alone says what is held; use another type"));
    }
    if event_type == DeliveryFailed::TYPE {
        return Err(Error::invalid(
            "delivery.failed: the kernel alone says that a delivery failed; use another type",
        ));
    }
    Ok(())
}

/// A causal tree is at a limit of its lease and waits to be extended or cancelled. The event `lease.held`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct LeaseHeld {
    /// The root of the tree.
    #[schemars(with = "String")]
    pub root: EventId,
    /// `events`, `depth`, or a further unit.
    #[schemars(with = "String")]
    pub unit: Name,
    /// The limit that is reached.
    pub limit: u64,
    /// The first event that waits.
    #[schemars(with = "String")]
    pub event_id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    #[schemars(with = "String")]
    pub event_type: Name,
}

impl Payload for LeaseHeld {
    const TYPE: &'static str = "lease.held";
    const CATEGORY: Category = Category::Output;
    const DESCRIPTION: &'static str = "A causal tree is at a limit of its lease and waits.";
}

impl LeaseHeld {
    pub(crate) fn new(event: &crate::Event, unit: Name, limit: u64) -> Self {
        let (event_id, event_type) = (event.id.clone(), event.event_type.clone());
        Self { root: event.root().clone(), unit, limit, event_id, event_type }
    }
}
