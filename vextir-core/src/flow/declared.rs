//! The rules of one driver: which there may be, and which concern an event.

use super::{Flow, FlowRule};
use crate::{Error, Event, Manifest, Name, Pattern, Result};
use serde::{Deserialize, Serialize};

/// A rule with the name under which its counts are kept, and what it is for.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    /// `throttle@mail.*`: it stays the same while the driver's declaration does.
    pub(crate) name: Name,
    pub(crate) flow: Flow,
    /// Of which capability; of the whole driver without one.
    pattern: Option<Pattern>,
}

/// One of the counts of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FlowKey {
    /// The rule.
    pub rule: Name,
    /// Whose events it counts; everybody's without.
    pub user: Option<Name>,
    /// What stands at its place.
    pub value: String,
}

impl Declared {
    /// Which of its counts an event belongs to, if the rule is for it.
    pub(crate) fn key_of(&self, event: &Event) -> Option<FlowKey> {
        let concerns = self.pattern.as_ref().is_none_or(|pattern| pattern.matches(&event.event_type));
        concerns.then(|| FlowKey {
            rule: self.name.clone(),
            user: (!self.flow.is_across_users()).then(|| event.user_id.clone()),
            value: self.flow.path().map(|path| path.value(event)).unwrap_or_default(),
        })
    }
}

/// The rules of a driver, in the order in which they are asked.
pub(crate) fn declared(manifest: &Manifest) -> Vec<Declared> {
    let whole = manifest.flow.iter().map(|flow| (flow, None));
    let parts = manifest.capabilities.iter().flat_map(|capability| {
        capability.flow.iter().map(|flow| (flow, Pattern::new(capability.pattern.clone()).ok()))
    });
    let mut rules: Vec<Declared> = Vec::new();
    for (flow, pattern) in whole.chain(parts) {
        let place = pattern.as_ref().map_or("**", Pattern::as_str);
        let same = |rule: &&Declared| rule.flow.kind() == flow.kind() && rule.pattern == pattern;
        let name = match rules.iter().filter(same).count() {
            0 => format!("{}@{place}", flow.kind()),
            others => format!("{}@{place}#{}", flow.kind(), others + 1),
        };
        rules.push(Declared { name: name.into(), flow: flow.clone(), pattern });
    }
    rules
}

/// Whether a driver may have the rules that it declares.
pub(crate) fn check(manifest: &Manifest) -> Result<()> {
    manifest.flow.iter().try_for_each(Flow::check)?;
    if let Some(batch) = manifest.flow.iter().find(|flow| matches!(flow.rule(), FlowRule::Batch(..))) {
        return Err(Error::invalid(format!("{batch}: a batch is a handler's, not a driver's")));
    }
    let any = !manifest.flow.is_empty() || manifest.capabilities.iter().any(|one| !one.flow.is_empty());
    if manifest.eager && any {
        return Err(Error::invalid(
            "an eager driver runs before anything could wait: it has no rules of flow",
        ));
    }
    for capability in &manifest.capabilities {
        let own = &capability.flow;
        own.iter().try_for_each(Flow::check)?;
        for kind in ["debounce", "batch", "singleton", "priority"] {
            if manifest.flow.iter().chain(own).filter(|flow| flow.kind() == kind).count() > 1 {
                let pattern = &capability.pattern;
                return Err(Error::invalid(format!("{pattern:?} has two rules of {kind}; one is enough")));
            }
        }
        let Some(batch) = own.iter().find(|flow| matches!(flow.rule(), FlowRule::Batch(..))) else {
            continue;
        };
        for other in manifest.flow.iter().chain(own).filter(|other| *other != batch) {
            let fits = match other.rule() {
                FlowRule::Concurrency(_) | FlowRule::Throttle(..) => {
                    other.path().is_none_or(|path| Some(path) == batch.path())
                }
                FlowRule::Debounce { .. } | FlowRule::Singleton(_) => false,
                _ => true,
            };
            if !fits {
                return Err(Error::invalid(format!(
                    "{other} cannot be kept for each event of {batch}; beside a batch, calls are counted by its key or by none"
                )));
            }
        }
        if manifest.block_on_dead {
            return Err(Error::invalid(
                "a batch is of many ordering keys, and its dead letters block none; leave `block_on_dead` out",
            ));
        }
    }
    Ok(())
}
