//! How everything hangs together, as a graph that can be drawn.

mod drawn;

pub use drawn::mermaid_text;

use super::circuit::{Actor, Circuit, Role};
use crate::Name;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a node stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NodeKind {
    /// What comes from outside, as the application said.
    Outside,
    /// What the kernel says of itself.
    Kernel,
    /// A schedule.
    Schedule,
    /// An event type.
    Event,
    /// A pattern that somebody listens to.
    Pattern,
    /// A driver; an instruction is one too.
    Driver,
    /// Open subscriptions to one pattern.
    Subscription,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub struct Node {
    /// What it stands for.
    pub kind: NodeKind,
    /// What it is called.
    pub name: Name,
}

/// What leads from one node to another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub struct Edge {
    /// The number of the node at which it begins.
    pub from: usize,
    /// The number of the node at which it ends.
    pub to: usize,
    /// The part of the driver that it is about, and the condition; empty if there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
}

/// Event types, who emits them and who listens to them. The same application gives the same graph.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

impl Graph {
    /// The nodes; edges name them by their places here.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The edges.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    pub(super) fn of(circuit: &Circuit<'_>) -> Self {
        let mut sketch = Sketch::default();
        sketch.emissions(circuit);
        sketch.listeners(circuit);
        sketch.surroundings(circuit);
        sketch.finish()
    }
}

/// Nodes and edges by what they are, before they have numbers.
#[derive(Default)]
struct Sketch {
    nodes: BTreeSet<Node>,
    edges: BTreeSet<(Node, Node, String)>,
}

impl Sketch {
    fn lead(&mut self, from: Node, to: Node, label: String) {
        self.nodes.insert(from.clone());
        self.nodes.insert(to.clone());
        self.edges.insert((from, to, label));
    }

    fn emissions(&mut self, circuit: &Circuit<'_>) {
        for emission in &circuit.emissions {
            let who = actor(emission.who.actor);
            let label = label(emission.who.part, emission.condition);
            self.lead(who, Node::new(NodeKind::Event, emission.event_type), label);
        }
        for kind in &circuit.types {
            for group in &kind.groups {
                self.joins(kind.name, circuit.groups[*group].pattern);
            }
        }
    }

    /// An event that matches a pattern.
    fn joins(&mut self, event: &Name, pattern: &Name) {
        if event != pattern {
            let event = Node::new(NodeKind::Event, event);
            self.lead(event, heard(pattern), String::new());
        }
    }

    fn listeners(&mut self, circuit: &Circuit<'_>) {
        for group in &circuit.groups {
            for index in &group.listeners {
                let listener = &circuit.listeners[*index];
                // Wires say more, and what every processor has is drawn nowhere.
                if listener.role != Role::Takes {
                    let label = label(listener.who.part, listener.condition);
                    self.lead(heard(group.pattern), actor(listener.who.actor), label);
                }
            }
        }
    }

    fn surroundings(&mut self, circuit: &Circuit<'_>) {
        // Only what was drawn already is joined.
        let is_drawn = |sketch: &Self, pattern: &Name| sketch.nodes.contains(&heard(pattern));
        let kernel = Node::new(NodeKind::Kernel, &Name::literal("the kernel"));
        for name in &circuit.kernels {
            let name = Name::from(*name);
            for group in circuit.groups_of(&name) {
                let pattern = circuit.groups[group].pattern;
                if is_drawn(self, pattern) && *pattern != "**" {
                    self.lead(kernel.clone(), heard(pattern), String::new());
                }
            }
        }
        for input in circuit.facts.asked.inputs.iter().flatten() {
            let outside = Node::new(NodeKind::Outside, &Name::from(input.as_str()));
            self.nodes.insert(outside.clone());
            for group in circuit.groups_beside(input) {
                let pattern = circuit.groups[group].pattern;
                if is_drawn(self, pattern) {
                    self.lead(outside.clone(), heard(pattern), String::new());
                }
            }
        }
        for pattern in &circuit.facts.subscriptions {
            let subscription = Node::new(NodeKind::Subscription, &Name::from(pattern.as_str()));
            self.nodes.insert(subscription.clone());
            for kind in circuit.types.iter().filter(|kind| pattern.matches(kind.name)) {
                self.lead(Node::new(NodeKind::Event, kind.name), subscription.clone(), String::new());
            }
        }
    }

    fn finish(self) -> Graph {
        let nodes: Vec<Node> = self.nodes.into_iter().collect();
        let numbers: BTreeMap<&Node, usize> =
            nodes.iter().enumerate().map(|(number, node)| (node, number)).collect();
        let edges = self.edges.iter().map(|(from, to, label)| Edge {
            from: numbers[from],
            to: numbers[to],
            label: label.clone(),
        });
        let edges = edges.collect();
        Graph { nodes, edges }
    }
}

impl Node {
    fn new(kind: NodeKind, name: &Name) -> Self {
        Self { kind, name: name.clone() }
    }
}

fn actor(actor: Actor<'_>) -> Node {
    match actor {
        Actor::Driver(id) => Node::new(NodeKind::Driver, id),
        Actor::Schedule(scheduled) => Node::new(NodeKind::Schedule, &scheduled.id),
    }
}

/// What somebody listens to: an event, or a pattern of events.
fn heard(pattern: &Name) -> Node {
    Node::new(if pattern.contains('*') { NodeKind::Pattern } else { NodeKind::Event }, pattern)
}

fn label(part: &str, condition: Option<&str>) -> String {
    match (part, condition) {
        (part, None) => part.to_owned(),
        ("", Some(condition)) => format!("if {condition}"),
        (part, Some(condition)) => format!("{part}, if {condition}"),
    }
}
