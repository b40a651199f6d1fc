//! What is known, brought into one form: who listens to which events, and what follows from them.

use super::{Check, Finding, Known, Wire, WireEnd, Wiring};
use crate::pattern::{Trie, overlap};
use crate::{Capability, Category, Limits, Manifest, Name, Pattern};
use foldhash::{HashMap, HashMapExt};
use schemars::Schema;
use std::collections::{BTreeMap, BTreeSet};

/// What the kernel itself says.
const KERNELS_OWN: [&str; 4] = ["error", "lease.held", "branch.ended", "schedule.paused"];

/// What is known of an application.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) known: Known,
    /// What drivers tell of themselves, by their ids.
    pub(crate) wirings: BTreeMap<Name, Wiring>,
    /// Drivers that every processor has.
    pub(crate) built_in: &'static [&'static str],
    pub(crate) schedules: Vec<Scheduled>,
    pub(crate) subscriptions: BTreeSet<Pattern>,
    pub(crate) asked: Check,
    /// What each causal tree may use; the bus says it where this does not.
    pub(crate) limits: Option<Limits>,
    /// What was found while all of this was read.
    pub(crate) told: Vec<Finding>,
}

/// An armed schedule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scheduled {
    pub(crate) user: Name,
    pub(crate) id: Name,
    pub(crate) event_type: Name,
}

/// Who listens or emits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Actor<'f> {
    Driver(&'f Name),
    Schedule(&'f Scheduled),
}

/// A part of an actor, and where it was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who<'f> {
    pub(super) actor: Actor<'f>,
    pub(super) part: &'f str,
    pub(super) place: &'f str,
}

impl Who<'_> {
    /// As it is said in a sentence.
    pub(super) fn said(&self) -> String {
        match self.actor {
            Actor::Driver(id) if self.part.is_empty() => format!("`{id}`"),
            Actor::Driver(id) => format!("{} of `{id}`", self.part),
            Actor::Schedule(Scheduled { user, id, .. }) if *user == crate::LOCAL_USER => {
                format!("schedule `{id}`")
            }
            Actor::Schedule(Scheduled { user, id, .. }) => format!("schedule `{id}` of user `{user}`"),
        }
    }

    pub(super) fn id(&self) -> &Name {
        match self.actor {
            Actor::Driver(id) => id,
            Actor::Schedule(scheduled) => &scheduled.id,
        }
    }
}

/// What an event means to who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A handler that the manifest names.
    Handles,
    /// It begins work of a wired driver.
    Starts,
    /// As `Starts`, and it is asked for from outside.
    Asked,
    /// Work that has begun waits for it.
    Awaits,
    /// It is taken; what follows is told by wires, or is the kernel's affair.
    Takes,
}

/// Someone who listens to a pattern.
#[derive(Debug)]
pub(super) struct Listener<'f> {
    pub(super) who: Who<'f>,
    pub(super) role: Role,
    pub(super) input: Option<&'f Schema>,
    /// What follows from it.
    pub(super) unit: usize,
    pub(super) condition: Option<&'f str>,
}

/// Someone who emits.
#[derive(Debug)]
pub(super) struct Emission<'f> {
    pub(super) who: Who<'f>,
    pub(super) event_type: &'f Name,
    pub(super) schema: Option<&'f Schema>,
    pub(super) category: Category,
    pub(super) unit: usize,
    pub(super) condition: Option<&'f str>,
    /// It begins a causal tree of its own.
    pub(super) plants: bool,
}

/// Work: what begins it, and what it emits.
#[derive(Debug, Default)]
pub(super) struct Unit {
    pub(super) emissions: Vec<usize>,
    /// Something has to begin it.
    pub(super) waits: bool,
    /// The application may begin it.
    pub(super) asked: bool,
    /// It is told by wires: nothing else decides what is emitted.
    pub(super) wired: bool,
}

/// All who listen to one pattern.
#[derive(Debug)]
pub(super) struct Group<'f> {
    pub(super) pattern: &'f Name,
    pub(super) listeners: Vec<usize>,
}

/// An event type that somebody emits.
#[derive(Debug)]
pub(super) struct Emitted<'f> {
    pub(super) name: &'f Name,
    pub(super) emissions: Vec<usize>,
    /// The groups whose pattern matches.
    pub(super) groups: Vec<usize>,
}

/// Everything, with its numbers.
#[derive(Debug)]
pub(super) struct Circuit<'f> {
    pub(super) facts: &'f Facts,
    pub(super) listeners: Vec<Listener<'f>>,
    pub(super) emissions: Vec<Emission<'f>>,
    pub(super) units: Vec<Unit>,
    pub(super) groups: Vec<Group<'f>>,
    pub(super) types: Vec<Emitted<'f>>,
    /// The number of each emitted type.
    pub(super) numbers: HashMap<&'f str, usize>,
    /// What the kernel and its drivers say.
    pub(super) kernels: BTreeSet<&'f str>,
    by_pattern: HashMap<&'f str, usize>,
    wild: Trie<usize>,
}

impl<'f> Circuit<'f> {
    pub(super) fn of(facts: &'f Facts) -> Self {
        let mut circuit = Self {
            facts,
            listeners: Vec::new(),
            emissions: Vec::new(),
            units: Vec::new(),
            groups: Vec::new(),
            types: Vec::new(),
            numbers: HashMap::new(),
            kernels: KERNELS_OWN.into(),
            by_pattern: HashMap::new(),
            wild: Trie::default(),
        };
        // In the order of names, so that the same application gives the same report.
        let mut manifests: Vec<&Manifest> = facts.known.manifests().iter().collect();
        manifests.sort_by_key(|manifest| &manifest.id);
        manifests.into_iter().for_each(|manifest| circuit.driver(manifest));
        for scheduled in &facts.schedules {
            let who = Who { actor: Actor::Schedule(scheduled), part: "", place: "" };
            let unit = circuit.unit(Unit { wired: true, ..Unit::default() });
            circuit.emits(Emission {
                who,
                event_type: &scheduled.event_type,
                schema: None,
                category: Category::default(),
                unit,
                condition: None,
                plants: true,
            });
        }
        circuit.join();
        circuit
    }

    fn driver(&mut self, manifest: &'f Manifest) {
        let who = Who { actor: Actor::Driver(&manifest.id), part: "", place: "" };
        let is_built_in = self.facts.built_in.iter().any(|id| manifest.id == *id);
        let wires = self.facts.wirings.get(&manifest.id).map(|wiring| wiring.wires.as_slice());
        let wires = wires.filter(|wires| !wires.is_empty());
        for capability in &manifest.capabilities {
            let unit = self.unit(Unit::default());
            if is_built_in {
                self.kernels.extend(capability.outputs.iter().map(|output| output.event_type.as_str()));
            } else if wires.is_none() {
                self.handles(who, capability, unit);
                continue;
            }
            let input = capability.input.as_ref();
            let takes = Listener { who, role: Role::Takes, input, unit, condition: None };
            self.listens(&capability.pattern, takes);
        }
        if let Some(wires) = wires {
            let unit = self.unit(Unit { wired: true, ..Unit::default() });
            wires.iter().for_each(|wire| self.wire(&manifest.id, wire, unit));
        }
    }

    fn handles(&mut self, who: Who<'f>, capability: &'f Capability, unit: usize) {
        let input = capability.input.as_ref();
        self.listens(
            &capability.pattern,
            Listener { who, role: Role::Handles, input, unit, condition: None },
        );
        for output in &capability.outputs {
            self.emits(Emission {
                who,
                event_type: &output.event_type,
                schema: Some(&output.schema),
                category: output.category,
                unit,
                condition: None,
                plants: false,
            });
        }
    }

    fn wire(&mut self, driver: &'f Name, wire: &'f Wire, unit: usize) {
        let who = Who { actor: Actor::Driver(driver), part: &wire.part, place: &wire.place };
        let condition = wire.condition.as_deref();
        let (pattern, role) = match &wire.end {
            WireEnd::Emits { event_type, schema, category, plants } => {
                let (schema, category, plants) = (schema.as_ref(), *category, *plants);
                self.emits(Emission { who, event_type, schema, category, unit, condition, plants });
                return;
            }
            WireEnd::Starts(pattern) => (pattern, Role::Starts),
            WireEnd::Asked(pattern) => (pattern, Role::Asked),
            WireEnd::Awaits(pattern) => (pattern, Role::Awaits),
        };
        self.listens(pattern, Listener { who, role, input: None, unit, condition });
    }

    fn unit(&mut self, unit: Unit) -> usize {
        self.units.push(unit);
        self.units.len() - 1
    }

    fn listens(&mut self, pattern: &'f Name, listener: Listener<'f>) {
        if matches!(listener.role, Role::Handles | Role::Starts | Role::Asked) {
            let unit = &mut self.units[listener.unit];
            unit.waits = true;
            unit.asked |= listener.role == Role::Asked;
        }
        let (groups, wild) = (&mut self.groups, &mut self.wild);
        let group = *self.by_pattern.entry(pattern).or_insert_with(|| {
            let number = groups.len();
            if let Ok(pattern) = Pattern::new(pattern.clone())
                && !pattern.is_exact()
            {
                wild.insert(&pattern, number);
            }
            groups.push(Group { pattern, listeners: Vec::new() });
            number
        });
        self.groups[group].listeners.push(self.listeners.len());
        self.listeners.push(listener);
    }

    fn emits(&mut self, emission: Emission<'f>) {
        let types = &mut self.types;
        let number = *self.numbers.entry(emission.event_type).or_insert_with(|| {
            types.push(Emitted { name: emission.event_type, emissions: Vec::new(), groups: Vec::new() });
            types.len() - 1
        });
        let index = self.emissions.len();
        self.types[number].emissions.push(index);
        self.units[emission.unit].emissions.push(index);
        self.emissions.push(emission);
    }

    fn join(&mut self) {
        self.types.sort_by_key(|emitted| emitted.name);
        for number in 0..self.types.len() {
            self.numbers.insert(self.types[number].name, number);
            self.types[number].groups = self.groups_of(self.types[number].name);
        }
    }

    /// The groups whose pattern matches an event type.
    pub(super) fn groups_of(&self, event_type: &str) -> Vec<usize> {
        let mut found = self.wild.find(event_type);
        found.extend(self.by_pattern.get(event_type));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The groups whose pattern can match what this one matches.
    pub(super) fn groups_beside(&self, pattern: &Pattern) -> Vec<usize> {
        if pattern.is_exact() {
            return self.groups_of(pattern.as_str());
        }
        let beside = |(_, group): &(usize, &Group<'_>)| overlap(group.pattern, pattern.as_str());
        self.groups.iter().enumerate().filter(beside).map(|(number, _)| number).collect()
    }

    /// The number of an emission's type.
    pub(super) fn type_of(&self, emission: usize) -> Option<usize> {
        self.numbers.get(self.emissions[emission].event_type.as_str()).copied()
    }
}
