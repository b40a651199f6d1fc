//! Many patterns at once: a trie of segments, walked once per lookup.

use super::Pattern;
use foldhash::{HashMap, HashMapExt};

/// Maps patterns to values; a lookup visits only the branches that match.
#[derive(Debug, Clone)]
pub(crate) struct Trie<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Debug, Clone)]
struct Node<T> {
    /// Values of patterns that end here.
    here: Vec<T>,
    /// Values of patterns that go on with `**`.
    deeper: Vec<T>,
    children: HashMap<Box<str>, usize>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { here: Vec::new(), deeper: Vec::new(), children: HashMap::new() }
    }
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl<T: Clone> Trie<T> {
    pub(crate) fn insert(&mut self, pattern: &Pattern, value: T) {
        let mut at = 0;
        for segment in pattern.as_str().split('.') {
            if segment == "**" {
                self.nodes[at].deeper.push(value);
                return;
            }
            at = match self.nodes[at].children.get(segment) {
                Some(&next) => next,
                None => {
                    let next = self.nodes.len();
                    self.nodes.push(Node::default());
                    self.nodes[at].children.insert(segment.into(), next);
                    next
                }
            };
        }
        self.nodes[at].here.push(value);
    }

    /// The values of every pattern that matches, in no particular order.
    pub(crate) fn find(&self, event_type: &str) -> Vec<T> {
        let mut found = Vec::new();
        let mut open = vec![0];
        for segment in event_type.split('.') {
            let mut next = Vec::with_capacity(open.len());
            for at in open {
                let node = &self.nodes[at];
                found.extend_from_slice(&node.deeper);
                next.extend(node.children.get(segment));
                next.extend(node.children.get("*"));
            }
            open = next;
        }
        for at in open {
            found.extend_from_slice(&self.nodes[at].here);
        }
        found
    }
}
