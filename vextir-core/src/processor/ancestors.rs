//! Events of the log that handlers name again and again: a plan's first event, as the cause of each of its steps.

use crate::{Event, EventId, Name};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// How many are kept, and how long the data of one may be, in bytes.
const MOST: usize = 1_024;
const LONGEST: usize = 4 << 10;

/// Those that came last: who is named again keeps its place, and goes in its turn. An event of the log does not change; that retention has removed one, nobody learns here.
#[derive(Debug, Default)]
pub(super) struct Ancestors(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    events: HashMap<(Name, EventId), Event>,
    /// In the order in which they came.
    order: VecDeque<(Name, EventId)>,
}

impl Ancestors {
    pub(super) fn find(&self, user: &Name, id: &EventId) -> Option<Event> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.events.get(&(user.clone(), id.clone())).cloned()
    }

    /// Remembers an event that is in the log.
    pub(super) fn note(&self, event: &Event) {
        if event.data.len() > LONGEST {
            return;
        }
        let key = (event.user_id.clone(), event.id.clone());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.events.contains_key(&key) {
            return;
        }
        if known.order.len() >= MOST
            && let Some(oldest) = known.order.pop_front()
        {
            known.events.remove(&oldest);
        }
        known.order.push_back(key.clone());
        known.events.insert(key, event.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_known_by_user_and_id_and_large_ones_are_not_kept() {
        let ancestors = Ancestors::default();
        let event = |user: &'static str, id: usize| {
            Event::new("a.b").with_user(user).with_id(format!("id-{id}").parse().unwrap())
        };
        for id in 0..MOST + 10 {
            ancestors.note(&event("ann", id));
            ancestors.note(&event("ann", id));
        }
        let find = |user: &'static str, id: usize| {
            ancestors.find(&Name::literal(user), &format!("id-{id}").parse().unwrap())
        };
        assert_eq!(find("ann", 10), Some(event("ann", 10)));
        assert_eq!(find("ann", 9), None);
        assert_eq!(find("bob", 10), None);
        let large = event("bob", 0).with_data(serde_json::json!("x".repeat(LONGEST)));
        ancestors.note(&large);
        assert_eq!(find("bob", 0), None);
    }
}
