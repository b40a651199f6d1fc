//! Who waits for what an event causes.

use super::Kernel;
use super::emit::{Emission, EmitOptions, first};
use crate::bus::{Appended, Held, Hold, Outcome, Receipt, Settlement, Tree};
use crate::{
    Error, ErrorKind, Event, EventFilter, EventId, IntoEvent, LeaseState, Name, Origin, Payload, Result,
    Sequence,
};
use foldhash::HashMap;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long a request waits when nobody says otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// How many events of a tree are read at once when looking back.
const PAGE: usize = 256;

/// Requests by the root whose tree they watch. Costs one load while nobody waits.
#[derive(Default)]
pub(super) struct Waiters {
    count: AtomicUsize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// By user and root of the tree.
    by_tree: HashMap<(Name, EventId), Vec<Arc<Inbox>>>,
    /// The processor has stopped: nobody is told anything any more.
    closed: bool,
}

/// Where somebody is told about a tree.
#[derive(Default)]
struct Inbox {
    news: Mutex<News>,
    wake: Notify,
}

/// What happened in a tree since its waiter looked last. Bounded by the tree's own event limit: each event of it
/// is told once.
#[derive(Default)]
struct News {
    told: VecDeque<Told>,
    /// Its ledger, as far as anybody knows.
    tree: Option<Tree>,
    closed: bool,
}

enum Told {
    Event(Event),
    Failed(Error),
}

impl Inbox {
    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a look finds what it looks for.
    async fn wait_for<T>(&self, mut look: impl FnMut(&mut News) -> Option<Result<T>>) -> Result<T> {
        loop {
            {
                let mut news = self.news();
                if let Some(found) = look(&mut news) {
                    return found;
                }
                if news.closed {
                    return Err(super::closed());
                }
            }
            self.wake.notified().await;
        }
    }
}

impl News {
    fn tell_tree(&mut self, tree: Option<Tree>) {
        if let Some(tree) = tree {
            self.tree = Some(newer(self.tree, tree));
        }
    }
}

impl Waiters {
    fn map(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, tree: (Name, EventId)) -> Arc<Inbox> {
        let inbox = Arc::new(Inbox::default());
        let mut waiting = self.map();
        inbox.news().closed = waiting.closed;
        waiting.by_tree.entry(tree).or_default().push(inbox.clone());
        self.count.fetch_add(1, Ordering::Release);
        inbox
    }

    fn tell(&self, tree: impl FnOnce() -> (Name, EventId), tell: impl Fn(&mut News)) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        if let Some(inboxes) = self.map().by_tree.get(&tree()) {
            for inbox in inboxes {
                tell(&mut inbox.news());
                inbox.wake.notify_one();
            }
        }
    }

    /// An event of the tree appeared, or its ledger changed.
    pub(super) fn progress(&self, user: &Name, root: &EventId, event: Option<&Event>, receipt: &Receipt) {
        self.tell(
            || (user.clone(), root.clone()),
            |news| {
                news.told.extend(event.cloned().map(Told::Event));
                news.tell_tree(receipt.tree);
            },
        );
    }

    /// Ends every wait: the processor stops.
    pub(super) fn close(&self) {
        let mut waiting = self.map();
        waiting.closed = true;
        for inbox in waiting.by_tree.values().flatten() {
            inbox.news().closed = true;
            inbox.wake.notify_one();
        }
    }
}

/// Ends a wait, however it ends.
struct Wait<'a> {
    waiters: &'a Waiters,
    tree: (Name, EventId),
    inbox: Arc<Inbox>,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut waiting = self.waiters.map();
        if let Some(inboxes) = waiting.by_tree.get_mut(&self.tree) {
            let before = inboxes.len();
            inboxes.retain(|inbox| !Arc::ptr_eq(inbox, &self.inbox));
            self.waiters.count.fetch_sub(before - inboxes.len(), Ordering::Release);
            if inboxes.is_empty() {
                waiting.by_tree.remove(&self.tree);
            }
        }
    }
}

impl Kernel {
    /// Ends the loops, and who waits for what they bring.
    pub(super) fn halt(&self) {
        self.stop.cancel();
        self.waiters.close();
    }

    /// Tells who waits what a settlement brought.
    pub(super) fn announce(&self, settlement: &Settlement, receipt: &Receipt) {
        let logged = |event: &Event| {
            let mut stored = receipt.appended.iter().chain(&receipt.outputs);
            stored.any(|appended| appended.id == event.id && !appended.parked)
        };
        self.waiters.tell(
            || settlement.delivery.event.tree(),
            |news| {
                if !receipt.dropped
                    && let Outcome::Done { outputs, .. } | Outcome::Dead { outputs, .. } = &settlement.outcome
                {
                    let outputs = outputs.iter().map(|entry| &entry.event).filter(|event| logged(event));
                    news.told.extend(outputs.cloned().map(Told::Event));
                }
                if !receipt.dropped
                    && let Outcome::Dead { reason, .. } = &settlement.outcome
                {
                    let text = format!("{}: {reason}", settlement.delivery.driver);
                    news.told.push_back(Told::Failed(Error::new(ErrorKind::Failed, text)));
                }
                news.told.extend(receipt.notices.iter().cloned().map(Told::Event));
                // A tree that goes on by itself waits for nobody.
                news.tell_tree(receipt.tree.filter(|_| !receipt.resumed));
            },
        );
    }

    /// Tells of deliveries that ended in other trees than the one that a command was about.
    pub(super) fn tell_others(&self, receipt: &Receipt) {
        for (user, root, tree) in &receipt.others {
            let tell = |news: &mut News| news.tell_tree(Some(*tree));
            self.waiters.tell(|| (user.clone(), root.clone()), tell);
        }
    }

    /// Emits, and begins to watch the tree before its first event is committed.
    async fn emit_and_watch(
        self: &Arc<Self>,
        origin: Origin,
        event: impl IntoEvent,
    ) -> Result<(Wait<'_>, Watched)> {
        let mut emission = Emission::of(event, EmitOptions::default())?;
        let envelope = emission.event.edit();
        if envelope.id.is_unset() {
            envelope.id = self.ids.next(self.clock.now());
            emission.minted = true;
        }
        if envelope.user_id.is_empty() {
            envelope.user_id = origin.user().cloned().unwrap_or(Name::literal(crate::LOCAL_USER));
        }
        // As accept will see it: what comes from outside is a root.
        envelope.root_id = None;
        let (user, root) = emission.event.tree();
        let tree = (user.clone(), root.clone());
        let waiting = Wait { waiters: &self.waiters, inbox: self.waiters.add(tree.clone()), tree };
        let receipt = self.emit(origin, vec![emission], Vec::new(), true).await?;
        let mut tree = receipt.tree.filter(|_| !receipt.resumed);
        let Appended { sequence, fresh, parked, .. } = first(receipt)?;
        if !fresh {
            // It was emitted before: its tree may be at work, or over.
            tree = self.bus.lease(&user, &root).await?.as_ref().map(Tree::from);
        }
        waiting.inbox.news().tell_tree(tree);
        Ok((waiting, Watched { user, root, sequence, parked }))
    }

    pub(super) async fn request<R: Payload>(
        self: &Arc<Self>,
        origin: Origin,
        event: impl IntoEvent,
        limit: Duration,
    ) -> Result<R> {
        let work = async {
            let (waiting, watched) = self.emit_and_watch(origin, event).await?;
            let mut answered = answer::<R>(&waiting.inbox, watched.parked).await;
            while answered.as_ref().is_err_and(|error| error.kind() == ErrorKind::Held)
                && self.goes_on(&waiting, &watched).await?
            {
                answered = answer::<R>(&waiting.inbox, watched.parked).await;
            }
            match answered {
                Ok(answer) => Ok(answer),
                Err(error) if error.kind() == ErrorKind::Closed => Err(error),
                // Workers tell after their commits: the log has the last word.
                Err(error) => match self.look_back::<R>(&watched).await? {
                    Some(answer) => answer.decode(),
                    None => Err(error),
                },
            }
        };
        tokio::select! {
            answer = work => answer,
            () = self.clock.sleep(limit) => Err(Error::new(
                ErrorKind::Timeout,
                format!("no {} within {}; the work goes on", R::TYPE, humantime::format_duration(limit)),
            )),
        }
    }

    /// The first event of a type that a root caused.
    async fn look_back<R: Payload>(&self, watched: &Watched) -> Result<Option<Event>> {
        let filter = EventFilter::try_from(R::TYPE)?;
        Ok(self.caused(watched, filter, 1).await?.into_iter().next())
    }

    /// Emits, waits until nothing of the tree runs any more, and returns what it caused.
    pub(super) async fn process(
        self: &Arc<Self>,
        origin: Origin,
        event: impl IntoEvent,
    ) -> Result<Vec<Event>> {
        let (waiting, watched) = self.emit_and_watch(origin, event).await?;
        let is_over = |news: &mut News| news.tree.is_none_or(|tree| tree.open == 0).then_some(Ok(()));
        waiting.inbox.wait_for(is_over).await?;
        while self.goes_on(&waiting, &watched).await? {
            waiting.inbox.wait_for(is_over).await?;
        }
        if watched.parked {
            return Ok(Vec::new());
        }
        self.caused(&watched, EventFilter::all(), usize::MAX).await
    }

    /// Whether a tree of which nothing runs goes on by itself: it is active, so what waits for its lease is on its way.
    /// Then its next news is waited for.
    async fn goes_on(&self, waiting: &Wait<'_>, watched: &Watched) -> Result<bool> {
        let seen = waiting.inbox.news().tree;
        let rests = |tree: &Tree| tree.state == LeaseState::Active && tree.open == 0 && tree.parked > 0;
        let Some(tree) = seen.filter(rests) else { return Ok(false) };
        let held = Held::Tree(watched.user.clone(), watched.root.clone());
        let waits = self.bus.held(&held, usize::MAX >> 1).await?;
        let lease = self.bus.lease(&watched.user, &watched.root).await?;
        if !waits.iter().any(|parked| parked.hold == Hold::Lease)
            || lease.is_none_or(|lease| lease.state != LeaseState::Active)
        {
            return Ok(false);
        }
        let mut news = waiting.inbox.news();
        if news.tree == seen {
            news.tree = Some(Tree { open: 1, ..tree });
        }
        Ok(true)
    }

    /// What of a filter a root caused, in log order.
    async fn caused(&self, watched: &Watched, filter: EventFilter, most: usize) -> Result<Vec<Event>> {
        let filter = filter.root(watched.root.clone()).user(watched.user.clone());
        let (mut after, mut caused) = (watched.sequence, Vec::new());
        loop {
            let page = self.bus.read(after, &filter, PAGE.min(most)).await?;
            caused.extend(page.events.into_iter().map(|logged| logged.event));
            if page.at_head || caused.len() >= most {
                return Ok(caused);
            }
            after = page.next;
        }
    }
}

/// The tree that somebody waits for.
struct Watched {
    user: Name,
    root: EventId,
    /// Where its root stands in the log.
    sequence: Sequence,
    /// The root itself waits: delayed or held.
    parked: bool,
}

/// The first `R` that a tree brings; `parked`: its root itself waits.
async fn answer<R: Payload>(inbox: &Inbox, parked: bool) -> Result<R> {
    let mut failure = None;
    inbox
        .wait_for(|news| {
            // What was told comes before what the ledger says.
            while let Some(told) = news.told.pop_front() {
                match told {
                    Told::Event(event) if event.event_type == R::TYPE => return Some(event.decode()),
                    Told::Event(_) => {}
                    Told::Failed(error) => failure = Some(error),
                }
            }
            match news.tree {
                Some(tree) => end_of(tree, R::TYPE, &mut failure).err().map(Err),
                None if parked => Some(Err(held())),
                None => Some(Err(no_answer(R::TYPE))),
            }
        })
        .await
}

/// Workers tell in any order; the ledger's own order is that of its last event, then of what is settled.
fn newer(old: Option<Tree>, new: Tree) -> Tree {
    let over = |tree: Tree| tree.state == LeaseState::Cancelled;
    let order = |tree: Tree| (over(tree), tree.last, std::cmp::Reverse(tree.open));
    match old {
        Some(old) if order(old) > order(new) => old,
        _ => new,
    }
}

/// Whether a tree's ledger ends the wait.
fn end_of(tree: Tree, wanted: &str, failure: &mut Option<Error>) -> Result<()> {
    match tree.state {
        LeaseState::Cancelled => return Err(Error::new(ErrorKind::Cancelled, "the work was cancelled")),
        LeaseState::Held if tree.open == 0 => return Err(held()),
        _ => {}
    }
    if tree.open > 0 {
        return Ok(());
    }
    if let Some(failure) = failure.take() {
        return Err(failure);
    }
    Err(if tree.parked > 0 { held() } else { no_answer(wanted) })
}

fn held() -> Error {
    Error::new(ErrorKind::Held, "it waits: for a person's decision, more budget, or its time")
}

fn no_answer(wanted: &str) -> Error {
    Error::new(ErrorKind::NoAnswer, format!("everything that the event caused has ended, without a {wanted}"))
}
