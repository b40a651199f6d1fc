//! The manifest: what a driver is, can do and needs.

use crate::{Category, Effect, Error, Flow, Name, Pattern, Payload, Result};
use schemars::Schema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

/// What sort of driver it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DriverKind {
    /// An LLM-powered event processor.
    Agent,
    /// A specific capability.
    #[default]
    Tool,
    /// An interface to an external system.
    Io,
    /// A user interface.
    Ui,
}

/// A driver's manifest. Loads the specification's form as printed:
///
/// ```
/// # extern crate vextir_core as vextir;
/// use std::time::Duration;
///
/// let manifest: vextir::Manifest = serde_json::from_str(r#"{
///     "id": "custom_driver_v1",
///     "name": "Custom Driver",
///     "author": "developer@example.com",
///     "version": "1.0.0",
///     "capabilities": ["custom.action"],
///     "resource_requirements": {"memory": "512MB", "timeout": "30s"}
/// }"#)?;
/// assert_eq!(manifest.resource_requirements.timeout, Some(Duration::from_secs(30)));
/// assert_eq!(manifest.resource_requirements.memory, Some(512_000_000));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// Unique among the drivers of a processor.
    pub id: Name,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Who made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The doc comment of the driver.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What sort of driver it is.
    #[serde(default)]
    pub kind: DriverKind,
    /// What it handles.
    #[serde(default)]
    pub capabilities: Vec<Capability>,
    /// What it needs.
    #[serde(default)]
    pub resource_requirements: ResourceRequirements,
    /// Calls at a time; 64 when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<NonZeroUsize>,
    /// Attempts after the first; 3 when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// Runs before its event's commit, when it is quick (a millisecond) and does nothing outside.
    #[serde(default, skip_serializing_if = "is_false")]
    pub eager: bool,
    /// When the driver is new to a log, it gets the events that the log already has.
    #[serde(default, skip_serializing_if = "is_false")]
    pub from_start: bool,
    /// A dead letter keeps its ordering key blocked until it is redriven or discarded, or until retention removes it
    /// because there are too many.
    #[serde(default, skip_serializing_if = "is_false")]
    pub block_on_dead: bool,
    /// Rules for all that it handles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flow: Vec<Flow>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// One thing that a driver handles.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Capability {
    /// An event type, or a [`Pattern`].
    pub pattern: Name,
    /// The doc comment of the handler.
    pub description: String,
    /// What it does to the world.
    pub effect: Effect,
    /// What one call is expected to use of further units (tokens, cents), by name: see [`Capability::reserves`].
    pub reserve: BTreeMap<Name, u64>,
    /// Rules for what it handles, beside those of its driver.
    pub flow: Vec<Flow>,
    /// JSON Schema of the payload.
    pub input: Option<Schema>,
    /// What it emits, as far as its return type says.
    pub outputs: Vec<OutputSpec>,
}

/// An event type that a handler emits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputSpec {
    /// The event type.
    #[serde(rename = "type")]
    pub event_type: Name,
    /// JSON Schema of its payload.
    pub schema: Schema,
    /// Its category.
    #[serde(default)]
    pub category: Category,
}

impl OutputSpec {
    /// What `P` says about itself.
    #[must_use]
    pub fn of<P: Payload>() -> Self {
        Self { event_type: Name::literal(P::TYPE), schema: schemars::schema_for!(P), category: P::CATEGORY }
    }
}

impl Capability {
    /// Handles events whose type matches; outside effects are assumed.
    #[must_use]
    pub fn new(pattern: impl Into<Name>) -> Self {
        Self {
            pattern: pattern.into(),
            description: String::new(),
            effect: Effect::ActsOutside,
            reserve: BTreeMap::new(),
            flow: Vec::new(),
            input: None,
            outputs: Vec::new(),
        }
    }

    /// Handles the events of a payload.
    #[must_use]
    pub fn of<P: Payload>() -> Self {
        Self { input: Some(schemars::schema_for!(P)), ..Self::new(Name::literal(P::TYPE)) }
    }

    /// Adds what a handler's return type says.
    #[must_use]
    pub fn returns<T: super::IntoOutputs>(mut self) -> Self {
        T::describe(&mut self.outputs);
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Says what it does to the world.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Says what one call is expected to use of a further unit. So much is reserved in the ledger of the causal tree
    /// from the commit that makes the delivery until it is over, its retries included; what the handler really used is
    /// what it [draws](crate::Ctx::draw). A tree that has not so much left is held instead of being overdrawn, and
    /// goes on when others give back enough. What depends on the event is said by [`Driver::reserves`](crate::Driver::reserves).
    #[must_use]
    pub fn reserves(mut self, unit: impl Into<Name>, amount: u64) -> Self {
        self.reserve.insert(unit.into(), amount);
        self
    }

    /// Adds a rule of flow control.
    #[must_use]
    pub fn flow(mut self, rule: Flow) -> Self {
        self.flow.push(rule);
        self
    }
}

impl Manifest {
    /// A manifest with defaults.
    #[must_use]
    pub fn new(id: impl Into<Name>) -> Self {
        Self {
            id: id.into(),
            name: String::new(),
            author: String::new(),
            version: String::new(),
            description: String::new(),
            kind: DriverKind::Tool,
            capabilities: Vec::new(),
            resource_requirements: ResourceRequirements::default(),
            concurrency: None,
            retries: None,
            eager: false,
            from_start: false,
            block_on_dead: false,
            flow: Vec::new(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Adds a capability by event type or pattern; outside effects are assumed.
    #[must_use]
    pub fn handles(self, pattern: impl Into<Name>) -> Self {
        self.can(Capability::new(pattern))
    }

    /// Adds a capability.
    #[must_use]
    pub fn can(self, capability: Capability) -> Self {
        self.with(|manifest| manifest.capabilities.push(capability))
    }

    /// Sets the kind.
    #[must_use]
    pub fn with_kind(self, kind: DriverKind) -> Self {
        self.with(|manifest| manifest.kind = kind)
    }

    /// Sets the name for people.
    #[must_use]
    pub fn with_name(self, name: impl Into<String>) -> Self {
        self.with(|manifest| manifest.name = name.into())
    }

    /// Sets the author.
    #[must_use]
    pub fn with_author(self, author: impl Into<String>) -> Self {
        self.with(|manifest| manifest.author = author.into())
    }

    /// Sets the version.
    #[must_use]
    pub fn with_version(self, version: impl Into<String>) -> Self {
        self.with(|manifest| manifest.version = version.into())
    }

    /// Sets the description.
    #[must_use]
    pub fn with_description(self, description: impl Into<String>) -> Self {
        self.with(|manifest| manifest.description = description.into())
    }

    /// Sets how long a call may take; 30 seconds when nothing is said.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        self.with(|manifest| manifest.resource_requirements.timeout = Some(timeout))
    }

    /// Sets how much memory a call may need, in bytes; see [`ProcessorBuilder::memory`](crate::ProcessorBuilder::memory).
    #[must_use]
    pub fn with_memory(self, bytes: u64) -> Self {
        self.with(|manifest| manifest.resource_requirements.memory = Some(bytes))
    }

    /// Sets how many calls run at a time; zero counts as one.
    #[must_use]
    pub fn with_concurrency(self, calls: usize) -> Self {
        self.with(|manifest| {
            manifest.concurrency = Some(NonZeroUsize::new(calls).unwrap_or(NonZeroUsize::MIN))
        })
    }

    /// Sets how often a failed call is tried again.
    #[must_use]
    pub fn with_retries(self, retries: u32) -> Self {
        self.with(|manifest| manifest.retries = Some(retries))
    }

    /// Makes it eager.
    #[must_use]
    pub fn with_eager(self, eager: bool) -> Self {
        self.with(|manifest| manifest.eager = eager)
    }

    /// Gives it, when it is new to a log, the events that the log already has.
    #[must_use]
    pub fn with_from_start(self, from_start: bool) -> Self {
        self.with(|manifest| manifest.from_start = from_start)
    }

    /// Keeps an ordering key blocked by its dead letter.
    #[must_use]
    pub fn with_block_on_dead(self, block: bool) -> Self {
        self.with(|manifest| manifest.block_on_dead = block)
    }

    /// Adds a rule of flow control for all that it handles.
    #[must_use]
    pub fn with_flow(self, rule: Flow) -> Self {
        self.with(|manifest| manifest.flow.push(rule))
    }

    /// Checks the id, the patterns, the rules of flow control, and that no event type is handled twice.
    pub(crate) fn check(&self) -> Result<Vec<Pattern>> {
        let place = |error: Error| error.context(format!("driver {:?}", self.id));
        crate::name::check_type(&self.id)
            .map_err(|error| place(Error::invalid(error.message().replacen("event type", "id", 1))))?;
        crate::notice::refuse_kernels_name(&self.id).map_err(place)?;
        let mut patterns: Vec<Pattern> = Vec::with_capacity(self.capabilities.len());
        for capability in &self.capabilities {
            let pattern = Pattern::new(capability.pattern.clone()).map_err(place)?;
            if patterns.contains(&pattern) {
                return Err(place(Error::invalid(format!("{pattern} is handled twice"))));
            }
            patterns.push(pattern);
        }
        if self.eager && self.capabilities.iter().any(|one| one.effect == Effect::ActsOutside) {
            return Err(place(Error::invalid(
                "an eager driver has no outside effects; say `effect = \"reads\"` or \"writes_context\"",
            )));
        }
        crate::flow::check(self).map_err(place)?;
        Ok(patterns)
    }
}

/// What a driver needs. In the process, memory is a hint for admission ([`ProcessorBuilder::memory`](crate::ProcessorBuilder::memory));
/// time is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResourceRequirements {
    /// Bytes.
    #[serde(default, with = "memory", skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// How long a call may take.
    #[serde(default, with = "crate::time::span", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

mod memory {
    use super::{Deserialize, Deserializer, Serializer};

    const UNITS: [(&str, u64); 7] = [
        ("KIB", 1 << 10),
        ("MIB", 1 << 20),
        ("GIB", 1 << 30),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
    ];

    pub(super) fn serialize<S: Serializer>(bytes: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = bytes.unwrap_or_default();
        let unit = UNITS[..6].iter().rev().find(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size));
        match unit {
            Some(("KIB", size)) => serializer.collect_str(&format_args!("{}KiB", bytes / size)),
            Some(("MIB", size)) => serializer.collect_str(&format_args!("{}MiB", bytes / size)),
            Some(("GIB", size)) => serializer.collect_str(&format_args!("{}GiB", bytes / size)),
            Some((name, size)) => serializer.collect_str(&format_args!("{}{name}", bytes / size)),
            None => serializer.collect_str(&format_args!("{bytes}B")),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Option<u64>, D::Error> {
        let Some(text) = Option::<String>::deserialize(source)? else { return Ok(None) };
        let upper = text.trim().to_ascii_uppercase();
        let parse = |(unit, size): &(&str, u64)| {
            let number = upper.strip_suffix(unit)?.trim().parse::<u64>().ok()?;
            number.checked_mul(*size)
        };
        let bytes = UNITS.iter().find_map(parse);
        bytes
            .map(Some)
            .ok_or_else(|| serde::de::Error::custom(format!("memory {text:?}: write 512MB, 64MiB or 1GB")))
    }
}

/// The long form of a capability; the short one is its pattern alone.
#[derive(Serialize, Deserialize)]
struct Long {
    #[serde(rename = "type")]
    pattern: Name,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(default)]
    effect: Effect,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    reserve: BTreeMap<Name, u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    flow: Vec<Flow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<Schema>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<OutputSpec>,
}

impl Serialize for Capability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == Self::new(self.pattern.clone()) {
            return self.pattern.serialize(serializer);
        }
        let Self { pattern, description, effect, reserve, flow, input, outputs } = self.clone();
        Long { pattern, description, effect, reserve, flow, input, outputs }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Capability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Short(Name),
            Long(Long),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Short(pattern) => Self::new(pattern),
            Form::Long(Long { pattern, description, effect, reserve, flow, input, outputs }) => {
                Self { pattern, description, effect, reserve, flow, input, outputs }
            }
        })
    }
}
