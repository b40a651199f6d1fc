//! What a handler emits, on its way into the settlement: accept, authorize and route for each, as for what comes from outside.

use super::Kernel;
use super::accept::{Accepted, Lineage};
use super::authorize::{Ruling, audit_of};
use super::route::RouteTable;
use crate::bus::{Delivery, Entry, Held, Hold, NewDelivery, Place};
use crate::ctx::Emitted;
use crate::notice::KERNEL;
use crate::{
    AuditRecord, Branch, BranchHeld, Decision, Error, Event, EventId, Failure, HandlerFailed, Name, Origin,
    Payload, Result, Verdict,
};

/// A handler's outputs, ready for the commit.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    pub(super) entries: Vec<Entry>,
    pub(super) audit: Vec<AuditRecord>,
}

impl Kernel {
    /// Accept, authorize and route for each output: first those of the context, then those returned.
    pub(super) async fn outputs(
        &self,
        routes: &RouteTable,
        delivery: &Delivery,
        returned: Vec<Event>,
        emitted: Vec<Emitted>,
    ) -> Result<Outputs> {
        let mut outputs = Outputs::default();
        let origin =
            Origin::Handler { driver: delivery.driver.clone(), user: delivery.event.user_id.clone() };
        let returned = returned.into_iter().map(Emitted::from);
        for (index, emitted) in (0u32..).zip(emitted.into_iter().chain(returned)) {
            let lineage = Lineage { delivery, index };
            self.output(routes, lineage, &origin, emitted, &mut outputs).await?;
        }
        Ok(outputs)
    }

    async fn output(
        &self,
        routes: &RouteTable,
        lineage: Lineage<'_>,
        origin: &Origin,
        emitted: Emitted,
        outputs: &mut Outputs,
    ) -> Result<()> {
        let handled = &lineage.delivery.event;
        let accepted = match &emitted {
            Emitted { event, planted: Some(_), .. } => {
                self.accept_planted(routes, event.clone(), origin, lineage)
            }
            Emitted { event, .. } => {
                let named = self.named_cause(handled, event).await?;
                self.accept_output(routes, event.clone(), named.as_ref().unwrap_or(handled), lineage)
            }
        };
        let Accepted { mut event, minted } = match accepted {
            Ok(accepted) => accepted,
            Err(error) if emitted.watched || emitted.planted.is_some() => {
                return self.not_begun(&emitted, &error, lineage, outputs);
            }
            Err(error) => return Err(error),
        };
        let branch = emitted.watched.then(|| self.begin_branch(routes, &mut event, lineage));
        let targets = routes.targets(&event.event_type);
        let Ruling { mut verdict, targets } = self.authorize(&event, origin, targets, false).await;
        let unheard = emitted.planted.is_some() && !emitted.watched;
        let limits = emitted.planted.flatten();
        if let Some(limits) = &limits
            && let Some(beyond) = self.authorize_limits(&event, origin, &targets, limits).await
        {
            verdict = Verdict::Deny(beyond);
        }
        let record = audit_of(&event, &verdict);
        let policy = record.as_ref().map(|record| record.decision.policy.clone());
        outputs.audit.extend(record);
        if let Verdict::Deny(decision) = &verdict {
            let told = branch.map(|branch| self.refused(&branch, &decision.to_string(), lineage));
            outputs.entries.extend(told.transpose()?);
            if unheard {
                let reason = format!("{} was refused: {decision}", event.event_type);
                self.tell_of_refusal(lineage.delivery, &reason, outputs);
            }
            return Ok(());
        }
        let delayed = event.deliver_at.is_some_and(|at| at > self.clock.now());
        let place = if delayed && !matches!(verdict, Verdict::Hold(_)) {
            Place::Parked(Hold::Delayed, None)
        } else {
            self.route(&event, &verdict, &targets)
        };
        outputs.entries.push(Entry {
            policy,
            origin: Some(origin.clone()),
            minted,
            limits,
            branch,
            ..Entry::new(event, place)
        });
        Ok(())
    }

    /// Makes an output the first event of a branch.
    fn begin_branch(&self, routes: &RouteTable, event: &mut Event, lineage: Lineage<'_>) -> Box<Branch> {
        let Delivery { event: handled, driver, position, .. } = lineage.delivery;
        let held = routes.targets(&Name::literal(BranchHeld::TYPE));
        let told = held.iter().any(|target| target.driver.id == *driver);
        let branch = Branch::new(event, handled, driver.clone()).with_holds(told);
        // What comes of the branch may name it as a cause. Before an eager handler it is not in the log yet.
        if *position > 0 {
            self.ancestors.note(handled);
        }
        let id = event.id.clone();
        event.edit().branch_id = Some(id);
        Box::new(branch)
    }

    /// A branch or a tree of its own is no part of what the handler did: that it cannot begin is told, and fails nothing.
    fn not_begun(
        &self,
        emitted: &Emitted,
        error: &Error,
        lineage: Lineage<'_>,
        outputs: &mut Outputs,
    ) -> Result<()> {
        let Lineage { delivery, .. } = lineage;
        if emitted.watched {
            // As if a policy had refused it.
            let begun = begun(emitted, lineage);
            let branch = Branch::new(&begun, &delivery.event, delivery.driver.clone());
            outputs.entries.push(self.refused(&branch, &error.to_string(), lineage)?);
            return Ok(());
        }
        let reason = format!("{}: {error}", emitted.event.event_type);
        let decision = Decision::new(Name::literal("accept"), reason.clone());
        outputs.audit.push(AuditRecord::about(&delivery.event, "deny", decision));
        self.tell_of_refusal(delivery, &reason, outputs);
        Ok(())
    }

    /// The `error` event about a root that nobody watches, and that cannot begin. One for each settlement: the audit has all.
    fn tell_of_refusal(&self, delivery: &Delivery, reason: &str, outputs: &mut Outputs) {
        let told =
            |entry: &Entry| entry.event.event_type == HandlerFailed::TYPE && entry.event.source == KERNEL;
        if !outputs.entries.iter().any(told) {
            outputs.entries.extend(self.error_event(delivery, reason));
        }
    }

    /// Tells the driver of a branch that never began.
    fn refused(&self, branch: &Branch, reason: &str, lineage: Lineage<'_>) -> Result<Entry> {
        let Lineage { delivery, index } = lineage;
        let mut event = branch.refused(reason)?;
        let envelope = event.edit();
        let maker = format!("{}#{}", delivery.driver, delivery.position);
        envelope.id = EventId::derived(delivery.logged_at, &branch.user, &branch.id, &maker, index);
        envelope.timestamp = self.clock.now();
        let place = Place::Routed(vec![NewDelivery::to(branch.driver.clone())]);
        Ok(Entry { exempt: true, minted: true, ..Entry::new(event, place) })
    }

    /// The ancestor that an output names as its cause, if it is not the handled event.
    async fn named_cause(&self, handled: &Event, output: &Event) -> Result<Option<Event>> {
        let Some(named) = output.correlation_id.as_ref().filter(|named| **named != handled.id) else {
            return Ok(None);
        };
        let found = self.find_for(&handled.user_id, named).await?;
        match found.filter(|found| found.is_of_tree(&handled.user_id, handled.root())) {
            Some(found) => {
                self.ancestors.note(&found);
                Ok(Some(found))
            }
            None => Err(Error::invalid(format!(
                "{}: it names {named} as its cause, which is not in the causal tree of {}",
                output.event_type, handled.id
            ))),
        }
    }

    /// Delayed and held events are bounded. A settlement is never refused for that: without room the attempt has
    /// failed, and with the last attempt the delivery is a dead letter.
    pub(super) async fn find_room(&self, outputs: Outputs) -> Result<Outputs, Failure> {
        // What cannot wait does not ask for the status, which all share.
        let may_wait =
            |entry: &Entry| matches!(entry.place, Place::Parked(..)) || entry.event.ordering_key.is_some();
        if !outputs.entries.iter().any(may_wait) || self.bus.status().borrow().has_room_to_wait() {
            return Ok(outputs);
        }
        for entry in &outputs.entries {
            let unknown =
                |error| Failure::transient(format!("whether an output waits is not known: {error}"));
            if self.waits(entry).await.map_err(unknown)? {
                return Err(Failure::transient(
                    "it emits a delayed or held event, and too many of those that handlers made wait already; \
                     cancel or decide some, or raise the backlog limit of the bus",
                ));
            }
        }
        Ok(outputs)
    }

    /// Whether an output will wait: for its time, for a decision, or behind its held ordering key.
    async fn waits(&self, entry: &Entry) -> Result<bool> {
        let Entry { event, place, .. } = entry;
        match &event.ordering_key {
            _ if matches!(place, Place::Parked(..)) => Ok(true),
            Some(key) => {
                let held = Held::Key(event.user_id.clone(), key.clone());
                Ok(!self.bus.held(&held, 1).await?.is_empty())
            }
            None => Ok(false),
        }
    }
}

/// The first event of a branch that was refused, as far as its branch says.
fn begun(emitted: &Emitted, from: Lineage<'_>) -> Event {
    let Lineage { delivery, index } = from;
    let (mut event, handled) = (emitted.event.clone(), &delivery.event);
    let root = emitted.planted.is_none().then(|| handled.root().clone());
    let envelope = event.edit();
    if envelope.id.is_unset() {
        let (user, cause) = (&handled.user_id, &handled.id);
        envelope.id = EventId::derived(delivery.logged_at, user, cause, &delivery.driver, index);
    }
    envelope.user_id = handled.user_id.clone();
    (envelope.root_id, envelope.depth) = (root, handled.depth);
    event
}
