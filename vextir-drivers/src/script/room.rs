//! Room for code that takes long: some threads for all, and not all of them for one user.

use super::fault::Fault;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vextir::Name;

/// How many threads run code at a time.
const THREADS: usize = 4;
/// How many of them for one user.
const OF_ONE: usize = 2;

/// Who has how much of it.
#[derive(Clone)]
pub(super) struct Room {
    all: Arc<Semaphore>,
    /// Of those who have or want some.
    users: Arc<Mutex<BTreeMap<Name, Arc<Semaphore>>>>,
}

/// Room for one run, until it goes.
#[derive(Debug)]
pub(super) struct Place {
    _of_user: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Room {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(THREADS)), users: Arc::default() }
    }

    fn of(&self, user: &Name) -> Arc<Semaphore> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, own| Arc::strong_count(own) > 1);
        users.entry(user.clone()).or_insert_with(|| Arc::new(Semaphore::new(OF_ONE))).clone()
    }

    /// Waits until there is room for a run of this user's, those of one user in the order in which they came.
    pub(super) async fn enter(&self, user: &Name) -> Result<Place, Fault> {
        let gone = |_| Fault::passing("the sandbox is closed");
        let of_user = self.of(user).acquire_owned().await.map_err(gone)?;
        let of_all = self.all.clone().acquire_owned().await.map_err(gone)?;
        Ok(Place { _of_user: of_user, _of_all: of_all })
    }
}

#[cfg(test)]
mod tests {
    use super::{OF_ONE, Room, THREADS};
    use std::task::Poll;
    use vextir::Name;

    #[tokio::test(flavor = "current_thread")]
    async fn one_user_leaves_room_for_others() {
        let room = Room::new();
        let (ann, bob, eve) = (Name::literal("ann"), Name::literal("bob"), Name::literal("eve"));
        let mut of_ann = Vec::new();
        for _ in 0..OF_ONE {
            of_ann.push(room.enter(&ann).await.unwrap());
        }
        let mut more = Box::pin(room.enter(&ann));
        assert!(matches!(polled(&mut more), Poll::Pending));
        let mut of_bob = Vec::new();
        for _ in OF_ONE..THREADS {
            of_bob.push(room.enter(&bob).await.unwrap());
        }
        let mut full = Box::pin(room.enter(&eve));
        assert!(matches!(polled(&mut full), Poll::Pending));
        of_bob.pop();
        full.await.unwrap();
        of_ann.pop();
        more.await.unwrap();
        drop((of_ann, of_bob));
        let _place = room.enter(&eve).await.unwrap();
        assert_eq!(room.users.lock().unwrap().len(), 1, "nobody is kept who wants nothing");
    }

    fn polled<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        std::pin::Pin::new(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    }
}
