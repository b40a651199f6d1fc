//! The authorize step's contract: who asks for what, and what may be answered.
//!
//! Fail closed: an [`Authorizer`] that errors, panics or does not answer denies. The kernel's own rules come first and cannot
//! be switched off: an event acts for its own user only. Policies come after them.

use crate::{Data, Event, EventId, Limits, Name, Result, Timestamp};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a capability does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Reads the user's own context at most.
    Reads,
    /// Writes the user's own context.
    WritesContext,
    /// Acts outside: the file system, the network, people. What a driver that says nothing is taken for.
    #[default]
    ActsOutside,
}

/// Who registered a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// The application's own code.
    #[default]
    Application,
    /// A pack or a document: it acts outside only where a policy grants it ([`Authorizer::grants`]).
    Installed,
}

/// Who emits an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// The application itself; may emit for every user.
    Operator,
    /// A tenant's handle; emits for itself.
    User(Name),
    /// A handler, on behalf of the user whose event it handles.
    Handler {
        /// The driver.
        driver: Name,
        /// The user.
        user: Name,
    },
    /// A driver that watches the outside world for one user.
    Watcher {
        /// The driver.
        driver: Name,
        /// The user.
        user: Name,
    },
}

impl Origin {
    /// The user for whom it may act; `None` for the operator, who may act for each.
    #[must_use]
    pub fn user(&self) -> Option<&Name> {
        match self {
            Self::Operator => None,
            Self::User(user) | Self::Handler { user, .. } | Self::Watcher { user, .. } => Some(user),
        }
    }
}

/// A driver that would get the event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// The driver's id.
    pub driver: Name,
    /// What the capability does.
    pub effect: Effect,
    /// Who registered the driver.
    pub provenance: Provenance,
}

/// One question to an [`Authorizer`].
#[derive(Debug)]
#[non_exhaustive]
pub struct AuthorizeRequest<'a> {
    /// The event, accepted and stamped.
    pub event: &'a Event,
    /// Who emits it.
    pub origin: &'a Origin,
    /// The drivers that would get it.
    pub targets: &'a [Target],
    /// The kernel's time.
    pub now: Timestamp,
}

/// What may happen with an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It goes to its drivers.
    Allow,
    /// It is refused.
    Deny(Decision),
    /// It waits for a person.
    Hold(Decision),
    /// It goes to its drivers, under an obligation that [`Ctx::obligations`](crate::Ctx::obligations) shows
    /// them.
    Limit(Decision, Data),
}

/// Which policy decided, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The policy's name.
    pub policy: Name,
    /// One sentence.
    pub reason: String,
}

impl Decision {
    /// A decision of a policy.
    pub fn new(policy: impl Into<Name>, reason: impl Into<String>) -> Self {
        Self { policy: policy.into(), reason: reason.into() }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (policy {})", self.reason, self.policy)
    }
}

/// Decides about events; several may be registered, and the strictest answer holds.
///
/// An error denies, and so does an answer that takes longer than
/// [`policy_timeout`](crate::ProcessorBuilder::policy_timeout). Called once for each event, before its commit;
/// keep it quick.
#[async_trait]
pub trait Authorizer: fmt::Debug + Send + Sync + 'static {
    /// The verdict on one event.
    ///
    /// # Errors
    /// It could not be decided; the event is denied.
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> Result<Verdict>;

    /// Whether an installed driver that acts outside may get this event. Without a grant of any policy it
    /// does not; other drivers are not affected.
    ///
    /// # Errors
    /// It could not be decided; that is no grant.
    async fn grants(&self, _request: &AuthorizeRequest<'_>, _target: &Target) -> Result<bool> {
        Ok(false)
    }

    /// Whether a user's event, with all that it causes, may use more than the processor's limits allow
    /// ([`EmitOptions::limits`](crate::EmitOptions::limits)). Without a grant of any policy it may not. Not asked
    /// about what the operator emits, nor about what is denied already.
    ///
    /// # Errors
    /// It could not be decided; that is no grant.
    async fn grants_limits(&self, _request: &AuthorizeRequest<'_>, _limits: &Limits) -> Result<bool> {
        Ok(false)
    }
}

/// One line of the audit: a verdict that was not a plain allow, or an act of the operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditRecord {
    /// When; stamped by the log.
    pub at: Timestamp,
    /// The event's user.
    pub user: Name,
    /// The event.
    pub event: EventId,
    /// Its type.
    pub event_type: Name,
    /// Who emitted it.
    pub source: Name,
    /// `deny`, `hold`, `limit`, `approve`, `reject`, `cancel`, `extend`, `redrive`, `discard`, `skip`.
    pub act: Name,
    /// Which policy or rule, and why.
    pub decision: Decision,
}

impl AuditRecord {
    /// A record about an event.
    #[must_use]
    pub fn about(event: &Event, act: &'static str, decision: Decision) -> Self {
        Self {
            at: Timestamp::UNSET,
            user: event.user_id.clone(),
            event: event.id.clone(),
            event_type: event.event_type.clone(),
            source: event.source.clone(),
            act: Name::literal(act),
            decision,
        }
    }
}
