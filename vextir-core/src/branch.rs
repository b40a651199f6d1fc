//! Branches: parts of a causal tree whose end somebody waits for.

use crate::{Category, DeliveryFailed, Event, EventId, Name, Payload, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many answers of one branch are named.
pub(crate) const MOST_ANSWERS: usize = 100;

/// An event with everything that it causes, which a driver wants to see ended: a step of a plan, a turn of an agent,
/// a firing of a schedule. Begun with [`Ctx::emit_branch`](crate::Ctx::emit_branch).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// The event that it begins with.
    pub id: EventId,
    /// Whose it is.
    pub user: Name,
    /// The root of its causal tree.
    pub root: EventId,
    /// How deep its event stands in the tree.
    pub depth: u32,
    /// The driver that is told of its end.
    pub driver: Name,
    /// The ordering key of the event whose handler began it: the news of its end comes in turn with that.
    pub ordering_key: Option<Name>,
    /// The branch in which it was begun.
    pub parent: Option<EventId>,
    /// Deliveries, waits and branches in it that are not over.
    pub open: u64,
    /// Deliveries in it that became dead letters.
    pub failed: u64,
    /// What came out of it so far, as [`BranchEnded::answers`] tells it.
    pub answers: Vec<EventId>,
    /// Answers beyond those that are named.
    pub more: u64,
    /// The labels of all that came out of it.
    pub labels: BTreeSet<Name>,
    /// Whether its driver is told of what is held in it ([`BranchHeld`]).
    #[serde(default)]
    pub holds: bool,
}

impl Branch {
    /// A branch that begins with this event, made while `handled` was.
    #[must_use]
    pub fn new(event: &Event, handled: &Event, driver: Name) -> Self {
        Self {
            id: event.id.clone(),
            user: event.user_id.clone(),
            root: event.root().clone(),
            depth: event.depth,
            driver,
            ordering_key: handled.ordering_key.clone(),
            parent: handled.branch_id.clone().filter(|_| event.root_id.is_some()),
            open: 0,
            failed: 0,
            answers: Vec::new(),
            more: 0,
            labels: event.labels.clone(),
            holds: false,
        }
    }

    /// Its driver is told of what is held in it, and of what goes on.
    #[must_use]
    pub fn with_holds(self, holds: bool) -> Self {
        Self { holds, ..self }
    }

    /// Whether it is a causal tree of its own.
    #[must_use]
    pub fn is_tree(&self) -> bool {
        self.id == self.root
    }

    /// Whether an event belongs to it, and to none inside of it.
    pub(crate) fn holds(&self, event: &Event) -> bool {
        event.branch_id.as_ref() == Some(&self.id) && event.user_id == self.user
    }

    /// Notes an event of the branch that was logged: what its first event was answered with, what goes to the outside,
    /// and what failed.
    pub(crate) fn note(&mut self, event: &Event) {
        let answers = event.correlation_id.as_ref() == Some(&self.id);
        if event.id == self.id
            || event.event_type == DeliveryFailed::TYPE
            || !(answers || event.category == Category::Output || event.event_type == "error")
        {
            return;
        }
        self.labels.extend(event.labels.iter().cloned());
        if self.answers.len() < MOST_ANSWERS {
            self.answers.push(event.id.clone());
        } else {
            self.more += 1;
        }
    }

    /// What its driver is told.
    pub(crate) fn ended(&self, cancelled: bool) -> Result<Event> {
        let mut event = Event::of(&BranchEnded {
            branch: self.id.clone(),
            failed: self.failed,
            answers: self.answers.clone(),
            more: self.more,
            cancelled,
            refused: None,
        })?;
        self.place(&mut event);
        Ok(event)
    }

    /// What its driver is told of an event that is held in it, or goes on.
    pub(crate) fn held(&self, event_id: EventId, reason: Option<String>) -> Result<Event> {
        let mut event = Event::of(&BranchHeld { branch: self.id.clone(), event_id, reason })?;
        self.place(&mut event);
        Ok(event)
    }

    /// What its driver is told where the event was refused, so that the branch never began.
    pub(crate) fn refused(&self, reason: &str) -> Result<Event> {
        let mut event = Event::of(&BranchEnded {
            branch: self.id.clone(),
            failed: 1,
            answers: Vec::new(),
            more: 0,
            cancelled: false,
            refused: Some(reason.to_owned()),
        })?;
        self.place(&mut event);
        Ok(event)
    }

    /// Where the news belongs: into the branch and the tree in which this one was begun; of a tree, into one of its own.
    fn place(&self, event: &mut Event) {
        let envelope = event.edit();
        envelope.user_id = self.user.clone();
        envelope.source = Name::literal(crate::notice::KERNEL);
        envelope.correlation_id = Some(self.id.clone());
        envelope.ordering_key.clone_from(&self.ordering_key);
        envelope.labels.clone_from(&self.labels);
        if !self.is_tree() {
            envelope.root_id = Some(self.root.clone());
            envelope.branch_id.clone_from(&self.parent);
            envelope.depth = self.depth;
        }
    }
}

/// Everything that an event caused is over. The event `branch.ended`, which goes to the driver that
/// [began](crate::Ctx::emit_branch) the branch and to no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BranchEnded {
    /// The event that the branch began with.
    #[schemars(with = "String")]
    pub branch: EventId,
    /// How many deliveries in it failed for good.
    pub failed: u64,
    /// What came out of it, in log order, at most 100: the events that its first event was answered with, those in it
    /// that go to the outside (category `output`), and `error` events.
    #[schemars(with = "Vec<String>")]
    pub answers: Vec<EventId>,
    /// How many there are beyond those.
    #[serde(default)]
    pub more: u64,
    /// It was cancelled: by its driver ([`Ctx::cancel_branch`](crate::Ctx::cancel_branch)), with a branch around it, or, where
    /// it was a causal tree of its own, by somebody. What came out of it before is named all the same.
    #[serde(default)]
    pub cancelled: bool,
    /// Why the event was refused, if it was: then nothing happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Payload for BranchEnded {
    const TYPE: &'static str = "branch.ended";
    const DESCRIPTION: &'static str = "Everything that an event caused is over.";
}

/// An event in a branch is held (by a policy, at the limit of its tree, behind another one, or since its driver is not
/// registered), or goes on. The event `branch.held`, which goes to the driver that [began](crate::Ctx::emit_branch) the branch,
/// if it handles it: in the commit that holds the event or lets it go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BranchHeld {
    /// The event that the branch began with.
    #[schemars(with = "String")]
    pub branch: EventId,
    /// The event that is held.
    #[schemars(with = "String")]
    pub event_id: EventId,
    /// Why it is held; nothing where it is not any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Payload for BranchHeld {
    const TYPE: &'static str = "branch.held";
    const DESCRIPTION: &'static str = "An event in a branch is held, or goes on.";
}
