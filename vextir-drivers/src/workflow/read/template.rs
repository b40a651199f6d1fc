//! Templates and conditions in a file: what they read, and where in the file that stands.

use crate::workflow::expression::{Condition, Flaw, Reference, Template};
use crate::yaml::{Found, Node, form};
use std::ops::Range;
use std::sync::Arc;

/// Something that a template or condition reads, and where.
#[derive(Debug, Clone)]
pub(in crate::workflow) struct Read {
    pub(in crate::workflow) path: Vec<String>,
    /// The value with the text that reads it, where that stands in it, and the part of the text.
    node: Arc<Node>,
    within: Vec<String>,
    part: Range<usize>,
}

impl Read {
    fn of(reference: Reference, node: &Arc<Node>) -> Self {
        let Reference { path, within, at } = reference;
        Self { path, node: Arc::clone(node), within, part: at }
    }

    /// Its place in the file. It is looked for, so only who has something to say asks.
    pub(in crate::workflow) fn at(&self, source: &str, found: &Found) -> Range<usize> {
        place(&self.node, &self.within, &self.part, source, found)
    }
}

/// The place of a part of a text that stands in a value; of the text, where there is so much to say that nobody reads it.
fn place(node: &Node, within: &[String], part: &Range<usize>, source: &str, found: &Found) -> Range<usize> {
    let node = node.within(within);
    if found.is_crowded() { node.at.clone() } else { node.part(source, part) }
}

/// The text of the file, for places inside templates and conditions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'t>(pub(super) &'t str);

impl Text<'_> {
    /// A value with templates in it, and what they read.
    pub(super) fn template(self, node: &Arc<Node>, found: &mut Found) -> Option<(Template, Vec<Read>)> {
        match Template::parse(&node.to_json(found)) {
            Ok(template) => {
                let reads = template.references().into_iter().map(|reference| Read::of(reference, node));
                let reads = reads.collect();
                Some((template, reads))
            }
            Err(flaws) => {
                flaws.into_iter().for_each(|flaw| self.flaw(node, flaw, found));
                None
            }
        }
    }

    /// A condition, and what it reads.
    pub(super) fn condition(self, node: &Node, found: &mut Found) -> Option<(Condition, Vec<Read>)> {
        match Condition::parse(form::text(node, "a condition", found)?) {
            Ok(condition) => {
                let node = Arc::new(node.clone());
                let reads = condition.references().into_iter().map(|reference| Read::of(reference, &node));
                let reads = reads.collect();
                Some((condition, reads))
            }
            Err(flaw) => {
                self.flaw(node, flaw, found);
                None
            }
        }
    }

    fn flaw(self, node: &Node, flaw: Flaw, found: &mut Found) {
        let at = place(node, &flaw.within, &flaw.at, self.0, found);
        found.note(at, flaw.message, flaw.help);
    }
}
