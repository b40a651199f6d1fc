//! Drivers: everything that acts on events.

mod failure;
mod manifest;
mod outputs;
mod watcher;

pub use failure::{BoxError, Failure, FailureClass, HandlerResult};
pub use manifest::{Capability, DriverKind, Manifest, OutputSpec, ResourceRequirements};
pub use outputs::IntoOutputs;
pub use watcher::{Emitter, Inlet};

use crate::check::{Known, Wiring};
use crate::{Ctx, Event, Name, Result};
use async_trait::async_trait;
use std::collections::BTreeMap;

/// A driver: an agent, a tool, an input or output, a user interface.
///
/// Usually written with [`#[driver]`](macro@crate::driver). By hand it is short too:
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::prelude::*;
///
/// struct CustomDriver;
///
/// #[vextir::async_trait]
/// impl Driver for CustomDriver {
///     fn manifest(&self) -> Manifest {
///         Manifest::new("custom_driver").handles("custom.action")
///     }
///
///     async fn handle_event(&self, event: Event, _cx: &Ctx) -> HandlerResult {
///         Ok(vec![Event::new("custom.result").with_data(event.data.clone())])
///     }
/// }
/// ```
///
/// # What the processor promises a driver
///
/// * `handle_event` is called at least once for each event that it handles, and what it returns is
///   committed exactly once.
/// * At most `concurrency` calls at a time; a call that takes longer than `timeout` is dropped.
/// * Events of one user with one ordering key come one after the other, in order.
/// * A panic fails this one delivery.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// What the driver is, can do and needs. Read once, when the driver is registered.
    fn manifest(&self) -> Manifest;

    /// Acts on one event; what it returns is emitted when the delivery is settled.
    ///
    /// # Errors
    /// Any error fails the attempt, and is retried unless it is a [`Failure`] that says otherwise.
    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult;

    /// Checks that a raw event's payload fits, before it is stored.
    ///
    /// # Errors
    /// Path and expected type of what does not fit.
    fn check(&self, _event: &Event) -> Result<()> {
        Ok(())
    }

    /// What one event is expected to use of further units (tokens, cents), beside what the capability
    /// [reserves](Capability::reserves): of each unit the larger amount counts. Nothing, if it is not said.
    ///
    /// Asked whenever a delivery of the event is made, before the event is stored, so it is pure and quick. An event that
    /// was held is asked for again when it goes on. If it panics, that is logged, and what the capability declares is
    /// reserved alone. What asks for more than its tree may ever use waits until somebody extends that tree.
    fn reserves(&self, _event: &Event) -> BTreeMap<Name, u64> {
        BTreeMap::new()
    }

    /// What it holds as data and its manifest does not say, for [`Processor::check`](crate::Processor::check): the steps of
    /// a workflow, what a watch of the outside world emits. Nothing, if it is not said.
    ///
    /// # Errors
    /// It cannot tell; the check says so.
    async fn wiring(&self, _known: &Known) -> Result<Wiring> {
        Ok(Wiring::default())
    }

    /// Called once when the processor starts (or the driver is registered), before events come. A driver
    /// that watches the outside world spawns its watch here and emits through `emitter`. Before this returns,
    /// nothing makes room in a full backlog when the processor starts: what is emitted then is refused as
    /// [`Busy`](crate::ErrorKind::Busy).
    ///
    /// # Errors
    /// The driver cannot work; the processor does not start.
    async fn start(&self, _emitter: Emitter) -> Result<()> {
        Ok(())
    }

    /// Called once: at shutdown, after the last event, or when the processor or the registration fails after
    /// [`Driver::start`] was called or would have been.
    async fn stop(&self) {}

    /// The event types and patterns that it handles: those of the manifest.
    fn capabilities(&self) -> Vec<Name> {
        self.manifest().capabilities.into_iter().map(|capability| capability.pattern).collect()
    }

    /// What it needs: that of the manifest.
    fn resource_requirements(&self) -> ResourceRequirements {
        self.manifest().resource_requirements
    }
}
