//! Step 5, settle: what the attempt brought, in one commit.

use super::Kernel;
use super::accept::{Accepted, Lineage};
use super::authorize::{Ruling, audit_of, without_doubtful};
use super::handle::Attempt;
use super::registry::Registered;
use super::retry::Next;
use super::route::RouteTable;
use crate::bus::{Command, Delivery, Entry, Held, Hold, NewDelivery, Outcome, Place, Receipt, Settlement};
use crate::ctx::{Effects, Emitted};
use crate::notice::{KERNEL, is_kernels_own};
use crate::{
    AuditRecord, Branch, BranchHeld, Decision, DeliveryFailed, Error, ErrorKind, Event, EventId, Failure,
    HandlerFailed, Name, Origin, Payload, Result, Verdict,
};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tracing::{Instrument, Span};

/// The longest text that is kept of a failure, in bytes.
const MAX_REASON: usize = 4_096;

/// A handler's outputs, ready for the commit.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    pub(super) entries: Vec<Entry>,
    pub(super) audit: Vec<AuditRecord>,
}

/// What the queue has to know afterwards.
#[derive(Debug)]
pub(super) enum Settled {
    /// Over.
    Over,
    /// Over, and those of its batch are not.
    Apart,
    /// Not settled before the stop: it stays open, and its ordering key taken.
    Left,
    /// To be tried again.
    Again(Box<Delivery>),
}

impl Settled {
    /// A delivery was gone before its outcome could be committed.
    pub(super) fn gone(delivery: &Delivery) -> Self {
        if delivery.batch.is_empty() { Self::Over } else { Self::Apart }
    }
}

impl Kernel {
    /// Turns an attempt into a settlement, and commits it.
    pub(super) async fn settle(
        self: &Arc<Self>,
        driver: &Arc<Registered>,
        delivery: &Delivery,
        attempt: Attempt,
    ) -> Settled {
        let Attempt { result, effects } = attempt;
        self.settle_attempt(driver, delivery, result, effects).instrument(step(delivery)).await
    }

    async fn settle_attempt(
        self: &Arc<Self>,
        driver: &Arc<Registered>,
        delivery: &Delivery,
        result: Result<Vec<Event>, Failure>,
        effects: Effects,
    ) -> Settled {
        let routes_nothing = effects.outputs.is_empty() && matches!(&result, Ok(made) if made.is_empty());
        // Kept until the commit: a driver that is being registered waits for what was routed without it.
        let routes = (!routes_nothing).then(|| self.routes());
        let done = match (result, &routes) {
            (Ok(_), _) if !effects.changes.is_empty() && !self.takes_changes() => Err(Failure::permanent(
                "it changes documents of a store that does not commit together with the bus and has no outbox; \
                 run it on a Hub",
            )),
            (Ok(_), None) => Ok(Outputs::default()),
            (Ok(returned), Some(routes)) => {
                match self.outputs(routes, delivery, returned, effects.outputs).await {
                    Ok(outputs) => self.find_room(outputs).await,
                    Err(error) => Err(Failure::permanent(format!("an output was refused: {error}"))),
                }
            }
            (Err(failure), _) => Err(failure),
        };
        let mut settlement = match done {
            Ok(done) => {
                let outcome = Outcome::Done { outputs: done.entries, changes: effects.changes };
                Settlement { audit: done.audit, ..Settlement::of(delivery, outcome) }
            }
            Err(failure) => self.failed(driver, delivery, &failure),
        };
        settlement.usage = effects.usage;
        if !driver.flow.is_empty() {
            settlement.began = driver.lane().began(delivery.position);
        }
        if matches!(settlement.outcome, Outcome::Done { .. }) {
            settlement.withdrawn = effects.withdrawn;
            if !effects.unwanted.is_empty() {
                settlement.cancelled = effects.unwanted;
                settlement.listeners = self.listeners();
            }
        }
        let settlement = Arc::new(settlement);
        self.cancel_trees(&delivery.event.user_id, &effects.cancelled).await;
        let committed = match self.outbox_for(&settlement) {
            None => {
                self.commit_settlement(driver, &settlement).await.map(|receipt| (settlement.clone(), receipt))
            }
            Some(outbox) => Box::pin(self.post(driver, outbox, &settlement)).await,
        };
        match committed {
            Ok((settlement, receipt)) => self.conclude(driver, delivery, &settlement, &receipt),
            Err(error) if matches!(error.kind(), ErrorKind::Stale | ErrorKind::Closed) => {
                tracing::debug!(%error, "the delivery is not ours any more");
                Settled::gone(delivery)
            }
            Err(error) if error.kind().is_transient() => {
                // Only while stopping: the next start repeats it.
                tracing::warn!(%error, event = %delivery.event.id, "not settled before the stop");
                Settled::Left
            }
            Err(error) => self.settle_refused(driver, delivery, &settlement, &error).await,
        }
    }

    /// Before the commit: repeated with the handler, if the process dies between the two.
    async fn cancel_trees(self: &Arc<Self>, user: &Name, roots: &[EventId]) {
        for root in roots {
            match self.cancel(user, root).await {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::error!(%error, %root, "a causal tree was not cancelled");
                }
                _ => {}
            }
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

    /// The bus refuses what the handler made (an id in use, a change that it cannot apply): that is the
    /// handler's failure. What no longer fits a document, without having been asked to, is made anew from it by
    /// another attempt.
    async fn settle_refused(
        self: &Arc<Self>,
        driver: &Arc<Registered>,
        delivery: &Delivery,
        refused: &Settlement,
        error: &Error,
    ) -> Settled {
        let _routes = self.routes();
        let reason = format!("the bus refused the outcome: {error}");
        let merges = matches!(&refused.outcome, Outcome::Done { changes, .. }
            if !changes.is_empty() && changes.iter().all(|change| change.expected.is_none()));
        let failure = if merges && error.kind() == ErrorKind::Conflict {
            Failure::transient(reason)
        } else {
            Failure::permanent(reason)
        };
        let failed = self.failed(driver, delivery, &failure);
        let (usage, began) = (refused.usage.clone(), refused.began.clone());
        let settlement = Arc::new(Settlement { usage, began, ..failed });
        match self.commit_settlement(driver, &settlement).await {
            Ok(receipt) => self.conclude(driver, delivery, &settlement, &receipt),
            Err(error) => {
                tracing::error!(%error, event = %delivery.event.id, "a delivery could not be settled");
                Settled::gone(delivery)
            }
        }
    }

    /// Commits. A letter blocks its key before that, for it may be redriven as soon as it is one.
    pub(super) async fn commit_settlement(
        &self,
        driver: &Registered,
        settlement: &Arc<Settlement>,
    ) -> Result<Receipt> {
        let Settlement { delivery, outcome, .. } = &**settlement;
        let blocks = driver.manifest.block_on_dead && matches!(outcome, Outcome::Dead { .. });
        if blocks {
            driver.lane().block(&delivery.event, delivery.position);
        }
        let commit = || self.bus.commit(Command::Settle(settlement.clone()));
        let answer = self.until_stop(&delivery.event, commit).await;
        if blocks && answer.as_ref().map_or(true, |receipt| receipt.dropped) {
            driver.lane().unblock(&delivery.event, delivery.position);
        }
        answer
    }

    /// Commits, or asks; while the back end fails for now, tries again: the handler's work is not thrown away.
    pub(super) async fn until_stop<T, F: Future<Output = Result<T>>>(
        &self,
        event: &Event,
        ask: impl Fn() -> F,
    ) -> Result<T> {
        let mut pause = Duration::from_millis(50);
        loop {
            match ask().await {
                Err(error) if error.kind().is_transient() && !self.stop.is_cancelled() => {
                    tracing::error!(%error, event = %event.id, "settling again in {pause:?}");
                    self.clock.sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
                answer => return answer,
            }
        }
    }

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
                outputs.entries.extend(self.error_event(lineage.delivery, &reason));
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
        if !outputs.entries.iter().any(|entry| entry.exempt) {
            outputs.entries.extend(self.error_event(delivery, &reason));
        }
        Ok(())
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

    /// The settlement of a failed attempt.
    fn failed(&self, driver: &Registered, delivery: &Delivery, failure: &Failure) -> Settlement {
        let reason = shorten(failure.to_string());
        let attempt = delivery.attempt + 1;
        let spread = self.spread.lock().unwrap_or_else(PoisonError::into_inner).f64();
        let next = self.retry.decide(failure.class(), failure.pause(), attempt, driver.retries, spread);
        let outcome = match next {
            Next::Retry(pause) => Outcome::Retry { at: self.clock.now().after(pause), error: reason },
            Next::GiveUp => return self.letter(delivery, reason),
        };
        Settlement::of(delivery, outcome)
    }

    /// The settlement that makes a delivery a dead letter, with the event that says so.
    pub(super) fn letter(&self, delivery: &Delivery, reason: String) -> Settlement {
        let news = |delivery: &Delivery| {
            self.error_event(delivery, &reason).into_iter().chain(self.failure_notice(delivery, &reason))
        };
        let outputs = delivery.all().flat_map(news).collect();
        Settlement::of(delivery, Outcome::Dead { reason, outputs })
    }

    /// The `error` event of a dead delivery; the kernel's own events cause none.
    fn error_event(&self, delivery: &Delivery, reason: &str) -> Option<Entry> {
        let handled = &delivery.event;
        if is_kernels_own(handled) {
            return None;
        }
        let failed = HandlerFailed::new(delivery.driver.clone(), reason, handled.id.clone());
        let event = self.about_failure(delivery, Event::of(&failed), u32::MAX)?;
        let targets = without_doubtful(self.targets(&event.event_type));
        let place = self.route(&event, &Verdict::Allow, &targets);
        Some(Entry { exempt: true, minted: true, ..Entry::new(event, place) })
    }

    /// What the driver itself is told of its dead delivery, if it wants to know. Of a failure in that nobody is told.
    fn failure_notice(&self, delivery: &Delivery, reason: &str) -> Option<Entry> {
        let handled = &delivery.event;
        if handled.event_type == DeliveryFailed::TYPE || !self.listeners().contains(&delivery.driver) {
            return None;
        }
        let failed = DeliveryFailed::new(reason, handled.id.clone());
        let mut event = self.about_failure(delivery, Event::of(&failed), u32::MAX - 1)?;
        event.edit().ordering_key.clone_from(&handled.ordering_key);
        let place = Place::Routed(vec![NewDelivery::to(delivery.driver.clone())]);
        Some(Entry { exempt: true, minted: true, ..Entry::new(event, place) })
    }

    /// The drivers that want to know what became of their deliveries.
    fn listeners(&self) -> Vec<Name> {
        let targets = self.targets(&Name::literal(DeliveryFailed::TYPE));
        targets.iter().map(|target| target.driver.id.clone()).collect()
    }

    fn about_failure(&self, delivery: &Delivery, made: Result<Event>, index: u32) -> Option<Event> {
        let handled = &delivery.event;
        let mut event = made
            .inspect_err(|error| tracing::error!(%error, "a failure is not told"))
            .ok()?
            .with_user(handled.user_id.clone())
            .with_source(Name::literal(KERNEL))
            .with_timestamp(self.clock.now())
            .with_cause(handled.id.clone());
        let envelope = event.edit();
        // A redriven delivery can die again: its position tells the two apart.
        let maker = format!("{}#{}", delivery.driver, delivery.position);
        envelope.id = EventId::derived(delivery.logged_at, &handled.user_id, &handled.id, &maker, index);
        envelope.root_id = Some(handled.root().clone());
        envelope.branch_id.clone_from(&handled.branch_id);
        envelope.depth = handled.depth + 1;
        envelope.labels.clone_from(&handled.labels);
        Some(event)
    }

    /// After the commit: meters, who waits, and what the queue does next.
    pub(super) fn conclude(
        self: &Arc<Self>,
        driver: &Arc<Registered>,
        delivery: &Delivery,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> Settled {
        self.announce(settlement, receipt);
        self.tell_others(receipt);
        self.go_on_in(receipt, &delivery.event);
        self.stop_branches(&delivery.event.user_id, receipt);
        match &settlement.outcome {
            _ if receipt.dropped => Settled::gone(delivery),
            Outcome::Done { .. } => {
                driver.meters.done();
                Settled::Over
            }
            Outcome::Dead { reason, .. } => {
                driver.meters.dead();
                tracing::warn!(event = %delivery.event.id, driver = %driver.id, reason, "dead letter");
                Settled::Over
            }
            Outcome::Retry { at, error } => {
                driver.meters.retried();
                let mut again = delivery.clone();
                (again.attempt, again.due, again.error) =
                    (settlement.delivery.attempt + 1, Some(*at), Some(error.clone()));
                again.batch.iter_mut().for_each(|member| member.attempt += 1);
                Settled::Again(Box::new(again))
            }
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

/// The step as tracing shows it.
pub(super) fn step(delivery: &Delivery) -> Span {
    let event = &delivery.event;
    tracing::debug_span!("settle", driver = %delivery.driver, event = %event.id, root = %event.root())
}

fn shorten(mut text: String) -> String {
    if text.len() > MAX_REASON {
        let end = (0..=MAX_REASON).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str(" ..");
    }
    text
}
