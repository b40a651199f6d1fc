//! What waits beside the deliveries: events that nobody has routed yet, delayed ones that fall due, and held ones
//! that an act set free without letting them go on.

use super::Kernel;
use super::accept::check_payload;
use super::authorize::{Ruling, audit_of, without_doubtful};
use super::route::{RouteTable, Targets};
use crate::bus::{Chores, Command, Entry, Hold, Logged, Parked, Place, Release, Route};
use crate::notice::is_kernels_own;
use crate::{AuditRecord, Decision, ErrorKind, Event, Name, Origin, Result, Verdict};
use std::sync::Arc;
use std::time::Duration;

const BATCH: usize = 256;
/// The longest single sleep: a clock that was set forward is noticed within it.
const LONGEST: Duration = Duration::from_secs(60);

impl Kernel {
    pub(super) async fn run_chores(self: Arc<Self>) {
        let mut chores = self.bus.chores();
        // An earlier process may have died in the midst of it.
        let mut freed = true;
        let mut letters_removed = None;
        loop {
            let seen = *chores.borrow_and_update();
            if let Err(error) =
                self.do_chores(seen, freed, Some(seen.letters_removed) != letters_removed).await
            {
                tracing::error!(%error, "what waits does not go on; trying again in a second");
                self.clock.sleep(Duration::from_secs(1)).await;
                continue;
            }
            (freed, letters_removed) = (false, Some(seen.letters_removed));
            let next_due = chores.borrow().next_due;
            let sleep = async {
                match next_due {
                    Some(due) => self.clock.sleep(due.since(self.clock.now()).min(LONGEST)).await,
                    None => std::future::pending().await,
                }
            };
            // Whatever changed since `seen` was read counts, also what is as it was again by now.
            tokio::select! {
                changed = chores.changed() => if changed.is_err() { return },
                () = sleep => {}
                () = self.freed.notified() => freed = true,
            }
        }
    }

    /// Each of them, also where another one fails; the first failure comes back.
    async fn do_chores(self: &Arc<Self>, seen: Chores, freed: bool, letters: bool) -> Result<()> {
        let mut done = Ok(());
        if seen.unrouted > 0 {
            done = done.and(self.route_unrouted().await);
        }
        if seen.next_due.is_some_and(|due| due <= self.clock.now()) {
            done = done.and(self.release_due().await);
        }
        if freed {
            done = done.and(self.release_freed().await);
        }
        if letters {
            done = done.and(self.forget_letters().await);
            self.pump_all();
        }
        done
    }

    async fn route_unrouted(self: &Arc<Self>) -> Result<()> {
        loop {
            // Until none is there: one that came in the commit that routed another one changes no count.
            let page = self.bus.unrouted(BATCH).await?;
            if page.is_empty() {
                return Ok(());
            }
            for logged in page {
                // Kept until the commit: a driver that is being registered waits for what was routed without it.
                let routes = self.routes();
                let route = self.route_logged(&routes, logged).await;
                match self.bus.commit(Command::Route(Box::new(route))).await {
                    Err(error) if error.kind() != ErrorKind::Stale => return Err(error),
                    Err(_) => {}
                    Ok(receipt) => self.tell_others(&receipt),
                }
            }
        }
    }

    /// The three steps for an event that is in the log already: it cannot be refused to anybody, so a refusal
    /// is audited.
    async fn route_logged(&self, routes: &RouteTable, logged: Logged) -> Route {
        let Logged { sequence, event, .. } = logged;
        let targets = routes.targets(&event.event_type);
        let fits = self.check_logged(&event, &targets);
        let Ruling { verdict, targets } = match fits {
            // What the kernel says of itself is no matter of policy.
            Ok(()) if is_kernels_own(&event) => {
                Ruling { verdict: Verdict::Allow, targets: without_doubtful(targets) }
            }
            Ok(()) => self.authorize(&event, &origin_of(&event), targets, false).await,
            Err(error) => {
                let decision = Decision::new(Name::literal("accept"), error.to_string());
                Ruling { verdict: Verdict::Deny(decision), targets }
            }
        };
        let audit = audit_of(&event, &verdict).into_iter().collect();
        if let Verdict::Deny(decision) = &verdict {
            tracing::warn!(event = %event.id, %decision, "an event of the log was not delivered");
        }
        let place = self.route(&event, &verdict, &targets);
        Route { sequence, event, place, audit, limits: self.limits.clone(), waiting: true, checkpoint: None }
    }

    fn check_logged(&self, event: &Event, targets: &Targets) -> Result<()> {
        event.check(self.max_event_bytes)?;
        event.check_depth()?;
        check_payload(event, targets)
    }

    /// Ends the wait of an event: authorized (again, unless a person decided) and routed now.
    pub(super) async fn release(
        self: &Arc<Self>,
        parked: Parked,
        approved: Option<AuditRecord>,
    ) -> Result<()> {
        let routes = self.routes();
        let origin = parked.origin.clone().unwrap_or_else(|| origin_of(&parked.event));
        let approval = approved.as_ref().map(|record| record.decision.clone()).or(parked.approved);
        let event = parked.event;
        let targets = routes.targets(&event.event_type);
        let Ruling { verdict, targets } = self.authorize(&event, &origin, targets, approval.is_some()).await;
        let mut audit: Vec<AuditRecord> = audit_of(&event, &verdict).into_iter().collect();
        audit.extend(approved);
        // Held until now, and not due yet.
        let early = event.deliver_at.is_some_and(|at| at > self.clock.now());
        let place = if early && !matches!(verdict, Verdict::Hold(_)) {
            Place::Parked(Hold::Delayed, approval.clone())
        } else {
            self.route(&event, &verdict, &targets)
        };
        let (user, id) = (event.user_id.clone(), event.id.clone());
        let entry = match verdict {
            Verdict::Deny(_) => None,
            _ => Some(Entry {
                minted: true,
                origin: Some(origin),
                approved: approval,
                limits: self.limits.clone(),
                ..Entry::new(event.clone(), place)
            }),
        };
        let release = Release { user, id, entry, audit };
        let receipt = match self.bus.commit(Command::Release(Box::new(release))).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            answer => answer?,
        };
        let appeared = receipt.appended.iter().any(|appended| !appended.parked);
        self.waiters.progress(&event.user_id, event.root(), appeared.then_some(&event), &receipt);
        self.tell_others(&receipt);
        Ok(())
    }
}

/// Who stands behind an event that waited: its user, through the driver that made it.
fn origin_of(event: &Event) -> Origin {
    match &event.root_id {
        Some(_) => Origin::Handler { driver: event.source.clone(), user: event.user_id.clone() },
        None => Origin::User(event.user_id.clone()),
    }
}
