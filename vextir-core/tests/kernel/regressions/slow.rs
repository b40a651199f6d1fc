//! A bus whose answers to some commands come late, or are failures.

use super::*;
use std::collections::BTreeMap;
use vextir::bus::Held;

/// A bus whose answers may come late, as they do from a writer thread, that counts reads of the backlog, and that
/// refuses acts of the operator when it has taken as many as it may.
#[derive(Debug, Clone)]
pub(super) struct Slow {
    inner: MemoryBus,
    late: fn(&Command) -> bool,
    refused: fn(&Command) -> Option<ErrorKind>,
    /// How long an answer to `attach` takes, and whether `detach` fails.
    attaching: Duration,
    /// How long a listing of the dead letters takes.
    listing: Duration,
    stays: bool,
    pub(super) reads: Arc<AtomicUsize>,
    pub(super) acts: Arc<AtomicUsize>,
}

impl Slow {
    pub(super) fn new(inner: MemoryBus, late: fn(&Command) -> bool) -> Self {
        Self {
            inner,
            late,
            refused: |_| None,
            attaching: Duration::ZERO,
            listing: Duration::ZERO,
            stays: false,
            reads: Arc::default(),
            acts: Arc::new(AtomicUsize::new(usize::MAX)),
        }
    }

    /// Fails some commands.
    pub(super) fn refusing(self, refused: fn(&Command) -> Option<ErrorKind>) -> Self {
        Self { refused, ..self }
    }

    /// Answers late that a processor is attached.
    pub(super) fn attaching(self, attaching: Duration) -> Self {
        Self { attaching, ..self }
    }

    /// Tells late what the dead letters were.
    pub(super) fn listing(self, listing: Duration) -> Self {
        Self { listing, ..self }
    }

    /// Cannot detach.
    pub(super) fn staying(self) -> Self {
        Self { stays: true, ..self }
    }

    /// A bus that takes so many acts of the operator (releases, extensions, cancels) and fails from then on.
    pub(super) fn failing(inner: MemoryBus, after: usize) -> Self {
        let bus = Self::new(inner, |_| false);
        bus.acts.store(after, Ordering::SeqCst);
        bus
    }

    pub(super) fn builder(&self) -> vextir::ProcessorBuilder {
        let bus: Arc<dyn EventBus> = Arc::new(self.clone());
        Processor::builder(bus)
    }
}

#[vextir::async_trait]
impl EventBus for Slow {
    fn status(&self) -> tokio::sync::watch::Receiver<BusStatus> {
        self.inner.status()
    }
    fn chores(&self) -> tokio::sync::watch::Receiver<Chores> {
        self.inner.chores()
    }
    fn incarnation(&self) -> u64 {
        self.inner.incarnation()
    }
    fn is_durable(&self) -> bool {
        false
    }
    async fn commit(&self, command: Command) -> Result<Receipt> {
        if let Some(kind) = (self.refused)(&command) {
            return Err(Error::new(kind, "refused by the test"));
        }
        if matches!(command, Command::Release(_) | Command::Extend { .. } | Command::Cancel { .. }) {
            let left = self.acts.load(Ordering::SeqCst);
            self.acts.store(left.saturating_sub(1), Ordering::SeqCst);
            if left == 0 {
                return Err(vextir::Error::new(ErrorKind::Unavailable, "the disk is gone"));
            }
        }
        let late = (self.late)(&command);
        let receipt = self.inner.commit(command).await;
        if late {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        receipt
    }
    async fn read(&self, after: Sequence, filter: &EventFilter, limit: usize) -> Result<Page> {
        self.inner.read(after, filter, limit).await
    }
    async fn find(&self, user: &Name, id: &EventId) -> Result<Option<Logged>> {
        self.inner.find(user, id).await
    }
    async fn lease(&self, user: &Name, root: &EventId) -> Result<Option<Lease>> {
        EventBus::lease(&self.inner, user, root).await
    }
    async fn attach(&self) -> Result<Attachment> {
        let found = self.inner.attach().await;
        tokio::time::sleep(self.attaching).await;
        found
    }
    async fn detach(&self) -> Result<()> {
        if self.stays {
            return Err(Error::new(ErrorKind::Unavailable, "the disk is full"));
        }
        self.inner.detach().await
    }
    fn abandon(&self) {
        self.inner.abandon();
    }
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        self.inner.receive(max).await
    }
    async fn pending(&self, after: Position, limit: usize) -> Result<Vec<Delivery>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.pending(after, limit).await
    }
    async fn unclaimed(&self) -> Result<BTreeMap<Name, usize>> {
        self.inner.unclaimed().await
    }

    async fn unclaimed_of(&self, driver: &Name, after: Position, limit: usize) -> Result<Vec<Delivery>> {
        self.inner.unclaimed_of(driver, after, limit).await
    }

    async fn unrouted(&self, limit: usize) -> Result<Vec<Logged>> {
        self.inner.unrouted(limit).await
    }
    async fn parked(&self, hold: Hold, limit: usize) -> Result<Vec<Parked>> {
        self.inner.parked(hold, limit).await
    }
    async fn held(&self, which: &Held, limit: usize) -> Result<Vec<Parked>> {
        self.inner.held(which, limit).await
    }

    async fn dead_letters(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>> {
        let letters = self.inner.dead_letters(after, limit).await;
        tokio::time::sleep(self.listing).await;
        letters
    }
    async fn audit(&self, after: u64, limit: usize) -> Result<Vec<(u64, AuditRecord)>> {
        self.inner.audit(after, limit).await
    }
    async fn checkpoints(&self, driver: &Name, after: &str, limit: usize) -> Result<Vec<Checkpoint>> {
        self.inner.checkpoints(driver, after, limit).await
    }
}
