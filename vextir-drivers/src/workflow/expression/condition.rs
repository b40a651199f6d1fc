//! Conditions: a part of CEL, read and evaluated here.
//!
//! The `cel` crate's parser goes as deep as a text says, so it needs a thread with a large stack, and reads a condition
//! in a hundred times the time. Its interpreter has no bound on the work, copies all that it is given, and says not
//! where an error is. So it serves the tests: what is read here is CEL, and what is told here CEL tells alike.

mod eval;
mod number;
mod parse;
#[cfg(test)]
mod tests;
mod token;
mod tree;

use super::names::shortened;
use super::{Flaw, Names, Reference};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use tree::{Expr, Node};

/// How much of the text stands in an error, in characters.
const SHOWN: usize = 120;
/// How long the reason of an error is, in characters.
const REASON: usize = 400;

/// A condition, in the language of policies: CEL, with `.length`.
///
#[doc = include_str!("../../../docs/expressions.md")]
#[derive(Clone)]
pub struct Condition(Arc<Parsed>);

struct Parsed {
    source: String,
    tree: Node,
}

impl Condition {
    /// Reads a condition.
    pub(crate) fn parse(text: &str) -> Result<Self, Flaw> {
        let tree = parse::parse(text)?;
        Ok(Self(Arc::new(Parsed { source: text.to_owned(), tree })))
    }

    /// What it reads; of `has(x.y)` that is `x`.
    pub(crate) fn references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        collect(&self.0.tree, None, &mut found);
        found
    }

    /// Whether it holds. What cannot be evaluated is an error, with the reason: never true and never false.
    pub(crate) fn holds(&self, names: &Names) -> Result<bool, String> {
        let Parsed { source, tree } = &*self.0;
        eval::holds(source, tree, names).map_err(|reason| {
            format!("`{}` cannot be told: {}", shortened(source.trim(), SHOWN), shortened(&reason, REASON))
        })
    }

    /// As it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.0.source).finish()
    }
}

/// The paths that a part reads, but for the element at hand.
fn collect(node: &Node, element: Option<&str>, found: &mut Vec<Reference>) {
    if let Some((path, end)) = path(node) {
        if element != Some(path[0].as_str()) {
            found.push(Reference { path, within: Vec::new(), at: node.at.start..end });
        }
        return;
    }
    if let Expr::Each { list, name, body, .. } = &node.expr {
        collect(list, element, found);
        collect(body, Some(name), found);
        return;
    }
    for part in node.parts() {
        collect(part, element, found);
    }
}

/// The path that a part is, where it is nothing else; and where it ends.
fn path(node: &Node) -> Option<(Vec<String>, usize)> {
    let (of, key) = match &node.expr {
        Expr::Name(name) => return Some((vec![name.clone()], node.at.end)),
        Expr::Field(of, key) if key != "length" => (of, key),
        Expr::Index(of, index) => match &index.expr {
            Expr::Literal(Value::String(key)) => (of, key),
            _ => return None,
        },
        _ => return None,
    };
    // Behind an index that is no key nothing is fixed any more.
    let (mut path, _) = path(of)?;
    path.push(key.clone());
    Some((path, node.at.end))
}
