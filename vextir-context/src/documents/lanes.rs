//! One lane for each document: who merges into it waits for who came before.

use crate::key::Mixer;
use std::hash::{BuildHasher, Hasher};
use tokio::sync::{Mutex, MutexGuard};
use vextir_core::Actor;
use vextir_core::context::{Change, Intent};

/// How many lanes there are. Documents are spread over them: two that share one wait for each other, and nothing
/// else happens to them.
const LANES: usize = 256;

/// The lanes of a hub. They spare work that would be thrown away; what keeps a document right is the writer, which
/// compares the version that a merge began with.
pub(crate) struct Lanes {
    lanes: Vec<Mutex<()>>,
    mixer: Mixer,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        Self { lanes: (0..LANES).map(|_| Mutex::default()).collect(), mixer: Mixer::new() }
    }

    /// Takes the lanes of all documents whose content changes; always in the same order, so that nobody waits in a
    /// circle.
    pub(crate) async fn take(&self, actor: &Actor, changes: &[Change]) -> Vec<MutexGuard<'_, ()>> {
        let contents = changes.iter().filter(|change| change.what.is_content());
        let mut wanted: Vec<usize> = contents.map(|change| self.lane(actor, change)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut taken = Vec::with_capacity(wanted.len());
        for lane in wanted {
            taken.push(self.lanes[lane].lock().await);
        }
        taken
    }

    /// A shared document has a path for each user: its last segment is what they agree on, nearly always.
    fn lane(&self, actor: &Actor, change: &Change) -> usize {
        let mut hasher = self.mixer.build_hasher();
        let own = !change.path.starts_with("/Shared/");
        let (whose, path) = match change.path.strip_prefix("/Shared/").and_then(|rest| rest.split_once('/')) {
            Some((owner, rest)) if !own => (owner, rest),
            _ => (actor.user.as_str(), change.path.as_str()),
        };
        let last = path.rsplit('/').next().unwrap_or_default();
        hasher.write(whose.as_bytes());
        hasher.write(last.as_bytes());
        hasher.write(&[u8::from(matches!(change.what, Intent::Guide(_)))]);
        usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0)
    }
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lanes").finish_non_exhaustive()
    }
}
