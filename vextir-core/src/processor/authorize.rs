//! Step 2, authorize: may this happen? Fail closed.

use super::Kernel;
use super::route::Targets;
use crate::{
    AuthorizeRequest, Decision, Effect, Error, ErrorKind, Event, Origin, Provenance, Result, Target, Verdict,
};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use tracing::Instrument;

impl Kernel {
    /// The kernel's own rules, then every policy; the strictest verdict holds.
    pub(super) async fn authorize(&self, event: &Event, origin: &Origin, targets: &Targets) -> Verdict {
        if let Some(verdict) = own_rules(event, origin, targets) {
            return verdict;
        }
        if self.authorizers.is_empty() {
            return Verdict::Allow;
        }
        let step = tracing::debug_span!("authorize", event = %event.id, root = %event.root());
        self.ask_policies(event, origin, targets, false).instrument(step).await
    }

    /// As [`Kernel::authorize`], after a person has approved: who would hold it allows it now, but a denial
    /// is a denial, and a limit a limit.
    pub(super) async fn authorize_approved(
        &self,
        event: &Event,
        origin: &Origin,
        targets: &Targets,
    ) -> Verdict {
        match own_rules(event, origin, targets) {
            Some(verdict) => verdict,
            None => self.ask_policies(event, origin, targets, true).await,
        }
    }

    async fn ask_policies(
        &self,
        event: &Event,
        origin: &Origin,
        targets: &Targets,
        approved: bool,
    ) -> Verdict {
        let shown: Vec<Target> = targets
            .iter()
            .map(|target| Target {
                driver: target.driver.id.clone(),
                effect: target.effect,
                provenance: target.driver.provenance,
            })
            .collect();
        let request = AuthorizeRequest { event, origin, targets: &shown, now: self.clock.now() };
        let mut strictest = Verdict::Allow;
        for authorizer in &self.authorizers {
            let answer = AssertUnwindSafe(authorizer.authorize(&request)).catch_unwind().await;
            let verdict = match answer {
                Ok(Ok(verdict)) => verdict,
                Ok(Err(error)) => {
                    tracing::error!(%error, event = %event.id, "a policy failed; the event is denied");
                    fail_closed("a policy could not be evaluated")
                }
                Err(_) => fail_closed("a policy panicked"),
            };
            let waived = approved && matches!(verdict, Verdict::Hold(_));
            if !waived && strictness(&verdict) > strictness(&strictest) {
                strictest = verdict;
            }
        }
        strictest
    }
}

/// An event acts for its own user only; what was installed acts outside only where a policy allows it.
fn own_rules(event: &Event, origin: &Origin, targets: &Targets) -> Option<Verdict> {
    let deny = |policy: &'static str, reason: String| {
        Some(Verdict::Deny(Decision::new(crate::Name::literal(policy), reason)))
    };
    if let Some(user) = origin.user()
        && *user != event.user_id
    {
        return deny("ownership", "an event acts for its own user only".into());
    }
    let outside = targets.iter().find(|target| {
        target.driver.provenance == Provenance::Installed && target.effect == Effect::ActsOutside
    });
    let target = outside?;
    deny(
        "provenance",
        format!("driver {} was installed, acts outside, and no policy allows it", target.driver.id),
    )
}

fn fail_closed(reason: &str) -> Verdict {
    Verdict::Deny(Decision::new(crate::Name::literal("fail-closed"), reason))
}

fn strictness(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Allow => 0,
        Verdict::Limit(..) => 1,
        Verdict::Hold(_) => 2,
        Verdict::Deny(_) => 3,
    }
}

/// The error that an emitter gets for a denied event.
pub(super) fn denied(event: &Event, decision: &Decision) -> Error {
    Error::new(ErrorKind::Denied, format!("{}: denied: {decision}", event.event_type))
}

/// What the plain verdict says about the audit.
pub(super) fn audit_of(event: &Event, verdict: &Verdict) -> Option<crate::AuditRecord> {
    let (act, decision) = match verdict {
        Verdict::Allow => return None,
        Verdict::Deny(decision) => ("deny", decision),
        Verdict::Hold(decision) => ("hold", decision),
        Verdict::Limit(decision, _) => ("limit", decision),
    };
    Some(crate::AuditRecord::about(event, act, decision.clone()))
}

/// Turns a denial into an error, for callers that emit from outside.
pub(super) fn refuse_denied(event: &Event, verdict: &Verdict) -> Result<()> {
    match verdict {
        Verdict::Deny(decision) => Err(denied(event, decision)),
        _ => Ok(()),
    }
}
