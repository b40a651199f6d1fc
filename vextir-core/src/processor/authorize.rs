//! Step 2, authorize: may this happen? Fail closed.

use super::Kernel;
use super::handle::poll_once;
use super::route::{RouteTarget, Targets};
use crate::{
    AuthorizeRequest, Decision, Error, ErrorKind, Event, Limits, Name, Origin, Result, Target, Verdict,
};
use futures::FutureExt;
use serde_json::Value;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use tracing::Instrument;

/// What came out: the verdict, and the drivers that may get the event.
pub(super) struct Ruling {
    pub(super) verdict: Verdict,
    pub(super) targets: Targets,
}

impl Kernel {
    /// The kernel's own rules, then every policy; the strictest verdict holds. `approved`: a person has
    /// approved, which waives holds, and neither denials nor limits.
    pub(super) async fn authorize(
        &self,
        event: &Event,
        origin: &Origin,
        targets: Targets,
        approved: bool,
    ) -> Ruling {
        let step = tracing::debug_span!("authorize", event = %event.id, root = %event.root());
        if let Some(verdict) = step.in_scope(|| self.rule_alone(event, origin, &targets)) {
            return Ruling { verdict, targets };
        }
        // Boxed: most events meet no policy, and their futures need no room for one.
        Box::pin(self.rule(event, origin, targets, approved).instrument(step)).await
    }

    /// The kernel's own rules; nothing if the policies have to be asked.
    fn rule_alone(&self, event: &Event, origin: &Origin, targets: &Targets) -> Option<Verdict> {
        if origin.user().is_some_and(|user| *user != event.user_id) {
            let decision = Decision::new(Name::literal("ownership"), "an event acts for its own user only");
            return Some(Verdict::Deny(decision));
        }
        let nobody = self.authorizers.is_empty() && !targets.iter().any(RouteTarget::needs_a_grant);
        nobody.then_some(Verdict::Allow)
    }

    async fn rule(&self, event: &Event, origin: &Origin, targets: Targets, approved: bool) -> Ruling {
        let doubtful = targets.iter().any(RouteTarget::needs_a_grant);
        let shown: Vec<Target> = targets.iter().map(RouteTarget::shown).collect();
        let request = AuthorizeRequest { event, origin, targets: &shown, now: self.clock.now() };
        let verdict = self.ask_policies(&request, approved).await;
        if !doubtful || matches!(verdict, Verdict::Deny(_)) {
            return Ruling { verdict, targets };
        }
        let mut granted = Vec::with_capacity(targets.len());
        for (target, shown) in targets.iter().zip(&shown) {
            if !target.needs_a_grant() || self.is_granted(&request, shown).await {
                granted.push(target.clone());
            }
        }
        if granted.is_empty() {
            let reason = "every driver for it was installed and acts outside, and no policy grants that";
            let decision = Decision::new(Name::literal("provenance"), reason);
            return Ruling { verdict: Verdict::Deny(decision), targets };
        }
        Ruling { verdict, targets: granted.into() }
    }

    async fn ask_policies(&self, request: &AuthorizeRequest<'_>, approved: bool) -> Verdict {
        let mut strictest = Verdict::Allow;
        let mut obligations = Vec::new();
        for authorizer in &self.authorizers {
            let verdict = match self.ask(authorizer.authorize(request)).await {
                Ok(verdict) => verdict,
                Err(failed) => {
                    tracing::error!(failed, event = %request.event.id, "the event is denied");
                    fail_closed(failed)
                }
            };
            if let Verdict::Limit(_, obligation) = &verdict {
                obligations.push(obligation.value());
            }
            let waived = approved && matches!(verdict, Verdict::Hold(_));
            if !waived && strictness(&verdict) > strictness(&strictest) {
                strictest = verdict;
            }
        }
        match strictest {
            // Each policy's obligation counts, not the first one's alone.
            Verdict::Limit(decision, _) => Verdict::Limit(decision, Value::Array(obligations).into()),
            verdict => verdict,
        }
    }

    async fn is_granted(&self, request: &AuthorizeRequest<'_>, target: &Target) -> bool {
        for authorizer in &self.authorizers {
            match self.ask(authorizer.grants(request, target)).await {
                Ok(true) => return true,
                Ok(false) => {}
                Err(failed) => tracing::error!(failed, event = %request.event.id, "that is no grant"),
            }
        }
        false
    }

    /// A user's own limits may be lower than the processor's. Where they are higher, a policy has to grant them.
    pub(super) async fn authorize_limits(
        &self,
        event: &Event,
        origin: &Origin,
        targets: &Targets,
        asked: &Limits,
    ) -> Option<Decision> {
        origin.user()?;
        let usual = self.limits.as_deref().cloned().unwrap_or_default();
        let beyond = asked.beyond(&usual)?;
        let shown: Vec<Target> = targets.iter().map(RouteTarget::shown).collect();
        let request = AuthorizeRequest { event, origin, targets: &shown, now: self.clock.now() };
        for authorizer in &self.authorizers {
            match self.ask(authorizer.grants_limits(&request, asked)).await {
                Ok(true) => return None,
                Ok(false) => {}
                Err(failed) => tracing::error!(failed, event = %event.id, "that is no grant"),
            }
        }
        let reason = format!(
            "asks for more {} than the {} that a tree of events may use; ask for less, or let a policy grant it",
            beyond.unit, beyond.limit
        );
        Some(Decision::new(Name::literal("limits"), reason))
    }

    /// One question to one policy; an error, a panic and a missing answer are failures.
    async fn ask<T>(&self, question: impl Future<Output = Result<T>>) -> Result<T, &'static str> {
        let mut question = std::pin::pin!(AssertUnwindSafe(question).catch_unwind());
        let answer = match poll_once(question.as_mut()).await {
            Some(answer) => answer,
            None => tokio::select! {
                biased;
                answer = question => answer,
                () = self.clock.sleep(self.policy_timeout) => return Err("a policy did not answer in time"),
            },
        };
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::error!(%error, "a policy failed");
                Err("a policy could not be evaluated")
            }
            Err(_) => Err("a policy panicked"),
        }
    }
}

/// For events that no policy is asked about: the drivers that need no grant.
pub(super) fn without_doubtful(targets: Targets) -> Targets {
    if targets.iter().any(RouteTarget::needs_a_grant) {
        return targets.iter().filter(|target| !target.needs_a_grant()).cloned().collect();
    }
    targets
}

fn fail_closed(reason: &str) -> Verdict {
    Verdict::Deny(Decision::new(Name::literal("fail-closed"), reason))
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
