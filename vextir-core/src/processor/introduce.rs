//! A driver comes: made known to the log, and, `from_start`, given what the log already has, each event once.
//!
//! Its queue stays closed until then, so that each delivery made for it so far is still there to be seen. An
//! event that is routed while the driver comes is routed either by the old table, and found in the log when
//! everything routed by it has landed, or by the new one, and found among the deliveries.

use super::authorize::{Ruling, audit_of};
use super::held::ended;
use super::registry::{Registered, with_driver};
use super::route::RouteTable;
use super::shutdown::GRACE;
use super::{Kernel, Processor, closed};
use crate::bus::{Checkpoint, Command, Delivery, Logged, Place, Route, first_left};
use crate::{
    Data, Driver, Emitter, Error, ErrorKind, EventFilter, Name, Origin, Provenance, Result, Sequence, Verdict,
};
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use tokio_util::sync::CancellationToken;

const BATCH: usize = 1_024;
/// No limit on a listing.
const ALL: usize = usize::MAX >> 1;

impl Processor {
    /// Adds a driver while the processor runs. It gets events from now on (or from the start of the log, if
    /// its manifest says so and this log has not seen it before; this then waits for events that are on their
    /// way into the log).
    ///
    /// # Errors
    /// `Invalid`: its manifest. `Conflict`: its id is taken. What its `start` says.
    pub async fn register(&self, driver: impl Driver) -> Result<()> {
        self.add(Arc::new(driver), Provenance::Application).await
    }

    /// As [`Processor::register`], for a driver from a pack or a document.
    ///
    /// # Errors
    /// As [`Processor::register`].
    pub async fn register_installed(&self, driver: impl Driver) -> Result<()> {
        self.add(Arc::new(driver), Provenance::Installed).await
    }

    /// In a task of its own: who gives up waiting does not leave a driver that is half there.
    async fn add(&self, driver: Arc<dyn Driver>, provenance: Provenance) -> Result<()> {
        let kernel = self.kernel.clone();
        ended(tokio::spawn(async move { kernel.add(driver, provenance).await })).await
    }
}

impl Kernel {
    async fn add(self: &Arc<Self>, driver: Arc<dyn Driver>, provenance: Provenance) -> Result<()> {
        let _one_at_a_time = self.registering.lock().await;
        if self.closing.load(Ordering::Acquire) {
            return Err(closed());
        }
        let new = Arc::new(Registered::new(driver, provenance, self.room)?);
        let before = self.routes().drivers().to_vec();
        let with_it = with_driver(&before, new.clone())?;
        self.start_driver(&new, true).await?;
        if let Err(error) = self.come(&new, with_it).await {
            self.set_drivers(before);
            new.lane().set_closed(true);
            self.put_back(&new).await;
            self.stop_drivers(&[new], GRACE).await;
            return Err(error);
        }
        self.catch_up_now(&new).await;
        Ok(())
    }

    /// From its start to its first event.
    async fn come(&self, new: &Arc<Registered>, with_it: Vec<Arc<Registered>>) -> Result<()> {
        self.claim(&new.id).await?;
        self.bring_in(new, with_it).await?;
        // A shutdown meanwhile may have stopped the others already.
        if self.stop.is_cancelled() { Err(closed()) } else { Ok(()) }
    }

    /// What a driver that does not come was given meanwhile waits for it.
    async fn put_back(&self, driver: &Registered) {
        if self.stop.is_cancelled() {
            return;
        }
        let put_back = async {
            let given = self.given(driver).await?;
            self.unclaim(given.into_iter().map(|one| (one.driver, one.position)).collect()).await
        };
        if let Err(error) = put_back.await {
            tracing::error!(%error, driver = %driver.id, "its deliveries stay in the backlog until the next start");
        }
    }

    async fn bring_in(&self, new: &Arc<Registered>, with_it: Vec<Arc<Registered>>) -> Result<()> {
        let past = self.is_for_the_past(new);
        // Most of it before new events come, so that they come behind it.
        let after = if past { self.route_past(new, self.past(new).await?).await? } else { 0 };
        let landed = {
            let _nobody_takes_letters = self.letters.lock().await;
            self.block_dead_keys(new).await?;
            self.remember_flow(new).await?;
            self.set_drivers(with_it)
        };
        if past {
            self.stop.run_until_cancelled(landed.cancelled()).await.ok_or_else(closed)?;
            self.route_past(new, after).await?;
        }
        self.know(new).await
    }

    /// Routes by another list from now on; what comes back tells when nothing is routed by the old one any more.
    fn set_drivers(&self, list: Vec<Arc<Registered>>) -> CancellationToken {
        let table = Arc::new(RouteTable::new(list));
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *routes, table).landed()
    }

    /// Introduces a driver before any work begins.
    pub(super) async fn introduce(&self, driver: &Arc<Registered>) -> Result<()> {
        self.claim(&driver.id).await?;
        if self.is_for_the_past(driver) {
            self.route_past(driver, self.past(driver).await?).await?;
        }
        self.know(driver).await
    }

    /// `works`: others work already, so what it emits meanwhile may wait for room.
    pub(super) async fn start_driver(self: &Arc<Self>, driver: &Arc<Registered>, works: bool) -> Result<()> {
        let inlet = Arc::new(super::emit::WatcherInlet::new(self, works));
        let emitter = Emitter::new(driver.id.clone(), inlet.clone(), self.clock.clone(), self.stop.clone());
        let failed = |error: Error| error.context(format!("driver {} does not start", driver.id));
        driver.driver.start(emitter).await.map_err(failed)?;
        inlet.started();
        Ok(())
    }

    /// Whether a driver is new to the log and wants the log's events.
    fn is_for_the_past(&self, driver: &Registered) -> bool {
        driver.manifest.from_start && !super::recover::lock(&self.known).contains(&driver.id)
    }

    /// Makes a driver known to the log, and opens its queue.
    async fn know(&self, driver: &Registered) -> Result<()> {
        let version = driver.manifest.version.clone();
        self.bus.commit(Command::Know(driver.id.clone(), version)).await?;
        super::recover::lock(&self.known).insert(driver.id.clone());
        driver.lane().set_closed(false);
        Ok(())
    }

    /// How far a crash let the driver come on its way through the log.
    async fn past(&self, driver: &Registered) -> Result<Sequence> {
        let (kernel, key) = past_key(driver);
        let notes = self.bus.checkpoints(&kernel, "from_start/", ALL).await?;
        let note = notes.into_iter().find(|note| note.key == key).and_then(|note| note.value);
        Ok(note.and_then(|value| value.decode::<Sequence>().ok()).unwrap_or(0))
    }

    /// Gives a driver the log's events after `after` that it has not been given; says how far that went.
    async fn route_past(&self, driver: &Arc<Registered>, mut after: Sequence) -> Result<Sequence> {
        let alone = RouteTable::new(vec![driver.clone()]);
        let end = self.bus.status().borrow().head;
        // Those are routed with everything else that waits.
        let mut elsewhere: HashSet<Sequence> =
            self.bus.unrouted(ALL).await?.iter().map(|logged| logged.sequence).collect();
        elsewhere.extend(self.given(driver).await?.iter().map(|one| one.sequence));
        while after < end {
            let page = match self.bus.read(after, &EventFilter::all(), BATCH).await {
                Err(error) if error.kind() == ErrorKind::Gap => {
                    after = first_left(&*self.bus).await?;
                    continue;
                }
                page => page?,
            };
            for logged in page.events.into_iter().take_while(|logged| logged.sequence <= end) {
                if !elsewhere.contains(&logged.sequence) {
                    self.give(driver, &alone, logged).await?;
                }
            }
            after = page.next.max(after + 1);
        }
        Ok(after.min(end))
    }

    /// A driver's open deliveries.
    async fn given(&self, driver: &Registered) -> Result<Vec<Delivery>> {
        let (mut after, mut given) = (0, Vec::new());
        loop {
            let page = self.bus.pending(after, BATCH).await?;
            given.extend(page.iter().filter(|one| one.driver == driver.id).cloned());
            match page.last() {
                Some(last) if page.len() == BATCH => after = last.position,
                _ => return Ok(given),
            }
        }
    }

    /// Gives a driver, which is the only one of the table, an event of the log, if it wants it and may have it.
    async fn give(&self, driver: &Registered, alone: &RouteTable, logged: Logged) -> Result<()> {
        let Logged { sequence, event, .. } = logged;
        let own = alone.targets(&event.event_type);
        if own.is_empty() {
            return Ok(());
        }
        let origin = Origin::User(event.user_id.clone());
        let Ruling { verdict, targets } = self.authorize(&event, &origin, own, false).await;
        let audit = audit_of(&event, &verdict).into_iter().collect();
        let place = match verdict {
            // What is held or denied today is not done for the past.
            Verdict::Hold(_) | Verdict::Deny(_) => Place::Routed(Vec::new()),
            verdict => self.route(&event, &verdict, &targets),
        };
        let (kernel, key) = past_key(driver);
        let checkpoint = Some(Checkpoint { driver: kernel, key, value: Some(Data::new(&sequence)?) });
        let limits = self.limits.clone();
        let route = Route { sequence, event, place, audit, limits, waiting: false, checkpoint };
        match self.bus.commit(Command::Route(Box::new(route))).await {
            // Retention has removed it since it was read.
            Err(error) if error.kind() == ErrorKind::Stale => Ok(()),
            Err(error) => Err(error.context(format!("driver {}: routing the past", driver.id))),
            Ok(_) => Ok(()),
        }
    }
}

fn past_key(driver: &Registered) -> (Name, String) {
    (Name::literal(crate::notice::KERNEL), format!("from_start/{}", driver.id))
}
