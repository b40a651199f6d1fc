//! What is in a folder, for an actor.

use super::node::{self, Node, is_live, join};
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
                Some(_) => {
                    page(&snapshot, Rights::of(actor, &place.owner), &place.chain, (folder, after, limit))?
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

/// The entries of the folder at the end of a chain, for somebody with these rights above its root.
pub(super) fn page(
    connection: &Connection,
    mut rights: Rights,
    chain: &[Node],
    page: (&str, &str, usize),
) -> Result<Vec<Item>> {
    let Some(folder) = chain.last().filter(|last| !last.is_document()) else { return Ok(Vec::new()) };
    if !rights.is_everywhere() {
        for node in chain {
            rights.enter(connection, node)?;
        }
    }
    entries(connection, &rights, folder.id, page)
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
    // What is in sight is so by a right on it or on something above it, which then is in sight too: where nobody has
    // given anything any more, no place need be gone to.
    if actor.agent.is_none() && !is_given_anything(connection, actor, owner)? {
        return Ok(Vec::new());
    }
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

/// Whether a user has a right at some place of its own below `/Shared`, or below one of its folders.
fn is_given_anything(connection: &Connection, actor: &Actor, owner: Option<&str>) -> Result<bool> {
    let mine = |who: &str| {
        format!(
            "SELECT 1 FROM entitlement CROSS JOIN mount ON mount.user = ?1 AND mount.node = entitlement.node
             WHERE entitlement.who {who} AND (?2 IS NULL OR mount.owner = ?2)"
        )
    };
    let sql = format!(
        "{} UNION ALL {} LIMIT 1",
        mine("= 'u:' || ?1"),
        mine("IN (SELECT member.who FROM member WHERE member.user = ?1)")
    );
    connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.exists((actor.user.as_str(), owner)))
        .or_fault()
}

fn visible(connection: &Connection, actor: &Actor, row: &Row<'_>) -> Result<Option<(ItemKind, Timestamp)>> {
    let chain = node::chain(connection, get(row, 2)?)?;
    if !is_live(&chain) || level_at(connection, actor, &chain)? < Level::Read {
        return Ok(None);
    }
    Ok(chain.last().map(|node| (item_kind(node), node.updated)))
}
