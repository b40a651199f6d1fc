//! The kernel of Vextir: events, drivers, the bus contract, and the processor that joins them.
#![doc = include_str!("../docs/path.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate self as vextir;

mod digest;
mod error;
mod name;
mod time;

mod event;
mod payload;

mod filter;
mod pattern;

mod branch;
pub mod bus;
mod lease;
mod notice;

pub mod context;
mod security;

pub mod check;
mod ctx;
pub mod driver;
mod flow;

mod processor;

#[cfg(feature = "schedule")]
pub mod schedule;

#[cfg(feature = "testkit")]
pub mod testkit;

#[cfg(feature = "macros")]
#[doc(hidden)]
pub mod __private;

pub use async_trait::async_trait;
#[cfg(feature = "macros")]
pub use vextir_macros::{Payload, driver};

pub use branch::{Branch, BranchEnded, BranchHeld};
pub use bus::{Backend, BusLimits, Cursor, EventBus, EventBusExt, EventStream, MemoryBus, Sequence, Start};
pub use context::{
    Actor, Change, Content, Context, ContextStore, Document, Level, LineEdit, Principal, Version, When,
};
pub use ctx::{Ctx, Signal};
pub use driver::{
    BoxError, Capability, Driver, DriverKind, Emitter, Failure, FailureClass, HandlerResult, IntoOutputs,
    Manifest, OutputSpec, ResourceRequirements,
};
pub use error::{Error, ErrorKind, Result};
pub use event::{Category, Data, Envelope, Event, EventId, Priority};
pub use filter::EventFilter;
pub use flow::{EventPath, Flow, FlowKey, FlowRule, Twin, Window};
pub use lease::{DEPTH, EVENTS, Exceeded, Lease, LeaseState, Limits};
pub use name::{MAX_NAME_BYTES, MAX_TYPE_BYTES, Name, check_type};
pub use notice::{DeliveryFailed, HandlerFailed, LeaseHeld};
pub use pattern::Pattern;
pub use payload::{IntoEvent, Payload};
pub use processor::{
    DriverStatus, EmitOptions, Letters, Orphans, Processor, ProcessorBuilder, RetryPolicy, Signals, Tenant,
};
pub use security::{
    AuditRecord, AuthorizeRequest, Authorizer, Decision, Effect, Origin, Provenance, Target, Verdict,
};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};

/// The user for whom the application itself acts, unless it says otherwise.
pub const LOCAL_USER: &str = "local";

/// Everything that a program with drivers needs.
pub mod prelude {
    pub use crate::{
        Category, Context, Ctx, Driver, Emitter, Event, EventBusExt, EventFilter, EventId, Failure,
        HandlerResult, Manifest, Payload, Priority, Processor, Start, Timestamp,
    };
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::json;
    #[cfg(feature = "macros")]
    pub use vextir_macros::driver;
}
