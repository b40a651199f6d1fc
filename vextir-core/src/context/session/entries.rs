//! The entries of a folder, with what a handler changes in it.

use super::super::{Change, Intent, Item, ItemKind, is_within};
use crate::Timestamp;
use std::collections::BTreeMap;

/// By name; `None` for what came from elsewhere, and is yet to be looked at.
pub(super) type Entries = BTreeMap<String, Option<Item>>;

/// Whether it may change which entries a folder has.
pub(super) fn is_structural(what: &Intent, path: &str, folder: &str) -> bool {
    match what {
        Intent::Move(to) => {
            is_within(path, folder)
                || is_within(to, folder)
                || is_within(folder, path)
                || is_within(folder, to)
        }
        Intent::Remove | Intent::Restore => is_within(path, folder) || is_within(folder, path),
        what => what.makes() && is_within(path, folder),
    }
}

fn made(kind: ItemKind) -> Option<Item> {
    Some(Item::new("", kind, Timestamp::UNSET))
}

/// Changes the entries of a folder as one change does.
pub(super) fn overlay(items: &mut Entries, folder: &str, change: &Change) {
    let child = |path: &str| -> Option<(String, bool)> {
        let rest = if folder == "/" { path } else { path.strip_prefix(folder)? };
        let rest = rest.strip_prefix('/').filter(|rest| !rest.is_empty())?;
        let (name, below) = rest.split_once('/').map_or((rest, false), |(name, _)| (name, true));
        Some((name.to_owned(), below))
    };
    match &change.what {
        Intent::Remove => match child(&change.path) {
            Some((name, false)) => drop(items.remove(&name)),
            None if is_within(folder, &change.path) => items.clear(),
            _ => {}
        },
        Intent::Move(to) => {
            let moved = match child(&change.path) {
                Some((name, false)) => items.remove(&name),
                _ => None,
            };
            match child(to) {
                Some((name, false)) => drop(items.insert(name, moved.flatten())),
                Some((name, true)) => drop(items.entry(name).or_insert_with(|| made(ItemKind::Folder))),
                None => {}
            }
        }
        Intent::Restore => {
            if let Some((name, false)) = child(&change.path) {
                items.insert(name, None);
            }
        }
        what if what.makes() => {
            if let Some((name, below)) = child(&change.path) {
                let is_folder = below || matches!(what, Intent::Guide(_));
                let kind = if is_folder { ItemKind::Folder } else { ItemKind::Document };
                items.entry(name).or_insert_with(|| made(kind));
            }
        }
        _ => {}
    }
}

pub(super) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
