//! Whether a document that took in an update from outside still has the form of ours.
//!
//! What replicas of ours write has it, however it is merged. A hostile update can have the right kinds of content
//! in the wrong places.

use super::key::ElementId;
use super::leaf::Element;
use super::{SPACES, limits};
use std::collections::HashMap;
use vextir_core::{Error, Result};
use yrs::{Any, Array, GetString, Map, Out, ReadTxn, Text};

/// Refuses a document that is too large, has mixed content, or has elements that hold one another.
pub(super) fn check(txn: &impl ReadTxn) -> Result<()> {
    let names: Vec<_> = txn.root_refs().map(|(name, _)| name.to_owned()).collect();
    let mut holders = HashMap::new();
    let mut leaves = 0;
    for name in &names {
        if SPACES.contains(&name.as_str()) {
            leaves += entries(txn, name)?;
        } else if name.get(1..2) == Some(":") {
            check_text(txn, name)?;
        } else {
            leaves += elements(txn, name, &mut holders)?;
        }
    }
    limits::check_merged(leaves)?;
    holders.keys().try_for_each(|id| check_depth(*id, &holders))
}

fn entries(txn: &impl ReadTxn, name: &str) -> Result<usize> {
    let Some(map) = txn.get_map(name) else { return Ok(0) };
    let mut count = 0;
    for (_, out) in map.iter(txn) {
        any(&out)?;
        count += 1;
    }
    Ok(count)
}

fn check_text(txn: &impl ReadTxn, name: &str) -> Result<()> {
    let Some(text) = txn.get_text(name) else { return Ok(()) };
    let content = text.get_string(txn);
    if content.encode_utf16().count() != text.len(txn) as usize {
        return Err(refused("a text with something else in it"));
    }
    limits::check_merged_text(content.len())
}

/// The number of elements of an array; notes which array holds which element.
fn elements<'n>(
    txn: &impl ReadTxn,
    name: &'n str,
    holders: &mut HashMap<ElementId, &'n str>,
) -> Result<usize> {
    let Some(array) = txn.get_array(name) else { return Ok(0) };
    for out in array.iter(txn) {
        if let Element::Part(id) = Element::of(any(&out)?)
            && *holders.entry(id).or_insert(name) != name
        {
            return Err(refused("an element that stands in two arrays"));
        }
    }
    Ok(array.len(txn) as usize)
}

fn any(out: &Out) -> Result<&Any> {
    match out {
        Out::Any(any) => Ok(any),
        _ => Err(refused("a value that is none")),
    }
}

/// Follows an element to the arrays that hold it, from the inside out.
fn check_depth(mut id: ElementId, holders: &HashMap<ElementId, &str>) -> Result<()> {
    for _ in 0..=limits::DEPTH {
        // The name of an array within an element is the space, a bracket, and the element's id.
        let outer = holders.get(&id).and_then(|name| ElementId::of(name.as_bytes().get(2..10)?));
        match outer {
            Some(outer) => id = outer,
            None => return Ok(()),
        }
    }
    Err(refused("elements that hold one another"))
}

fn refused(what: &str) -> Error {
    Error::invalid(format!("the update makes {what}; it was not applied"))
}
