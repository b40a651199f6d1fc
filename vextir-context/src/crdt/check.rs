//! Whether a document that took in an update from outside still has the form of ours.
//!
//! What replicas of ours write has it, however it is merged. A hostile update can have the right kinds of content
//! in the wrong places.

use super::key::ElementId;
use super::leaf::{self, Element};
use super::{SPACES, limits, view};
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use vextir_core::{Error, Result};
use yrs::{Any, GetString, ReadTxn, Text};

/// Refuses a document that is too large, has mixed content, or has elements that hold one another.
///
/// The hash of all that it holds, to compare two documents within one run of a program.
pub(super) fn check(txn: &impl ReadTxn) -> Result<u64> {
    let mut names: Vec<_> = txn.root_refs().map(|(name, _)| name.to_owned()).collect();
    names.sort_unstable();
    let mut check = Check { hasher: DefaultHasher::new(), holders: HashMap::new(), leaves: 0 };
    for name in &names {
        if SPACES.contains(&name.as_str()) {
            check.entries(txn, name)?;
        } else if name.get(1..2) == Some(":") {
            check.text(txn, name)?;
        } else {
            check.array(txn, name)?;
        }
    }
    limits::check_merged(check.leaves)?;
    check.holders.keys().try_for_each(|id| check.depth(*id))?;
    Ok(check.hasher.finish())
}

struct Check<'n> {
    hasher: DefaultHasher,
    /// Which array holds which element.
    holders: HashMap<ElementId, &'n str>,
    leaves: usize,
}

impl<'n> Check<'n> {
    fn entries(&mut self, txn: &impl ReadTxn, name: &str) -> Result<()> {
        for any in list(txn, name)? {
            self.leaves += 1;
            if leaf::entry_of(&any).is_none() {
                return Err(refused("an entry without a key"));
            }
            (name, bytes(&any)).hash(&mut self.hasher);
        }
        Ok(())
    }

    fn text(&mut self, txn: &impl ReadTxn, name: &str) -> Result<()> {
        let Some(text) = txn.get_text(name) else { return Ok(()) };
        let content = text.get_string(txn);
        if content.encode_utf16().count() != text.len(txn) as usize {
            return Err(refused("a text with something else in it"));
        }
        if !content.is_empty() {
            (name, &content).hash(&mut self.hasher);
        }
        limits::check_merged_text(content.len())
    }

    fn array(&mut self, txn: &impl ReadTxn, name: &'n str) -> Result<()> {
        for any in list(txn, name)? {
            self.leaves += 1;
            if leaf::entry_of(&any).is_some() {
                return Err(refused("an entry in an array"));
            }
            (name, bytes(&any)).hash(&mut self.hasher);
            if let Element::Part(id) = Element::of(&any)
                && *self.holders.entry(id).or_insert(name) != name
            {
                return Err(refused("an element that stands in two arrays"));
            }
        }
        Ok(())
    }

    /// Follows an element to the arrays that hold it, from the inside out.
    fn depth(&self, mut id: ElementId) -> Result<()> {
        for _ in 0..=limits::DEPTH {
            // The name of an array within an element is the space, a bracket, and the element's id.
            let outer = self.holders.get(&id).and_then(|name| ElementId::of(name.as_bytes().get(2..10)?));
            match outer {
                Some(outer) => id = outer,
                None => return Ok(()),
            }
        }
        Err(refused("elements that hold one another"))
    }
}

fn list(txn: &impl ReadTxn, name: &str) -> Result<Vec<Any>> {
    view::items(txn, name).ok_or_else(|| refused("a list with text in it"))
}

fn bytes(any: &Any) -> Vec<u8> {
    let mut bytes = Vec::new();
    any.encode(&mut bytes);
    bytes
}

fn refused(what: &str) -> Error {
    Error::invalid(format!("the update makes {what}; it was not applied"))
}
