//! What has ended and is not settled yet: an attempt that comes again answers from it, and runs nothing.

use super::payload::CommandFinished;
use super::run::Ended;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use vextir::{Name, Timestamp};

/// The most tasks that are kept. One that is pushed out is as one of a process that died.
const MOST: usize = 32;

/// A task that is over.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) started: Timestamp,
    pub(super) finished: CommandFinished,
    pub(super) ended: Ended,
}

/// Tasks that are over, of all users; the oldest first.
#[derive(Debug, Default)]
pub(super) struct Untold(Mutex<VecDeque<(Name, Arc<Over>)>>);

impl Untold {
    pub(super) fn of(&self, user: &Name, task: &str) -> Option<Arc<Over>> {
        let tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().find(|(of, over)| of == user && over.finished.task == task).map(|(_, over)| over.clone())
    }

    pub(super) fn keep(&self, user: &Name, over: Over) -> Arc<Over> {
        let over = Arc::new(over);
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.len() >= MOST {
            tasks.pop_front();
        }
        tasks.push_back((user.clone(), over.clone()));
        over
    }

    pub(super) fn forget(&self, user: &Name, task: &str) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|(of, over)| of != user || over.finished.task != task);
    }
}
