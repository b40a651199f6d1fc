//! What is held, for a person, for its tree's lease or behind another event of its key, and how it goes on.
//!
//! An act of the operator is one commit. What it sets free goes on with one more commit for each event. If the
//! process dies between them, or one of them fails, the chores find what is free and let it go on.

use super::{Kernel, closed};
use crate::bus::{Command, Held, Hold, Parked, Receipt, Release};
use crate::{AuditRecord, Decision, Error, ErrorKind, Event, EventId, LeaseState, Limits, Name, Result};
use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// No limit on a listing.
const ALL: usize = usize::MAX >> 1;
/// And as many of one tree as are looked at first.
const SOME: usize = 64;

impl Kernel {
    /// In a task of its own: who gives up waiting does not leave an act that is half done.
    pub(super) async fn act<T: Send + 'static>(
        &self,
        act: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let act = self.stop.clone().run_until_cancelled_owned(act);
        ended(self.tasks.spawn(async move { act.await.ok_or_else(closed)? })).await
    }

    pub(super) async fn cancel(self: &Arc<Self>, user: &Name, root: &EventId) -> Result<usize> {
        let (kernel, user, root) = (self.clone(), user.clone(), root.clone());
        self.act(async move { kernel.cancel_now(&user, &root).await }).await
    }

    async fn cancel_now(self: &Arc<Self>, user: &Name, root: &EventId) -> Result<usize> {
        let owner = self.owner(user, root).await?;
        let held = self.bus.held(&Held::Tree(owner.clone(), root.clone()), ALL).await?;
        let held: Vec<Event> = held.into_iter().map(|parked| parked.event).collect();
        let audit = vec![note(&owner, root, "cancel", "cancelled by the operator or its user")];
        let command = Command::Cancel { user: owner.clone(), root: root.clone(), audit };
        let receipt = self.bus.commit(command).await?;
        self.cancellation.cancel(&owner, root);
        for driver in self.routes().drivers() {
            driver.lane().remove(|delivery| delivery.event.is_of_tree(&owner, root));
        }
        self.waiters.progress(&owner, root, None, &receipt);
        self.pump_all();
        self.go_on(async {
            for event in &held {
                self.release_behind(event).await?;
            }
            Ok(())
        })
        .await;
        Ok(receipt.touched)
    }

    pub(super) async fn extend(self: &Arc<Self>, user: Name, root: EventId, limits: Limits) -> Result<()> {
        let kernel = self.clone();
        self.act(async move {
            let user = kernel.owner(&user, &root).await?;
            let audit = vec![note(&user, &root, "extend", "new limits set by the operator")];
            let command = Command::Extend { user: user.clone(), root: root.clone(), limits, audit };
            kernel.bus.commit(command).await?;
            kernel.go_on(kernel.release_tree(&user, &root)).await;
            Ok(())
        })
        .await
    }

    pub(super) async fn decide(
        self: &Arc<Self>,
        parked: &Parked,
        reason: &str,
        approved: bool,
    ) -> Result<()> {
        let (kernel, parked) = (self.clone(), parked.clone());
        let decision = Decision::new(Name::literal("operator"), reason);
        self.act(async move {
            kernel.decide_now(&parked, decision, approved).await?;
            kernel.go_on(kernel.release_behind(&parked.event)).await;
            Ok(())
        })
        .await
    }

    async fn decide_now(self: &Arc<Self>, parked: &Parked, decision: Decision, approved: bool) -> Result<()> {
        let event = &parked.event;
        let found = self.bus.held(&Held::Event(event.user_id.clone(), event.id.clone()), 1).await?;
        let missing =
            || Error::new(ErrorKind::NotFound, format!("no event {} waits for an approval", event.id));
        let waits = |one: &Parked| one.number == parked.number && one.hold == Hold::Approval;
        let parked = found.into_iter().find(waits).ok_or_else(missing)?;
        if approved {
            return self.release(parked, Some(AuditRecord::about(event, "approve", decision))).await;
        }
        let audit = vec![AuditRecord::about(event, "reject", decision)];
        let (user, id) = (event.user_id.clone(), event.id.clone());
        let release = Release { user, id, entry: None, audit };
        let receipt = self.bus.commit(Command::Release(Box::new(release))).await?;
        self.waiters.progress(&event.user_id, event.root(), None, &receipt);
        Ok(())
    }

    /// Lets go on what an act set free. The act itself is done, so a failure here is not its caller's: the
    /// chores try again.
    async fn go_on(&self, work: impl Future<Output = Result<()>>) {
        if let Err(error) = work.await {
            tracing::error!(%error, "what an act of the operator set free does not go on; it is tried again");
            self.freed.notify_one();
        }
    }

    /// A tree that was held for want of room may have been resumed: the chores release what waits in it.
    pub(super) fn go_on_if(&self, receipt: &Receipt) {
        if receipt.resumed {
            self.freed.notify_one();
        }
    }

    /// What runs or is queued in branches that a driver has cancelled stops.
    pub(super) fn stop_branches(self: &Arc<Self>, user: &Name, receipt: &Receipt) {
        if receipt.cancelled.is_empty() {
            return;
        }
        receipt.cancelled.iter().for_each(|branch| self.cancellation.cancel(user, branch));
        for driver in self.routes().drivers() {
            driver.lane().remove(|delivery| self.cancellation.is_gone(&delivery.event));
        }
        if receipt.freed {
            self.freed.notify_one();
        }
        self.pump_all();
    }

    /// The same, where it is known which tree that is: nobody else's wait is looked at.
    pub(super) fn go_on_in(self: &Arc<Self>, receipt: &Receipt, event: &Event) {
        if !receipt.resumed {
            return;
        }
        let others = receipt.others.iter().map(|(user, root, _)| (user.clone(), root.clone()));
        let trees: Vec<_> = others.chain([event.tree()]).collect();
        let kernel = self.clone();
        self.tasks.spawn(async move {
            for (user, root) in trees {
                kernel.go_on(kernel.release_tree(&user, &root)).await;
            }
        });
    }

    /// Lets go on whatever is free: nothing before it in its key is held, and its tree is active. One that fails,
    /// though the bus works, is passed over for now.
    pub(super) async fn release_freed(self: &Arc<Self>) -> Result<()> {
        let (mut keys, mut held) = (HashSet::new(), HashSet::new());
        let mut failed = Ok(());
        for hold in [Hold::Lease, Hold::Key] {
            for parked in self.bus.parked(hold, ALL).await? {
                let event = &parked.event;
                let done = if let Some(key) = &event.ordering_key {
                    match keys.insert((event.user_id.clone(), key.clone())) {
                        true => self.release_behind(event).await,
                        false => Ok(()),
                    }
                } else if held.contains(&event.tree()) {
                    Ok(())
                } else if self.is_active(event).await? {
                    self.release(parked, None).await
                } else {
                    held.insert(event.tree());
                    Ok(())
                };
                match done {
                    Err(error) if !error.kind().is_transient() => failed = failed.and(Err(error)),
                    done => done?,
                }
            }
        }
        failed
    }

    /// What waits for the lease of a tree goes on, in order, up to its limit.
    async fn release_tree(self: &Arc<Self>, user: &Name, root: &EventId) -> Result<()> {
        // There may be many, and room for few.
        for most in [SOME, ALL] {
            let mine = self.bus.held(&Held::Tree(user.clone(), root.clone()), most).await?;
            let is_all = mine.len() < most;
            for parked in mine.into_iter().filter(|parked| parked.hold == Hold::Lease) {
                let event = parked.event.clone();
                match event.ordering_key {
                    // In its key's order: what is held before it comes first.
                    Some(_) => self.release_behind(&event).await?,
                    None => self.release(parked, None).await?,
                }
                if !self.is_active(&event).await? {
                    return Ok(());
                }
            }
            if is_all {
                break;
            }
        }
        Ok(())
    }

    /// What waits under the ordering key of an event goes on, in order, up to the first one that waits for an
    /// approval or for its tree's lease.
    async fn release_behind(self: &Arc<Self>, event: &Event) -> Result<()> {
        let Some(key) = &event.ordering_key else { return Ok(()) };
        let same_key = Held::Key(event.user_id.clone(), key.clone());
        loop {
            let Some(first) = self.bus.held(&same_key, 1).await?.pop() else { return Ok(()) };
            let goes_on = match first.hold {
                Hold::Key => true,
                Hold::Lease => self.is_active(&first.event).await?,
                _ => false,
            };
            if !goes_on {
                return Ok(());
            }
            self.release(first, None).await?;
        }
    }

    /// Whether the tree of an event may draw.
    async fn is_active(&self, event: &Event) -> Result<bool> {
        let tree = self.bus.lease(&event.user_id, event.root()).await?;
        Ok(tree.is_none_or(|tree| tree.state == LeaseState::Active))
    }

    /// Whose tree it is: an operator may know the root alone.
    async fn owner(&self, user: &Name, root: &EventId) -> Result<Name> {
        Ok(self.bus.lease(user, root).await?.map_or_else(|| user.clone(), |lease| lease.user))
    }
}

/// What a task of its own came to.
pub(super) async fn ended<T>(task: JoinHandle<Result<T>>) -> Result<T> {
    match task.await {
        Ok(answer) => answer,
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(_) => Err(closed()),
    }
}

/// An act of the operator upon a tree, for the audit.
fn note(user: &Name, root: &EventId, act: &'static str, reason: &str) -> AuditRecord {
    let about = Event::new(Name::literal("lease.changed")).with_id(root.clone()).with_user(user.clone());
    AuditRecord::about(&about, act, Decision::new(Name::literal("operator"), reason))
}
