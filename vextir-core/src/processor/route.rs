//! Step 3, route: to whom? Exact names by hash, patterns by trie, and a cache in front of both.

use super::Kernel;
use super::registry::Registered;
use crate::bus::{Hold, NewDelivery, Place};
use crate::notice::is_kernels_own;
use crate::pattern::Trie;
use crate::{Data, Effect, Event, Manifest, Name, Pattern, Provenance, Target, Verdict};
use foldhash::HashMap;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio_util::sync::CancellationToken;

/// How many event types the cache remembers.
const CACHED_TYPES: usize = 10_000;

/// The drivers that get one event type, in the order of their registration.
pub(super) type Targets = Arc<[RouteTarget]>;

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct RouteTarget {
    pub(super) driver: Arc<Registered>,
    /// The strongest effect of its matching capabilities.
    pub(super) effect: Effect,
    /// What its matching capabilities declare to reserve, of each unit the most.
    pub(super) declared: BTreeMap<Name, u64>,
}

impl RouteTarget {
    /// What was installed acts outside only where a policy grants it.
    pub(super) fn needs_a_grant(&self) -> bool {
        self.driver.provenance == Provenance::Installed && self.effect == Effect::ActsOutside
    }

    /// As policies see it.
    pub(super) fn shown(&self) -> Target {
        Target { driver: self.driver.id.clone(), effect: self.effect, provenance: self.driver.provenance }
    }
}

/// Every driver's patterns, compiled. Whoever routes an event keeps the table until the event is committed.
#[derive(Debug, Default)]
pub(super) struct RouteTable {
    drivers: Vec<Arc<Registered>>,
    has_eager: bool,
    manifests: Arc<[Manifest]>,
    by_id: HashMap<Name, usize>,
    exact: HashMap<Name, Vec<(usize, Effect)>>,
    patterns: Trie<(usize, Effect)>,
    cache: RwLock<HashMap<Name, Targets>>,
    in_use: InUse,
}

/// Tells when the last user of a table is gone.
#[derive(Debug, Default)]
struct InUse(CancellationToken);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl RouteTable {
    pub(super) fn new(drivers: Vec<Arc<Registered>>) -> Self {
        let has_eager = drivers.iter().any(|driver| driver.manifest.eager);
        let manifests = drivers.iter().map(|driver| driver.manifest.clone()).collect();
        let mut table = Self { drivers, has_eager, manifests, ..Self::default() };
        for (index, driver) in table.drivers.iter().enumerate() {
            table.by_id.insert(driver.id.clone(), index);
            for (pattern, capability) in driver.patterns.iter().zip(&driver.manifest.capabilities) {
                if pattern.is_exact() {
                    let name = capability.pattern.clone();
                    table.exact.entry(name).or_default().push((index, capability.effect));
                } else {
                    table.patterns.insert(pattern, (index, capability.effect));
                }
            }
        }
        table
    }

    pub(super) fn targets(&self, event_type: &Name) -> Targets {
        if let Some(targets) = self.cache.read().unwrap_or_else(PoisonError::into_inner).get(event_type) {
            return targets.clone();
        }
        let targets = self.find(event_type);
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED_TYPES {
            cache.clear();
        }
        cache.insert(event_type.clone(), targets.clone());
        targets
    }

    fn find(&self, event_type: &str) -> Targets {
        let mut found = self.patterns.find(event_type);
        found.extend(self.exact.get(event_type).into_iter().flatten());
        found.sort_unstable();
        // The strongest effect of a driver sorts last.
        let mut targets: Vec<RouteTarget> = Vec::with_capacity(found.len());
        let mut last = None;
        for (index, effect) in found {
            if last == Some(index) {
                targets.pop();
            }
            last = Some(index);
            let driver = self.drivers[index].clone();
            targets.push(RouteTarget { declared: driver.declared_for(event_type), driver, effect });
        }
        targets.into()
    }

    /// Cancelled when nobody routes by this table any more, and everything that was routed by it is committed.
    pub(super) fn landed(&self) -> CancellationToken {
        self.in_use.0.clone()
    }

    /// Whether any driver runs before the commit.
    pub(super) fn has_eager(&self) -> bool {
        self.has_eager
    }

    pub(super) fn manifests(&self) -> Arc<[Manifest]> {
        self.manifests.clone()
    }

    pub(super) fn drivers(&self) -> &[Arc<Registered>] {
        &self.drivers
    }

    pub(super) fn driver(&self, id: &str) -> Option<&Arc<Registered>> {
        self.by_id.get(id).map(|index| &self.drivers[*index])
    }

    /// Whether a pattern matches nothing that any driver emits or handles.
    pub(super) fn matches_nothing_known(&self, pattern: &Pattern) -> bool {
        !self.drivers.iter().flat_map(|driver| &driver.manifest.capabilities).any(|capability| {
            pattern.matches(&capability.pattern)
                || capability.outputs.iter().any(|output| pattern.matches(&output.event_type))
        })
    }
}

impl Kernel {
    pub(super) fn targets(&self, event_type: &Name) -> Targets {
        self.routes().targets(event_type)
    }

    pub(super) fn routes(&self) -> Arc<RouteTable> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where an event goes after its verdict.
    pub(super) fn route(&self, event: &Event, verdict: &Verdict, targets: &Targets) -> Place {
        let _step = tracing::debug_span!("route", event = %event.id, root = %event.root()).entered();
        match verdict {
            Verdict::Hold(decision) => Place::Parked(Hold::Approval, Some(decision.clone())),
            Verdict::Limit(_, obligations) => Place::Routed(deliveries(event, targets, Some(obligations))),
            Verdict::Deny(_) => Place::Routed(Vec::new()),
            Verdict::Allow => {
                if targets.is_empty() {
                    self.note_orphan(event);
                }
                Place::Routed(deliveries(event, targets, None))
            }
        }
    }
}

fn deliveries(event: &Event, targets: &Targets, obligations: Option<&Data>) -> Vec<NewDelivery> {
    // The kernel's own events draw on no lease.
    let reserves = !is_kernels_own(event);
    let deliver = |target: &RouteTarget| NewDelivery {
        driver: target.driver.id.clone(),
        obligations: obligations.cloned(),
        reserve: if reserves { target.driver.reserve_for(event, &target.declared) } else { BTreeMap::new() },
        admission: target.driver.admission(event),
    };
    targets.iter().map(deliver).collect()
}
