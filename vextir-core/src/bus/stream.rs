//! Subscriptions: a cursor over the log, woken by the bus.

use super::{BusStatus, Cursor, EventBus, Logged, Sequence};
use crate::processor::Observed;
use crate::{Clock, Error, ErrorKind, Event, EventFilter, EventId, Name, Result, SystemClock};
use futures::Stream;
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How many events one read asks for.
const PAGE: usize = 256;

/// Where a subscription begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Start {
    /// With what comes after the call.
    #[default]
    Now,
    /// With the first event that the log still has.
    Beginning,
    /// After an event of the log. Foreign ids are looked up among the events of the filter's user. An event that
    /// retention has removed cannot be told from one that never was ([`ErrorKind::NotFound`]); a cursor can.
    After(EventId),
    /// Where an earlier stream stood.
    At(Cursor),
}

/// Events of the log that pass a filter, in log order; waits for more at the end.
///
/// An item is an error when events were removed by retention before they could be read
/// ([`ErrorKind::Gap`]); the stream then goes on with the first event that is left. A back end's failure is
/// an item too, and the next call tries again. Nothing is skipped silently.
pub struct EventStream {
    bus: Arc<dyn EventBus>,
    filter: Arc<EventFilter>,
    status: watch::Receiver<BusStatus>,
    ready: VecDeque<Logged>,
    /// What was handed out last.
    seen: Sequence,
    /// Where the next read begins.
    next: Sequence,
    read: Option<BoxFuture<'static, Fetched>>,
    /// Ends the wait at the end of the log.
    until: CancellationToken,
    clock: Arc<dyn Clock>,
    /// Its place among those that a processor knows of.
    _observed: Option<Observed>,
    ended: bool,
}

/// What one read brought: the events, and where to go on; `None` when the bus was closed.
type Fetched = Option<Result<(Vec<Logged>, Sequence), (Error, Sequence)>>;

impl EventStream {
    /// Opens a stream over any bus.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an event that is not in the log, [`ErrorKind::Invalid`] for the cursor of
    /// another log, [`ErrorKind::Gap`] for one beyond the end of this one.
    pub async fn open(bus: Arc<dyn EventBus>, filter: EventFilter, start: Start) -> Result<Self> {
        let status = bus.status();
        let from = match start {
            Start::Now => status.borrow().head,
            Start::Beginning => match bus.read(0, &filter, 1).await {
                Err(error) if error.kind() == ErrorKind::Gap => first_left(&*bus).await?,
                _ => 0,
            },
            Start::After(id) => {
                let user = filter.bound_user().cloned().unwrap_or(Name::literal(crate::LOCAL_USER));
                let found = bus
                    .find(&user, &id)
                    .await?
                    .filter(|logged| filter.bound_user().is_none_or(|user| *user == logged.event.user_id));
                let missing = || Error::new(ErrorKind::NotFound, format!("no event {id} in the log"));
                found.ok_or_else(missing)?.sequence
            }
            Start::At(cursor) => {
                let place = cursor.within(bus.incarnation())?;
                // The head may be told a moment after readers see it: the log has the last word.
                let beyond = place > status.borrow().head;
                if beyond && bus.read(place - 1, &EventFilter::all(), 1).await?.events.is_empty() {
                    let lost = "the log ends before the cursor: it was restored from a copy; begin anew with this one";
                    return Err(Error::new(ErrorKind::Gap, lost));
                }
                place
            }
        };
        let filter = Arc::new(filter);
        Ok(Self {
            bus,
            filter,
            status,
            ready: VecDeque::new(),
            seen: from,
            next: from,
            read: None,
            until: CancellationToken::new(),
            clock: Arc::new(SystemClock),
            _observed: None,
            ended: false,
        })
    }

    /// Ends at the end of the log once `stop` is cancelled.
    pub(crate) fn until(self, stop: CancellationToken) -> Self {
        Self { until: stop, ..self }
    }

    /// Keeps its place among the processor's observers.
    pub(crate) fn observing(self, observed: Observed) -> Self {
        Self { _observed: Some(observed), ..self }
    }

    /// Waits on this clock.
    pub(crate) fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// As [`EventStream::next`], but waits `limit` at most (on the processor's clock, where one gave the
    /// stream): an error of the kind [`ErrorKind::Timeout`] then says that nothing came. Nothing is lost by
    /// that; the next call waits on.
    pub async fn next_within(&mut self, limit: Duration) -> Option<Result<Event>> {
        let clock = self.clock.clone();
        tokio::select! {
            biased;
            next = self.next() => next,
            () = clock.sleep(limit) => Some(Err(Error::new(
                ErrorKind::Timeout,
                format!("no event within {}", humantime::format_duration(limit)),
            ))),
        }
    }

    /// The next event. `None` when the bus was closed, or the processor that gave the stream has stopped and
    /// everything in the log was read.
    #[allow(clippy::should_implement_trait, reason = "it is async; the Stream implementation is beside it")]
    pub async fn next(&mut self) -> Option<Result<Event>> {
        std::future::poll_fn(|cx| self.poll_logged(cx)).await.map(|item| item.map(|logged| logged.event))
    }

    /// The next event with its place in the log.
    pub async fn next_logged(&mut self) -> Option<Result<Logged>> {
        std::future::poll_fn(|cx| self.poll_logged(cx)).await
    }

    /// The place after the last event that this stream handed out: keep it, and start there later.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor::new(self.bus.incarnation(), self.seen)
    }

    fn poll_logged(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Logged>>> {
        loop {
            if let Some(logged) = self.ready.pop_front() {
                self.seen = logged.sequence;
                return Poll::Ready(Some(Ok(logged)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            let (bus, filter, status, next) = (&self.bus, &self.filter, &self.status, self.next);
            let until = &self.until;
            let read = self.read.get_or_insert_with(|| {
                Box::pin(fetch(bus.clone(), filter.clone(), status.clone(), until.clone(), next))
            });
            let fetched = match read.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(fetched) => fetched,
            };
            self.read = None;
            match fetched {
                None => self.ended = true,
                Some(Ok((events, next))) => {
                    self.next = next;
                    self.ready.extend(events);
                    if self.ready.is_empty() {
                        self.seen = next;
                    }
                }
                Some(Err((error, next))) => {
                    self.next = next;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

/// Reads on, and waits at the end of the log.
async fn fetch(
    bus: Arc<dyn EventBus>,
    filter: Arc<EventFilter>,
    mut status: watch::Receiver<BusStatus>,
    until: CancellationToken,
    mut next: Sequence,
) -> Fetched {
    loop {
        // Looked at before the read: what was committed before the stop is still read.
        let last = until.is_cancelled();
        match bus.read(next, &filter, PAGE).await {
            Ok(page) => {
                next = page.next.max(next);
                if !page.events.is_empty() {
                    return Some(Ok((page.events, next)));
                }
                if page.at_head && last {
                    return None;
                }
                if page.at_head {
                    tokio::select! {
                        changed = status.wait_for(|status| status.head > next) => drop(changed.ok()?),
                        () = until.cancelled() => {}
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::Gap => {
                let left = first_left(&*bus).await.unwrap_or(next);
                return Some(Err((error, left)));
            }
            Err(error) if error.kind() == ErrorKind::Closed => return None,
            Err(error) => return Some(Err((error, next))),
        }
    }
}

/// The sequence after which everything is still there: found by halving, since only reads tell.
pub(crate) async fn first_left(bus: &dyn EventBus) -> Result<Sequence> {
    let (mut gone, mut there) = (0, bus.status().borrow().head);
    while there - gone > 1 {
        let middle = gone + (there - gone) / 2;
        match bus.read(middle, &EventFilter::all(), 1).await {
            Ok(_) => there = middle,
            Err(error) if error.kind() == ErrorKind::Gap => gone = middle,
            Err(error) => return Err(error),
        }
    }
    Ok(there)
}

impl Stream for EventStream {
    type Item = Result<Event>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_logged(cx).map(|item| item.map(|item| item.map(|logged| logged.event)))
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("filter", &self.filter)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}
