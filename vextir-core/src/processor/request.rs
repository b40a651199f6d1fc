//! Who waits for what an event causes.

use super::Kernel;
use super::emit::{Emission, EmitOptions, first};
use crate::bus::{Appended, Outcome, Receipt, Settlement, Tree};
use crate::{
    Error, ErrorKind, Event, EventFilter, EventId, IntoEvent, LeaseState, Name, Origin, Payload, Result,
    Sequence,
};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a request waits when nobody says otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// How many events of a tree are read at once when looking back.
const PAGE: usize = 256;

/// By user and root of the tree.
type Waiting = HashMap<(Name, EventId), Vec<mpsc::UnboundedSender<Progress>>>;

/// Requests by the root whose tree they watch. Costs one load while nobody waits.
#[derive(Default)]
pub(super) struct Waiters {
    count: AtomicUsize,
    waiting: Mutex<Waiting>,
}

/// What happened in a tree.
enum Progress {
    Event(Event),
    Failed { driver: String, reason: String },
    Tree(Tree),
}

impl Waiters {
    fn map(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, tree: (Name, EventId)) -> mpsc::UnboundedReceiver<Progress> {
        // Bounded by the tree's own event limit: each event of it is sent once.
        let (send, receive) = mpsc::unbounded_channel();
        self.map().entry(tree).or_default().push(send);
        self.count.fetch_add(1, Ordering::Release);
        receive
    }

    fn tell(&self, tree: impl FnOnce() -> (Name, EventId), news: impl Fn(&mpsc::UnboundedSender<Progress>)) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        if let Some(waiting) = self.map().get(&tree()) {
            waiting.iter().for_each(news);
        }
    }

    /// An event of the tree appeared, or its ledger changed.
    pub(super) fn progress(&self, user: &Name, root: &EventId, event: Option<&Event>, receipt: &Receipt) {
        self.tell(
            || (user.clone(), root.clone()),
            |waiter| {
                event.into_iter().for_each(|event| drop(waiter.send(Progress::Event(event.clone()))));
                receipt.tree.into_iter().for_each(|tree| drop(waiter.send(Progress::Tree(tree))));
            },
        );
    }
}

/// Ends a wait, however it ends.
struct Wait<'a> {
    waiters: &'a Waiters,
    tree: (Name, EventId),
    news: mpsc::UnboundedReceiver<Progress>,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.news.close();
        let mut map = self.waiters.map();
        if let Some(waiting) = map.get_mut(&self.tree) {
            let before = waiting.len();
            waiting.retain(|waiter| !waiter.is_closed());
            self.waiters.count.fetch_sub(before - waiting.len(), Ordering::Release);
            if waiting.is_empty() {
                map.remove(&self.tree);
            }
        }
    }
}

impl Kernel {
    /// Tells who waits what a settlement brought.
    pub(super) fn announce(&self, settlement: &Settlement, receipt: &Receipt) {
        self.waiters.tell(
            || settlement.delivery.event.tree(),
            |waiter| {
                let (Outcome::Done { outputs, .. } | Outcome::Dead { outputs, .. }) = &settlement.outcome
                else {
                    return;
                };
                if receipt.dropped {
                    return;
                }
                let logged = |event: &&crate::bus::Entry| {
                    let mut stored = receipt.appended.iter().chain(&receipt.outputs);
                    stored.any(|appended| appended.id == event.event.id && !appended.parked)
                };
                for entry in outputs.iter().filter(logged) {
                    let _ = waiter.send(Progress::Event(entry.event.clone()));
                }
                if let Outcome::Dead { reason, .. } = &settlement.outcome {
                    let driver = settlement.delivery.driver.to_string();
                    let _ = waiter.send(Progress::Failed { driver, reason: reason.clone() });
                }
            },
        );
        self.waiters.tell(
            || settlement.delivery.event.tree(),
            |waiter| {
                for notice in &receipt.notices {
                    let _ = waiter.send(Progress::Event(notice.clone()));
                }
                if let Some(tree) = receipt.tree {
                    let _ = waiter.send(Progress::Tree(tree));
                }
            },
        );
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
        let (user, root) = emission.event.tree();
        let tree = (user.clone(), root.clone());
        let waiting = Wait { waiters: &self.waiters, news: self.waiters.add(tree.clone()), tree };
        let receipt = self.emit(origin, vec![emission], Vec::new(), true).await?;
        let mut tree = receipt.tree;
        let Appended { sequence, fresh, parked, .. } = first(receipt)?;
        if !fresh {
            // It was emitted before: its tree may be at work, or over.
            tree = self.bus.lease(&user, &root).await?.as_ref().map(Tree::from);
        }
        Ok((waiting, Watched { user, root, sequence, parked, tree }))
    }

    pub(super) async fn request<R: Payload>(
        self: &Arc<Self>,
        origin: Origin,
        event: impl IntoEvent,
        limit: Duration,
    ) -> Result<R> {
        let work = async {
            let (mut waiting, watched) = self.emit_and_watch(origin, event).await?;
            match self.answer::<R>(&mut waiting, &watched).await {
                Ok(answer) => Ok(answer),
                // Workers tell after their commits: the log has the last word.
                Err(error) => match self.look_back::<R>(&watched).await? {
                    Some(answer) => answer.decode(),
                    None => Err(error),
                },
            }
        };
        tokio::select! {
            answer = work => answer,
            () = self.stop.cancelled() => Err(super::closed()),
            () = self.clock.sleep(limit) => Err(Error::new(
                ErrorKind::Timeout,
                format!("no {} within {}; the work goes on", R::TYPE, humantime::format_duration(limit)),
            )),
        }
    }

    async fn answer<R: Payload>(&self, waiting: &mut Wait<'_>, watched: &Watched) -> Result<R> {
        let (mut tree, mut failure) = (watched.tree, None);
        loop {
            // What was told already comes before what the ledger says.
            let news = match waiting.news.try_recv() {
                Ok(news) => news,
                Err(_) => {
                    match tree {
                        Some(tree) => end_of(tree, R::TYPE, &mut failure)?,
                        None if watched.parked => return Err(held()),
                        None => return Err(no_answer(R::TYPE)),
                    }
                    waiting.news.recv().await.ok_or_else(super::closed)?
                }
            };
            match news {
                Progress::Event(event) if event.event_type == R::TYPE => return event.decode(),
                Progress::Event(_) => {}
                Progress::Failed { driver, reason } => {
                    failure = Some(Error::new(ErrorKind::Failed, format!("{driver}: {reason}")));
                }
                Progress::Tree(new) => tree = Some(newer(tree, new)),
            }
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
        let (mut waiting, watched) = self.emit_and_watch(origin, event).await?;
        let mut tree = watched.tree;
        while tree.is_some_and(|tree| tree.open > 0) {
            let news = tokio::select! {
                news = waiting.news.recv() => news.ok_or_else(super::closed)?,
                () = self.stop.cancelled() => return Err(super::closed()),
            };
            if let Progress::Tree(new) = news {
                tree = Some(newer(tree, new));
            }
        }
        if watched.parked {
            return Ok(Vec::new());
        }
        self.caused(&watched, EventFilter::all(), usize::MAX).await
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
    tree: Option<Tree>,
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
