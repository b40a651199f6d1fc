//! Step 1, accept: is the event well formed, and does its payload fit who handles it?

use super::Kernel;
use super::route::{RouteTable, Targets};
use crate::bus::Delivery;
use crate::notice::refuse_kernels_name;
use crate::{Error, Event, EventId, Name, Origin, Result};
use tracing::field::{Empty, display};

/// Where an output comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lineage<'a> {
    /// The delivery whose handler made it.
    pub(super) delivery: &'a Delivery,
    /// Its place among the outputs.
    pub(super) index: u32,
}

/// An accepted event.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) event: Event,
    /// The kernel made its id.
    pub(super) minted: bool,
}

impl Kernel {
    /// Stamps and checks an event from outside: the root of a new causal tree.
    pub(super) fn accept(
        &self,
        routes: &RouteTable,
        mut event: Event,
        origin: &Origin,
        typed: bool,
    ) -> Result<Accepted> {
        let step =
            tracing::debug_span!("accept", event_type = %event.event_type, event = Empty, root = Empty);
        let step = step.entered();
        let now = self.clock.now();
        let minted = event.id.is_unset();
        let fresh = minted.then(|| self.ids.next(now));
        let envelope = event.edit();
        if let Some(id) = fresh {
            envelope.id = id;
        }
        if envelope.timestamp.is_unset() {
            envelope.timestamp = now;
        }
        if envelope.user_id.is_empty() {
            envelope.user_id = origin.user().cloned().unwrap_or(Name::literal(crate::LOCAL_USER));
        }
        if envelope.source.is_empty() {
            envelope.source = match origin {
                Origin::Handler { driver, .. } | Origin::Watcher { driver, .. } => driver.clone(),
                _ => Name::literal("app"),
            };
        }
        if envelope.user_id.is_empty() {
            return Err(Error::invalid("the tenant's user id is empty"));
        }
        envelope.root_id = None;
        envelope.branch_id = None;
        envelope.depth = 0;
        step.record("event", display(&event.id)).record("root", display(event.root()));
        check_source(routes, &event, origin)?;
        self.check(routes, &event, typed)?;
        Ok(Accepted { event, minted })
    }

    /// Stamps and checks what a handler plants: the root of a new causal tree, under the same id in each attempt.
    pub(super) fn accept_planted(
        &self,
        routes: &RouteTable,
        mut event: Event,
        origin: &Origin,
        from: Lineage<'_>,
    ) -> Result<Accepted> {
        let Lineage { delivery, index } = from;
        let minted = event.id.is_unset();
        let handled = &delivery.event;
        if !handled.labels.is_empty() {
            event.edit().labels.extend(handled.labels.iter().cloned());
        }
        for trace in ["traceparent", "tracestate"] {
            if let Some(value) = handled.metadata.get(trace) {
                event.edit().metadata.entry(trace.into()).or_insert_with(|| value.clone());
            }
        }
        if minted {
            let id =
                EventId::derived(delivery.logged_at, &handled.user_id, &handled.id, &delivery.driver, index);
            event.edit().id = id;
        }
        let accepted = self.accept(routes, event, origin, false)?;
        Ok(Accepted { minted, ..accepted })
    }

    /// Stamps and checks what a handler made. `cause` is the handled event, or an ancestor that it named.
    pub(super) fn accept_output(
        &self,
        routes: &RouteTable,
        mut event: Event,
        cause: &Event,
        from: Lineage<'_>,
    ) -> Result<Accepted> {
        let delivery = from.delivery;
        let handled = &delivery.event;
        let step = tracing::debug_span!(
            "accept", event_type = %event.event_type, event = Empty, root = %handled.root(), cause = %cause.id
        )
        .entered();
        let minted = event.id.is_unset();
        let envelope = event.edit();
        if minted {
            envelope.id = EventId::derived(
                delivery.logged_at,
                &handled.user_id,
                &handled.id,
                &delivery.driver,
                from.index,
            );
        }
        if envelope.timestamp.is_unset() {
            envelope.timestamp = self.clock.now();
        }
        if envelope.user_id.is_empty() {
            envelope.user_id = handled.user_id.clone();
        }
        // Who emitted it is a fact, not a claim.
        envelope.source = delivery.driver.clone();
        envelope.correlation_id = Some(cause.id.clone());
        envelope.root_id = Some(handled.root().clone());
        envelope.branch_id.clone_from(&handled.branch_id);
        envelope.depth = cause.depth + 1;
        if !handled.labels.is_empty() {
            envelope.labels.extend(handled.labels.iter().cloned());
        }
        for trace in ["traceparent", "tracestate"] {
            if let Some(value) = handled.metadata.get(trace) {
                envelope.metadata.entry(trace.into()).or_insert_with(|| value.clone());
            }
        }
        step.record("event", display(&event.id));
        self.check(routes, &event, false)?;
        Ok(Accepted { event, minted })
    }

    /// Names, sizes, nesting, and, for raw events, the payload against each handler of exactly this type.
    fn check(&self, routes: &RouteTable, event: &Event, typed: bool) -> Result<()> {
        event.check(self.max_event_bytes)?;
        if typed {
            return Ok(());
        }
        event.check_depth()?;
        check_payload(event, &routes.targets(&event.event_type))
    }
}

/// Nobody passes for the kernel, no tenant for a driver, and no watcher for another one.
fn check_source(routes: &RouteTable, event: &Event, origin: &Origin) -> Result<()> {
    refuse_kernels_name(&event.source)?;
    let own = match origin {
        Origin::Operator => return Ok(()),
        Origin::User(_) => None,
        Origin::Handler { driver, .. } | Origin::Watcher { driver, .. } => Some(driver),
    };
    if own != Some(&event.source) && routes.driver(&event.source).is_some() {
        return Err(Error::invalid(format!(
            "source {:?} is a driver's name; leave it out, or say another",
            event.source
        )));
    }
    Ok(())
}

pub(super) fn check_payload(event: &Event, targets: &Targets) -> Result<()> {
    for target in targets.iter() {
        let place = |error: Error| error.context(format!("driver {}", target.driver.id));
        target.driver.check(event).map_err(place)?;
    }
    Ok(())
}
