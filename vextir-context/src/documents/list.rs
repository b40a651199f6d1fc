//! What is in a folder, for an actor.

use super::node::{self, is_live, join};
use super::place::{SHARED, Spot, find, item_kind};
use super::rights::{Rights, level_at};
use crate::decode::{get, name};
use crate::fault::OrFault;
use rusqlite::{Connection, Row};
use vextir_core::context::{Item, ItemKind};
use vextir_core::{Actor, Level, Name, Result, Timestamp};

/// A page of a folder's entries that the actor may read, by name.
pub(crate) fn list(
    connection: &Connection,
    actor: &Actor,
    folder: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<Item>> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let items = match find(&snapshot, actor, folder)? {
        Spot::Nowhere => Vec::new(),
        Spot::Area(owner) => {
            let named = mounts(&snapshot, actor, owner.as_deref(), after, limit)?;
            let path = |name: &str| join(folder, [name]);
            named.into_iter().map(|(name, kind, updated)| Item::new(path(&name), kind, updated)).collect()
        }
        Spot::Place(place) => {
            let mut items = match place.node() {
                Some(node) if !node.is_document() => {
                    let mut rights = Rights::of(actor, &place.owner);
                    if !rights.is_everywhere() {
                        for node in &place.chain {
                            rights.enter(&snapshot, node)?;
                        }
                    }
                    entries(&snapshot, &rights, node.id, (folder, after, limit))?
                }
                _ => Vec::new(),
            };
            if folder == "/" && SHARED > after && !mounts(&snapshot, actor, None, "", 1)?.is_empty() {
                let path = join("/", [SHARED]);
                let place = items.partition_point(|item| item.path < path);
                items.insert(place, Item::new(path, ItemKind::Folder, Timestamp::UNSET));
                items.truncate(limit);
            }
            items
        }
    };
    snapshot.finish().or_fault()?;
    Ok(items)
}

fn entries(
    connection: &Connection,
    rights: &Rights,
    folder: i64,
    (path, after, limit): (&str, &str, usize),
) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut after = Name::from(after);
    while items.len() < limit {
        let page = node::children(connection, folder, &after, limit)?;
        let last = page.len() < limit;
        let Some(end) = page.last() else { break };
        after = end.name.clone();
        for node in page {
            let mut rights = rights.clone();
            if !rights.is_everywhere() {
                rights.enter(connection, &node)?;
            }
            if rights.level() >= Level::Read && items.len() < limit {
                items.push(Item::new(join(path, [node.name.as_str()]), item_kind(&node), node.updated));
            }
        }
        if last {
            break;
        }
    }
    Ok(items)
}

type Named = (Name, ItemKind, Timestamp);

/// The owners who share something with the actor, or what one of them shares.
fn mounts(
    connection: &Connection,
    actor: &Actor,
    owner: Option<&str>,
    after: &str,
    limit: usize,
) -> Result<Vec<Named>> {
    let sql =
        "SELECT owner, name, node FROM mount WHERE user = ?1 AND owner >= ?2 AND (?3 IS NULL OR owner = ?3)
               ORDER BY owner, name";
    let mut statement = connection.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query((actor.user.as_str(), owner.unwrap_or(after), owner)).or_fault()?;
    let mut found: Vec<Named> = Vec::new();
    while let Some(row) = rows.next().or_fault()? {
        if found.len() >= limit {
            break;
        }
        let shown = name(row, usize::from(owner.is_some()))?;
        let is_new = found.last().is_none_or(|(last, ..)| *last != shown);
        if *shown > *after
            && is_new
            && let Some((kind, updated)) = visible(connection, actor, row)?
        {
            let area = (ItemKind::Folder, Timestamp::UNSET);
            let (kind, updated) = if owner.is_some() { (kind, updated) } else { area };
            found.push((shown, kind, updated));
        }
    }
    Ok(found)
}

fn visible(connection: &Connection, actor: &Actor, row: &Row<'_>) -> Result<Option<(ItemKind, Timestamp)>> {
    let chain = node::chain(connection, get(row, 2)?)?;
    if !is_live(&chain) || level_at(connection, actor, &chain)? < Level::Read {
        return Ok(None);
    }
    Ok(chain.last().map(|node| (item_kind(node), node.updated)))
}
