//! What a handler may look up: the past of its user, and who is there.

use super::Kernel;
use crate::{ErrorKind, Event, EventFilter, EventId, Manifest, Name, Result};
use std::sync::Arc;

/// How many events of the log are read at once.
const PAGE: usize = 1_000;

impl Kernel {
    /// The manifests of all drivers; the same list until another driver comes.
    pub(crate) fn manifests(&self) -> Arc<[Manifest]> {
        self.routes().manifests()
    }

    pub(crate) async fn find_for(&self, user: &Name, id: &EventId) -> Result<Option<Event>> {
        let found = self.bus.find(user, id).await?;
        Ok(found.map(|logged| logged.event).filter(|event| event.user_id == *user))
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
