//! A suite that cannot fail proves nothing: each of these buses breaks one promise, and it is found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use vextir::bus::{
    Attachment, BusStatus, Checkpoint, Chores, Command, DeadLetter, Delivery, Held, Hold, Logged, Page,
    Parked, Place, Position, Receipt, Sequence,
};
use vextir::testkit::conformance;
use vextir::{
    AuditRecord, ErrorKind, EventBus, EventFilter, EventId, Lease, LeaseState, MemoryBus, Name, Result,
};

/// What a bus does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    AnswersStaleAsDone,
    StoresOneByOne,
    ForgetsKeys,
    HidesGap,
    HandsOutTwice,
    HandsOutBackwards,
    LetsTwoAttach,
    ForgetsCrash,
    ShortPages,
    MixesUsers,
    LosesUsage,
    DropsAudit,
    LatePendingOnly,
    UnholdsTrees,
    ReservesNothing,
    ForgetsReservations,
    HidesThatItResumes,
}

#[derive(Debug, Clone)]
struct Broken {
    bus: MemoryBus,
    fault: Fault,
    again: Arc<Mutex<Vec<Delivery>>>,
}

impl Broken {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn again(&self) -> MutexGuard<'_, Vec<Delivery>> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the fault does to a command on its way.
    fn bend(&self, mut command: Command) -> Command {
        match &mut command {
            Command::Append(append) if self.is(Fault::ForgetsKeys) => {
                Arc::make_mut(append).entries.iter_mut().for_each(|entry| entry.key = None);
            }
            Command::Append(append) if self.is(Fault::DropsAudit) => Arc::make_mut(append).audit.clear(),
            Command::Audit(records) if self.is(Fault::DropsAudit) => records.clear(),
            Command::Append(append) if self.is(Fault::ReservesNothing) => {
                Arc::make_mut(append).entries.iter_mut().for_each(|entry| reserve_nothing(&mut entry.place));
            }
            Command::Route(route) if self.is(Fault::ReservesNothing) => reserve_nothing(&mut route.place),
            Command::Settle(settlement) if self.is(Fault::ForgetsReservations) => {
                Arc::make_mut(settlement).delivery.reserve.clear();
            }
            Command::Settle(settlement) if self.is(Fault::LosesUsage) => {
                Arc::make_mut(settlement).usage.clear()
            }
            _ => {}
        }
        command
    }
}

fn reserve_nothing(place: &mut Place) {
    if let Place::Routed(new) = place {
        new.iter_mut().for_each(|one| one.reserve.clear());
    }
}

#[vextir::async_trait]
impl EventBus for Broken {
    fn status(&self) -> watch::Receiver<BusStatus> {
        self.bus.status()
    }

    fn chores(&self) -> watch::Receiver<Chores> {
        self.bus.chores()
    }

    fn incarnation(&self) -> u64 {
        self.bus.incarnation()
    }

    fn is_durable(&self) -> bool {
        false
    }

    async fn commit(&self, command: Command) -> Result<Receipt> {
        let command = self.bend(command);
        if let (true, Command::Append(append)) = (self.is(Fault::StoresOneByOne), &command) {
            for entry in &append.entries {
                self.bus.commit(Command::append(vec![entry.clone()])).await?;
            }
        }
        match self.bus.commit(command).await {
            Err(error) if error.kind() == ErrorKind::Stale && self.is(Fault::AnswersStaleAsDone) => {
                Ok(Receipt::default())
            }
            Ok(mut receipt) if self.is(Fault::HidesThatItResumes) => {
                receipt.resumed = false;
                Ok(receipt)
            }
            answer => answer,
        }
    }

    async fn read(&self, after: Sequence, filter: &EventFilter, limit: usize) -> Result<Page> {
        match self.bus.read(after, filter, limit).await {
            Err(error) if error.kind() == ErrorKind::Gap && self.is(Fault::HidesGap) => Ok(Page::default()),
            answer => answer,
        }
    }

    async fn find(&self, user: &Name, id: &EventId) -> Result<Option<Logged>> {
        if self.is(Fault::MixesUsers) {
            let all = self.bus.read(0, &EventFilter::all(), 1_000).await?.events;
            return Ok(all.into_iter().find(|logged| logged.event.id == *id));
        }
        self.bus.find(user, id).await
    }

    async fn lease(&self, user: &Name, root: &EventId) -> Result<Option<Lease>> {
        let mut lease = self.bus.lease(user, root).await?;
        if let (true, Some(lease)) = (self.is(Fault::UnholdsTrees), &mut lease) {
            lease.state = LeaseState::Active;
        }
        Ok(lease)
    }

    async fn attach(&self) -> Result<Attachment> {
        match self.bus.attach().await {
            Err(_) if self.is(Fault::LetsTwoAttach) => Ok(Attachment::default()),
            Ok(found) if self.is(Fault::ForgetsCrash) => {
                Ok(Attachment::new(false, found.alone, found.drivers))
            }
            answer => answer,
        }
    }

    async fn detach(&self) -> Result<()> {
        self.bus.detach().await
    }

    fn abandon(&self) {
        self.bus.abandon();
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        let twice = std::mem::take(&mut *self.again());
        if !twice.is_empty() {
            return Ok(twice);
        }
        let mut received = self.bus.receive(max).await?;
        match self.fault {
            Fault::HandsOutTwice => self.again().push(received[0].clone()),
            Fault::HandsOutBackwards => received.reverse(),
            _ => {}
        }
        Ok(received)
    }

    async fn pending(&self, after: Position, limit: usize) -> Result<Vec<Delivery>> {
        let limit = if self.is(Fault::ShortPages) { limit.min(500) } else { limit };
        let mut pending = self.bus.pending(after, limit).await?;
        if self.is(Fault::LatePendingOnly) {
            pending.retain(|delivery| delivery.attempt == 0);
        }
        Ok(pending)
    }

    async fn unclaimed(&self) -> Result<BTreeMap<Name, usize>> {
        self.bus.unclaimed().await
    }

    async fn unclaimed_of(&self, driver: &Name, after: Position, limit: usize) -> Result<Vec<Delivery>> {
        self.bus.unclaimed_of(driver, after, limit).await
    }

    async fn unrouted(&self, limit: usize) -> Result<Vec<Logged>> {
        self.bus.unrouted(limit).await
    }

    async fn parked(&self, hold: Hold, limit: usize) -> Result<Vec<Parked>> {
        self.bus.parked(hold, limit).await
    }

    async fn held(&self, which: &Held, limit: usize) -> Result<Vec<Parked>> {
        self.bus.held(which, limit).await
    }

    async fn dead_letters(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>> {
        self.bus.dead_letters(after, limit).await
    }

    async fn audit(&self, after: u64, limit: usize) -> Result<Vec<(u64, AuditRecord)>> {
        self.bus.audit(after, limit).await
    }

    async fn checkpoints(&self, driver: &Name, after: &str, limit: usize) -> Result<Vec<Checkpoint>> {
        self.bus.checkpoints(driver, after, limit).await
    }
}

async fn found(fault: Fault) -> BTreeSet<&'static str> {
    let make = || async move { Broken { bus: MemoryBus::new(), fault, again: Arc::default() } };
    let broken = conformance::run(make).await.err().unwrap_or_default();
    broken.iter().map(conformance::Broken::property).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_promise_is_found() {
    let faults = [
        (Fault::AnswersStaleAsDone, "a_delivery_is_settled_once"),
        (Fault::StoresOneByOne, "a_command_is_applied_whole_or_not_at_all"),
        (Fault::ForgetsKeys, "an_emitters_key_names_one_event"),
        (Fault::HandsOutTwice, "deliveries_are_received_once_and_in_order"),
        (Fault::HandsOutBackwards, "deliveries_are_received_once_and_in_order"),
        (Fault::LetsTwoAttach, "one_processor_at_a_time"),
        (Fault::ForgetsCrash, "an_abandoned_bus_is_free"),
        (Fault::ShortPages, "a_listing_is_short_only_at_its_end"),
        (Fault::MixesUsers, "a_foreign_id_belongs_to_its_user"),
        (Fault::LosesUsage, "success_is_one_commit"),
        (Fault::DropsAudit, "audit_is_kept_in_order"),
        (Fault::LatePendingOnly, "a_delivery_keeps_its_failed_attempts"),
        (Fault::UnholdsTrees, "a_tree_at_its_limit_is_held_and_says_so_once"),
        (Fault::ReservesNothing, "a_reservation_counts_until_its_delivery_is_over"),
        (Fault::ReservesNothing, "an_event_that_is_routed_later_reserves_then"),
        (Fault::ForgetsReservations, "whatever_ends_a_delivery_gives_back"),
        (Fault::HidesThatItResumes, "a_tree_that_cannot_pay_is_held_until_it_can"),
    ];
    for (fault, property) in faults {
        let found = found(fault).await;
        assert!(found.contains(property), "{fault:?}: {found:?}");
    }
}

#[tokio::test]
async fn a_bus_that_hides_what_retention_removed_is_found() {
    struct Forgetful(Broken);

    #[vextir::async_trait]
    impl conformance::BusUnderTest for Forgetful {
        fn bus(&self) -> Arc<dyn EventBus> {
            Arc::new(self.0.clone())
        }

        async fn forgetful(&self) -> Option<Self> {
            Some(Self(self.0.clone()))
        }
    }

    let broken = Broken { bus: crate::forgetting(100), fault: Fault::HidesGap, again: Arc::default() };
    assert!(conformance::retention_is_a_gap_and_not_silence(Forgetful(broken)).await.is_err());
}

#[tokio::test]
async fn a_bus_that_forgets_a_reservation_is_found() {
    struct Reopened(Broken);

    #[vextir::async_trait]
    impl conformance::BusUnderTest for Reopened {
        fn bus(&self) -> Arc<dyn EventBus> {
            Arc::new(self.0.clone())
        }

        async fn reopen(self) -> Option<Self> {
            Some(self)
        }
    }

    let broken = Broken { bus: MemoryBus::new(), fault: Fault::ForgetsReservations, again: Arc::default() };
    assert!(conformance::a_reservation_survives(Reopened(broken)).await.is_err());
}
