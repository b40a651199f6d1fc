//! Whether a document that took in an update from outside still has the form of ours.
//!
//! What replicas of ours write has it, however it is merged. A hostile update can have the right kinds of content
//! in the wrong places.

use super::key::ElementId;
use super::leaf::Element;
use super::{SPACES, limits};
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use vextir_core::{Error, Result};
use yrs::{Any, Array, GetString, Map, Out, ReadTxn, Text};

/// Refuses a document that is too large, has mixed content, or has elements that hold one another.
///
/// The hash of all that it holds, to compare two documents within one run of a program.
pub(super) fn check(txn: &impl ReadTxn) -> Result<u64> {
    let mut names: Vec<_> = txn.root_refs().map(|(name, _)| name.to_owned()).collect();
    names.sort_unstable();
    let mut check = Check { hasher: DefaultHasher::new(), holders: HashMap::new(), leaves: 0 };
    for name in &names {
        if SPACES.contains(&name.as_str()) {
            check.map(txn, name)?;
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
    fn map(&mut self, txn: &impl ReadTxn, name: &str) -> Result<()> {
        let Some(map) = txn.get_map(name) else { return Ok(()) };
        let mut sum = 0_u64;
        for (key, out) in map.iter(txn) {
            self.leaves += 1;
            // The library gives them in no order.
            let mut entry = DefaultHasher::new();
            (name, key, bytes(any(&out)?)).hash(&mut entry);
            sum = sum.wrapping_add(entry.finish());
        }
        if sum != 0 {
            sum.hash(&mut self.hasher);
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
        let Some(array) = txn.get_array(name) else { return Ok(()) };
        for out in array.iter(txn) {
            self.leaves += 1;
            let any = any(&out)?;
            (name, bytes(any)).hash(&mut self.hasher);
            if let Element::Part(id) = Element::of(any)
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

fn any(out: &Out) -> Result<&Any> {
    match out {
        Out::Any(any) => Ok(any),
        _ => Err(refused("a value that is none")),
    }
}

fn bytes(any: &Any) -> Vec<u8> {
    let mut bytes = Vec::new();
    any.encode(&mut bytes);
    bytes
}

fn refused(what: &str) -> Error {
    Error::invalid(format!("the update makes {what}; it was not applied"))
}
