//! Who handles which events: the manifests of an application, looked up by event type.

use crate::pattern::Trie;
use crate::{Capability, Manifest, Name, Pattern};
use foldhash::{HashMap, HashMapExt};
use std::fmt;
use std::sync::Arc;

/// The manifests of an application's drivers, for [`Driver::wiring`](crate::Driver::wiring).
pub struct Known {
    manifests: Arc<[Manifest]>,
    exact: HashMap<Name, Vec<(usize, usize)>>,
    patterns: Trie<(usize, usize)>,
}

impl Known {
    /// The drivers with these manifests. Patterns that are none are left out: no processor takes them.
    #[must_use]
    pub fn of(manifests: Arc<[Manifest]>) -> Self {
        let (mut exact, mut patterns) = (HashMap::<Name, Vec<_>>::new(), Trie::default());
        for (driver, manifest) in manifests.iter().enumerate() {
            for (index, capability) in manifest.capabilities.iter().enumerate() {
                match Pattern::new(capability.pattern.clone()) {
                    Ok(pattern) if pattern.is_exact() => {
                        exact.entry(capability.pattern.clone()).or_default().push((driver, index));
                    }
                    Ok(pattern) => patterns.insert(&pattern, (driver, index)),
                    Err(_) => {}
                }
            }
        }
        Self { manifests, exact, patterns }
    }

    /// All of them.
    #[must_use]
    pub fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    /// Who handles events of this type, in the order of their registration.
    pub fn handlers(&self, event_type: &str) -> impl Iterator<Item = (&Manifest, &Capability)> {
        let mut found = self.patterns.find(event_type);
        found.extend(self.exact.get(event_type).into_iter().flatten());
        found.sort_unstable();
        found.into_iter().filter_map(|(driver, index)| {
            let manifest = self.manifests.get(driver)?;
            Some((manifest, manifest.capabilities.get(index)?))
        })
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.manifests.iter().map(|manifest| &manifest.id);
        f.debug_set().entries(ids).finish()
    }
}
