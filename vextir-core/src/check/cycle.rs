//! Events that cause each other.
//!
//! Types, the groups that hear them, and the units of work are the nodes of a graph; what can be reached from itself in it
//! goes round. Each part of the graph that hangs together so is one finding, with its shortest way round.

use super::circuit::{Circuit, Role, Who};
use super::{Finding, FindingKind, Severity};
use crate::Limits;
use std::collections::{HashMap, VecDeque};

/// How many names of a way round are written.
const SHOWN: usize = 12;

pub(super) fn find(circuit: &Circuit<'_>, findings: &mut Vec<Finding>) {
    let certain = Web::of(circuit, true);
    let mut told = vec![false; circuit.types.len()];
    for ring in certain.rings() {
        for node in &ring {
            if let Some(told) = told.get_mut(*node) {
                *told = true;
            }
        }
        let Some(way) = certain.way_round(&ring, None) else { continue };
        findings.push(finding(circuit, &way, Severity::Warning, Stop::Nothing));
    }
    let web = Web::of(circuit, false);
    for ring in web.rings() {
        if ring.iter().any(|node| told.get(*node).copied().unwrap_or_default()) {
            continue;
        }
        let planted = planted(circuit, &web, &ring);
        let stop = match &circuit.facts.limits {
            _ if planted.is_some() => Stop::NoLimit,
            Some(limits) if limits.depth == u32::MAX && limits.events == u64::MAX => Stop::Unlimited,
            limits => Stop::Limits(limits.as_ref()),
        };
        let severity = if matches!(stop, Stop::Limits(_)) { Severity::Note } else { Severity::Warning };
        let Some(way) = web.way_round(&ring, planted) else { continue };
        findings.push(finding(circuit, &way, severity, stop));
    }
}

/// What ends it.
enum Stop<'l> {
    /// Each time causes the next one for sure.
    Nothing,
    /// A causal tree begins anew on the way.
    NoLimit,
    /// The limits are none.
    Unlimited,
    Limits(Option<&'l Limits>),
}

/// An emission within the ring that begins a causal tree of its own: the node of its unit, and that of its type.
fn planted(circuit: &Circuit<'_>, web: &Web, ring: &[usize]) -> Option<(usize, usize)> {
    ring.iter().find_map(|node| {
        let unit = circuit.units.get(node.checked_sub(web.units)?)?;
        let planted = unit.emissions.iter().filter(|index| circuit.emissions[**index].plants);
        let kind =
            planted.filter_map(|index| circuit.type_of(*index)).find(|kind| ring.binary_search(kind).is_ok());
        kind.map(|kind| (*node, kind))
    })
}

fn finding(circuit: &Circuit<'_>, way: &[usize], severity: Severity, stop: Stop<'_>) -> Finding {
    let types: Vec<&str> =
        way.iter().filter_map(|node| circuit.types.get(*node)).map(|kind| kind.name.as_str()).collect();
    let first = types.first().copied().unwrap_or_default();
    let shown = types.iter().take(SHOWN).map(|name| format!("`{name}`"));
    let mut round: Vec<String> = shown.collect();
    if types.len() > SHOWN {
        round.push("..".to_owned());
    }
    round.push(format!("`{first}`"));
    let emitters = emitters(circuit, way);
    let place = emitters.iter().map(|who| who.place).find(|place| !place.is_empty()).unwrap_or_default();
    let mut by: Vec<String> = emitters.iter().map(Who::said).collect();
    by.dedup();
    let more = by.len().saturating_sub(SHOWN);
    by.truncate(SHOWN);
    if more > 0 {
        by.push(format!("{more} more"));
    }
    let message = format!("{}: these events cause each other (by {})", round.join(" -> "), by.join(", "));
    let (ends, remedy) = match stop {
        Stop::Nothing => (
            ", each time".to_owned(),
            "give the trigger or one of the steps a condition, or take one of them away",
        ),
        Stop::NoLimit => (
            ", and no limit counts them: a causal tree begins anew on the way".to_owned(),
            "make sure that something ends it",
        ),
        Stop::Unlimited => (", and a causal tree has no limits".to_owned(), "give the processor `limits`"),
        Stop::Limits(Some(Limits { depth, events, .. })) => {
            (format!("; a causal tree is held at depth {depth} or {events} events"), "")
        }
        Stop::Limits(None) => ("; the limits of a causal tree hold it at last".to_owned(), ""),
    };
    let message = message + &ends;
    Finding::new(severity, FindingKind::Cycle, first, message, remedy).at(place)
}

/// Who emits the types of a way round.
fn emitters<'c>(circuit: &'c Circuit<'_>, way: &[usize]) -> Vec<Who<'c>> {
    let types = circuit.types.len();
    let units = types + circuit.groups.len();
    let mut emitters = Vec::new();
    for (place, node) in way.iter().enumerate() {
        let next = way[(place + 1) % way.len()];
        let Some(unit) = node.checked_sub(units).and_then(|unit| circuit.units.get(unit)) else { continue };
        let emits = unit.emissions.iter().find(|index| circuit.type_of(**index) == Some(next));
        emitters.extend(emits.map(|index| circuit.emissions[*index].who));
    }
    emitters
}

/// Types, then groups, then units; and what follows from each.
struct Web {
    after: Vec<Vec<usize>>,
    /// The number of the first unit.
    units: usize,
}

impl Web {
    /// `certain`: only what follows without a condition, and without code that may decide otherwise.
    fn of(circuit: &Circuit<'_>, certain: bool) -> Self {
        let groups = circuit.types.len();
        let units = groups + circuit.groups.len();
        let mut after: Vec<Vec<usize>> = Vec::with_capacity(units + circuit.units.len());
        after.extend(
            circuit.types.iter().map(|kind| kind.groups.iter().map(|group| groups + group).collect()),
        );
        for group in &circuit.groups {
            let listeners = group.listeners.iter().map(|index| &circuit.listeners[*index]);
            let begins = listeners.filter(|listener| {
                matches!(listener.role, Role::Handles | Role::Starts | Role::Asked)
                    && !(certain && (listener.role == Role::Handles || listener.condition.is_some()))
            });
            after.push(begins.map(|listener| units + listener.unit).collect());
        }
        for unit in &circuit.units {
            let emissions = unit
                .emissions
                .iter()
                .filter(|index| !certain || unit.wired && circuit.emissions[**index].condition.is_none());
            after.push(emissions.filter_map(|index| circuit.type_of(*index)).collect());
        }
        Self { after, units }
    }

    /// The parts in which each node can be reached from each (Tarjan's way, without recursion), in the order of their
    /// first nodes.
    fn rings(&self) -> Vec<Vec<usize>> {
        let mut search = Search::new(self.after.len());
        for node in 0..self.after.len() {
            search.begin(node, &self.after);
        }
        let mut rings = search.rings;
        rings.iter_mut().for_each(|ring| ring.sort_unstable());
        rings.sort_unstable();
        rings
    }

    /// The shortest way round in a ring: from its first type, or over one emission.
    fn way_round(&self, ring: &[usize], over: Option<(usize, usize)>) -> Option<Vec<usize>> {
        let (end, begin) = match over {
            Some((unit, kind)) => (Some(unit), kind),
            None => (None, *ring.first()?),
        };
        let mut from: HashMap<usize, usize> = HashMap::new();
        let mut open = VecDeque::from([begin]);
        while let Some(node) = open.pop_front() {
            let is_last = end.map_or_else(|| self.after[node].contains(&begin), |end| end == node);
            if is_last {
                let mut way = vec![node];
                while let Some(before) =
                    way.last().filter(|last| **last != begin).and_then(|last| from.get(last))
                {
                    way.push(*before);
                }
                way.reverse();
                return Some(way);
            }
            for next in &self.after[node] {
                if *next != begin && ring.binary_search(next).is_ok() && !from.contains_key(next) {
                    from.insert(*next, node);
                    open.push_back(*next);
                }
            }
        }
        None
    }
}

/// A search through a web for its rings.
struct Search {
    /// When each node was met, from 1; 0 for one that was not.
    met: Vec<usize>,
    /// The earliest node that can be reached from it.
    low: Vec<usize>,
    is_open: Vec<bool>,
    open: Vec<usize>,
    count: usize,
    rings: Vec<Vec<usize>>,
}

impl Search {
    fn new(nodes: usize) -> Self {
        Self {
            met: vec![0; nodes],
            low: vec![0; nodes],
            is_open: vec![false; nodes],
            open: Vec::new(),
            count: 0,
            rings: Vec::new(),
        }
    }

    fn meet(&mut self, node: usize) {
        self.count += 1;
        (self.met[node], self.low[node]) = (self.count, self.count);
        self.is_open[node] = true;
        self.open.push(node);
    }

    fn begin(&mut self, root: usize, after: &[Vec<usize>]) {
        if self.met[root] > 0 {
            return;
        }
        self.meet(root);
        let mut path = vec![(root, 0)];
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            if let Some(child) = after[node].get(*next).copied() {
                *next += 1;
                if self.met[child] == 0 {
                    self.meet(child);
                    path.push((child, 0));
                } else if self.is_open[child] {
                    self.low[node] = self.low[node].min(self.met[child]);
                }
                continue;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                self.low[*parent] = self.low[*parent].min(self.low[node]);
            }
            if self.low[node] == self.met[node] {
                self.close(node);
            }
        }
    }

    /// A node from which nothing earlier can be reached ends a part; one node alone is no ring, for events and work take
    /// turns.
    fn close(&mut self, first: usize) {
        let begins = self.open.iter().rposition(|node| *node == first).unwrap_or_default();
        let ring = self.open.split_off(begins);
        ring.iter().for_each(|node| self.is_open[*node] = false);
        if ring.len() > 1 {
            self.rings.push(ring);
        }
    }
}
