//! What a handler may look up: the past of its user, and who is there.

use super::Kernel;
use crate::{ErrorKind, Event, EventFilter, EventId, Manifest, Name, Result};
use std::sync::Arc;

/// How many events of the log are read at once.
const PAGE: usize = 1_000;
/// How many events are looked at between two.
#[cfg(feature = "schedule")]
const BETWEEN: usize = 500;

impl Kernel {
    /// The manifests of all drivers; the same list until another driver comes.
    pub(crate) fn manifests(&self) -> Arc<[Manifest]> {
        self.routes().manifests()
    }

    pub(crate) async fn find_for(&self, user: &Name, id: &EventId) -> Result<Option<Event>> {
        if let Some(known) = self.ancestors.find(user, id) {
            return Ok(Some(known));
        }
        let found = self.bus.find(user, id).await?;
        Ok(found.map(|logged| logged.event).filter(|event| event.user_id == *user))
    }

    /// Whether there is room for one more that waits as the root of a tree; the commit does not ask, for a handler's.
    #[cfg(feature = "schedule")]
    pub(crate) fn has_room_to_plant(&self) -> bool {
        let status = self.bus.status();
        let status = status.borrow();
        status.waiting.saturating_sub(status.made) < status.limit
    }

    /// The events of a user that stand between two of theirs, as far as it is looked.
    #[cfg(feature = "schedule")]
    pub(crate) async fn between(&self, user: &Name, first: &EventId, last: &EventId) -> Result<Vec<Event>> {
        let Some(logged) = self.bus.find(user, first).await? else { return Ok(Vec::new()) };
        let page = match self.bus.read(logged.sequence, &EventFilter::all().user(user.clone()), BETWEEN).await
        {
            Err(error) if error.kind() == ErrorKind::Gap => return Ok(Vec::new()),
            page => page?,
        };
        let events = page.events.into_iter().map(|logged| logged.event);
        Ok(events.filter(|event| event.user_id == *user).take_while(|event| event.id != *last).collect())
    }

    #[cfg(feature = "schedule")]
    pub(crate) async fn came_before(&self, user: &Name, first: &EventId, second: &EventId) -> Result<bool> {
        let (first, second) = (self.bus.find(user, first).await?, self.bus.find(user, second).await?);
        Ok(match (first, second) {
            (Some(first), Some(second)) => first.sequence < second.sequence,
            _ => true,
        })
    }

    /// The events of a user that match and came since a causal tree began.
    pub(crate) async fn since_root(
        &self,
        user: &Name,
        root: &EventId,
        filter: &EventFilter,
        most: usize,
    ) -> Result<Vec<Event>> {
        let first = match self.bus.lease(user, root).await? {
            Some(lease) if lease.first > 0 => lease.first - 1,
            _ => match self.bus.find(user, root).await? {
                Some(logged) => logged.sequence - 1,
                None => return Ok(Vec::new()),
            },
        };
        let (filter, mut after, mut events) = (filter.clone().user(user.clone()), first, Vec::new());
        while events.len() < most {
            let page = match self.bus.read(after, &filter, PAGE.min(most - events.len())).await {
                // Retention has passed the beginning: what is left of it.
                Err(error) if error.kind() == ErrorKind::Gap => {
                    after = crate::bus::first_left(&*self.bus).await?;
                    continue;
                }
                page => page?,
            };
            events.extend(page.events.into_iter().map(|logged| logged.event));
            if page.at_head {
                break;
            }
            after = page.next;
        }
        Ok(events)
    }
}
