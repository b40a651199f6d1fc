//! The models that an application may ask, and which of them answers what.

mod choice;
mod read;
mod spec;

pub(crate) use choice::Needs;
pub use choice::{ModelChoice, ModelWanted, Prefer};
pub(crate) use spec::check_endpoint;
pub use spec::{CHAT, FUNCTION_CALLING, ModelSpec, Price, Provider, VISION};

use super::models::ModelHandle;
use super::provider::Service;
use super::{Model, ModelRequest, Tape};
use crate::yaml::word;
use std::fmt;
use std::sync::Arc;
use tokio::sync::Semaphore;
use vextir::{Error, ErrorKind, Name, Result};

/// How many models a chain has at most: the first, and those that are asked when it does not answer.
pub(crate) const LONGEST_CHAIN: usize = 8;
/// What an answer is expected to have where the request does not limit it, in tokens.
pub(crate) const EXPECTED: u32 = 1_024;

/// The models that an application may ask, by name. A clone is the same registry, as it is now.
///
/// ```
/// use vextir_drivers::agent::ModelRegistry;
///
/// let models = ModelRegistry::from_yaml("models.json", r#"{
///     "gpt-4": {
///         "provider": "openai",
///         "endpoint": "https://api.openai.com/v1",
///         "capabilities": ["chat", "function_calling"],
///         "cost_per_1k_tokens": {"input": 0.03, "output": 0.06}
///     },
///     "claude-3": {
///         "provider": "anthropic",
///         "endpoint": "https://api.anthropic.com/v1",
///         "capabilities": ["chat", "vision"],
///         "cost_per_1k_tokens": {"input": 0.015, "output": 0.075}
///     }
/// }"#)?;
/// assert_eq!(models.names().count(), 2);
/// let unknown = models.get("gpt-5").unwrap_err().to_string();
/// assert!(unknown.contains("did you mean `gpt-4`?"), "{unknown}");
/// # Ok::<(), vextir_drivers::workflow::Faults>(())
/// ```
#[derive(Clone, Default)]
pub struct ModelRegistry {
    /// In the order in which they were registered.
    entries: Arc<Vec<Arc<Entry>>>,
}

/// A model, and what is known of it.
pub(crate) struct Entry {
    pub(crate) name: Name,
    pub(crate) spec: ModelSpec,
    pub(crate) model: Arc<dyn Model>,
    pub(crate) permits: Semaphore,
}

impl ModelRegistry {
    /// No models.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a model of a provider, or replaces the one of this name. Whether it can be asked shows when it is asked.
    #[must_use]
    pub fn with(self, name: impl Into<Name>, spec: ModelSpec) -> Self {
        let name = name.into();
        let service = Service::new(&name, spec.clone());
        self.with_entry(name, spec, Arc::new(service))
    }

    /// Adds a model of the application's own, or replaces the one of this name. Of `spec` its capabilities, price, fallbacks and
    /// concurrency count.
    #[must_use]
    pub fn with_model(self, name: impl Into<Name>, spec: ModelSpec, model: impl Model) -> Self {
        self.with_entry(name.into(), spec, Arc::new(model))
    }

    fn with_entry(mut self, name: Name, spec: ModelSpec, model: Arc<dyn Model>) -> Self {
        let permits = Semaphore::new(spec.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        let entry = Arc::new(Entry { name, spec, model, permits });
        let entries = Arc::make_mut(&mut self.entries);
        match entries.iter_mut().find(|other| other.name == entry.name) {
            Some(other) => *other = entry,
            None => entries.push(entry),
        }
        self
    }

    /// The same models on a tape: asked and recorded, or answered from it without being asked.
    #[must_use]
    pub fn on_tape(self, tape: &Tape) -> Self {
        let names: Vec<Arc<Entry>> = self.entries.iter().cloned().collect();
        names.into_iter().fold(self, |registry, entry| {
            let model = Arc::new(tape.taped(entry.name.as_str(), entry.model.clone()));
            registry.with_entry(entry.name.clone(), entry.spec.clone(), model)
        })
    }

    /// The names, in the order in which they were registered.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.entries.iter().map(|entry| &entry.name)
    }

    /// What is known of a model.
    #[must_use]
    pub fn spec(&self, name: &str) -> Option<&ModelSpec> {
        self.entries.iter().find(|entry| entry.name == *name).map(|entry| &entry.spec)
    }

    /// A model, to be asked inside of a handler.
    ///
    /// # Errors
    /// `NotFound`: no model has that name; the message says which there are.
    pub fn get(&self, name: &str) -> Result<ModelHandle> {
        self.entry(name)?;
        Ok(ModelHandle::new(self.clone(), name.into()))
    }

    /// Models by what they can do, to be asked inside of a handler.
    ///
    /// # Errors
    /// `NotFound`: there is none; the message says which there are.
    pub fn choose(&self, choice: impl Into<ModelChoice>) -> Result<ModelHandle> {
        let choice = choice.into();
        self.chain(&choice, Needs::default())?;
        Ok(ModelHandle::new(self.clone(), choice))
    }

    fn entry(&self, name: &str) -> Result<&Arc<Entry>> {
        self.entries.iter().find(|entry| entry.name == *name).ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> Error {
        let names: Vec<&Name> = self.names().collect();
        let meant =
            word::instead_of(name, &names, false).map(|meant| format!("; {meant}")).unwrap_or_default();
        let shown: String = name.chars().take(60).collect();
        let message = format!("there is no model `{shown}`{meant} (known: {})", word::list(&names));
        Error::new(ErrorKind::NotFound, message)
    }

    /// Whom to ask, in this order: at least one, at most 8.
    ///
    /// # Errors
    /// `NotFound`: a name that is not known, or nothing that can do it. The message says what there is.
    pub(crate) fn chain(&self, choice: &ModelChoice, needs: Needs) -> Result<Vec<Arc<Entry>>> {
        let mut chain = Vec::new();
        match choice {
            ModelChoice::Named(name) => self.follow(name, &mut chain)?,
            ModelChoice::OneOf(names) => {
                // Those that were named come before what stands behind them.
                for name in names {
                    push(&mut chain, self.entry(name)?);
                }
                for name in names {
                    self.follow(name, &mut chain)?;
                }
            }
            ModelChoice::Wanted(wanted) => chain = self.wanted(wanted),
        }
        let can = |entry: &Arc<Entry>| needs.capabilities().all(|capability| entry.spec.can(capability));
        let mut able: Vec<_> = match choice {
            // Whoever was named, the cheapest may be another one.
            ModelChoice::Named(_) | ModelChoice::OneOf(_) if needs.cheap => {
                self.wanted(&ModelWanted::default()).into_iter().filter(can).collect()
            }
            _ => chain.iter().filter(|entry| can(entry)).cloned().collect(),
        };
        if needs.cheap {
            let least = able.iter().map(|entry| entry.spec.rank()).min();
            able.retain(|entry| Some(entry.spec.rank()) == least);
        }
        able.truncate(LONGEST_CHAIN);
        if able.is_empty() { Err(self.unable(&chain, needs)) } else { Ok(able) }
    }

    /// A model, and those that are asked instead of it, in depth.
    fn follow(&self, name: &Name, chain: &mut Vec<Arc<Entry>>) -> Result<()> {
        let mut waiting = vec![name];
        let mut seen: Vec<&Name> = Vec::new();
        while let Some(name) = waiting.pop() {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            let entry = self.entry(name)?;
            push(chain, entry);
            waiting.extend(entry.spec.fallbacks.iter().rev());
        }
        Ok(())
    }

    fn wanted(&self, wanted: &ModelWanted) -> Vec<Arc<Entry>> {
        let most = wanted.max_cost_per_1k.map(|dollars| Price::dollars(dollars, 0.0).input);
        let fits = |entry: &&Arc<Entry>| {
            entry.spec.can(CHAT)
                && wanted.capabilities.iter().all(|capability| entry.spec.can(capability))
                && most.is_none_or(|most| entry.spec.dearer() <= most)
        };
        let mut fitting: Vec<_> = self.entries.iter().filter(fits).cloned().collect();
        if wanted.prefer == Prefer::Price {
            fitting.sort_by_key(|entry| entry.spec.rank());
        }
        fitting
    }

    fn unable(&self, chain: &[Arc<Entry>], needs: Needs) -> Error {
        let asked: Vec<&Name> = chain.iter().map(|entry| &entry.name).collect();
        let wanted: Vec<&str> = needs.capabilities().collect();
        let able = self.entries.iter().filter(|entry| wanted.iter().all(|one| entry.spec.can(one)));
        let able: Vec<&Name> = able.map(|entry| &entry.name).collect();
        let message = match (asked.is_empty(), wanted.is_empty()) {
            (true, _) | (_, true) => {
                let names: Vec<&Name> = self.names().collect();
                format!("no model can do what is wanted within the price (known: {})", word::list(&names))
            }
            _ => format!(
                "{} cannot do what the request needs: {}; name one that can as a fallback (those that can: {})",
                word::list(&asked),
                word::list(&wanted),
                word::list(&able)
            ),
        };
        Error::new(ErrorKind::NotFound, message)
    }

    /// What a call is expected to use at most: tokens, and micro-dollars of the dearest that may answer.
    pub(crate) fn expect(chain: &[Arc<Entry>], request: &ModelRequest) -> (u64, u64) {
        let input = request.estimate();
        let of = |entry: &Arc<Entry>| {
            let output = entry.spec.answer_tokens(request.max_tokens.or(Some(EXPECTED))).unwrap_or(EXPECTED);
            let usage = super::TokenUsage { input, output: output.into(), ..super::TokenUsage::default() };
            (usage.total(), entry.spec.price.of(&usage))
        };
        let all: Vec<(u64, u64)> = chain.iter().map(of).collect();
        let most = |which: fn(&(u64, u64)) -> u64| all.iter().map(which).max().unwrap_or(0);
        (most(|one| one.0), most(|one| one.1))
    }
}

fn push(chain: &mut Vec<Arc<Entry>>, entry: &Arc<Entry>) {
    if !chain.iter().any(|other| other.name == entry.name) {
        chain.push(entry.clone());
    }
}

impl fmt::Debug for ModelRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries.iter().map(|entry| (&entry.name, &entry.spec))).finish()
    }
}

#[cfg(test)]
mod tests;
