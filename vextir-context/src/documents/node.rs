//! The tree of folders and documents, row by row.

use super::keeping::{CONDEMNED, GONE};
use crate::decode::{count, get, name, time};
use crate::fault::{OrFault, damaged};
use rusqlite::{Connection, OptionalExtension, Params, Row};
use std::sync::LazyLock;
use vextir_core::{Name, Result, Timestamp};

/// The number of a node.
pub(crate) type NodeId = i64;

/// A longer chain of folders is a damaged file: paths are far shorter.
pub(crate) const DEEPEST: usize = 1_024;

/// How much of what was removed from one place is looked at.
const REMOVED: u32 = 1_000;

const COLUMNS: &str = "id, kind, parent, name, restricted, created, updated, removed, tall, long";

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A user's root.
    Root,
    Folder,
    Document,
}

impl Kind {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Root => 0,
            Self::Folder => 1,
            Self::Document => 2,
        }
    }

    pub(super) fn of(number: i64) -> Result<Self> {
        match number {
            0 => Ok(Self::Root),
            1 => Ok(Self::Folder),
            2 => Ok(Self::Document),
            other => Err(damaged(format_args!("the kind {other} of a node"))),
        }
    }
}

/// One folder or document.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) kind: Kind,
    pub(crate) parent: NodeId,
    /// The last segment of its path; the user, for a root.
    pub(crate) name: Name,
    pub(crate) restricted: bool,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) removed: Option<Timestamp>,
    /// How many folders and bytes something below it adds to its path, at most.
    pub(crate) extent: Extent,
}

/// A length of paths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) depth: usize,
    pub(crate) bytes: usize,
}

impl Extent {
    /// That of some names, one below the other.
    pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names
            .into_iter()
            .fold(Self::default(), |extent, name| extent.and(Self { depth: 1, bytes: name.len() + 1 }))
    }

    /// One below the other.
    pub(crate) fn and(self, below: Self) -> Self {
        Self { depth: self.depth + below.depth, bytes: self.bytes + below.bytes }
    }

    /// The larger one of each.
    pub(crate) fn max(self, other: Self) -> Self {
        Self { depth: self.depth.max(other.depth), bytes: self.bytes.max(other.bytes) }
    }

    pub(crate) fn fits(self, depth: usize, bytes: usize) -> bool {
        self.depth <= depth && self.bytes <= bytes
    }
}

impl Node {
    pub(crate) fn is_document(&self) -> bool {
        self.kind == Kind::Document
    }

    /// Whether it is being removed for good, or was: nobody can restore it any more.
    pub(crate) fn is_purged(&self) -> bool {
        self.removed.is_some_and(|at| matches!(at.as_micros(), CONDEMNED | GONE))
    }

    fn read(row: &Row<'_>) -> Result<Self> {
        Self::read_at(row, 0)
    }

    /// From the columns that begin there.
    fn read_at(row: &Row<'_>, at: usize) -> Result<Self> {
        Ok(Self {
            id: get(row, at)?,
            kind: Kind::of(get(row, at + 1)?)?,
            parent: get(row, at + 2)?,
            name: name(row, at + 3)?,
            restricted: get(row, at + 4)?,
            created: time(row, at + 5)?,
            updated: time(row, at + 6)?,
            removed: get::<Option<i64>>(row, at + 7)?.map(Timestamp::from_micros),
            extent: Extent { depth: length(row, at + 8)?, bytes: length(row, at + 9)? },
        })
    }
}

fn length(row: &Row<'_>, at: usize) -> Result<usize> {
    Ok(usize::try_from(count(row, at)?).unwrap_or(usize::MAX))
}

fn one(connection: &Connection, condition: &str, params: impl Params) -> Result<Option<Node>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM node WHERE {condition}"))
        .and_then(|mut statement| statement.query_row(params, |row| Ok(Node::read(row))).optional())
        .or_fault()?
        .transpose()
}

/// How many columns a node has.
const WIDTH: usize = 10;

/// How many steps down one statement takes: most paths are one.
const STEPS: usize = 4;

/// For each number of steps the statement that takes them: as far down as there are nodes, the others are null.
static DOWN: LazyLock<[String; STEPS]> = LazyLock::new(|| {
    std::array::from_fn(|last| {
        let all = 0..=last;
        let columns = |step| COLUMNS.split(", ").map(move |column| format!("n{step}.{column}"));
        let columns: Vec<String> = all.clone().flat_map(columns).collect();
        let below = |step: usize| {
            let (above, name) = (step - 1, step + 2);
            format!(
                " LEFT JOIN node n{step} ON n{step}.parent = n{above}.id AND n{step}.name = ?{name} \
                 AND n{step}.removed IS NULL"
            )
        };
        let joins: String = all.skip(1).map(below).collect();
        let columns = columns.join(", ");
        format!(
            "SELECT {columns} FROM node n0{joins} WHERE n0.parent = ?1 AND n0.name = ?2 AND n0.removed IS NULL"
        )
    })
});

/// What stands under these names, one below the other, as far as they exist, and not below a document;
/// 0 is above the roots of all users.
pub(crate) fn down(connection: &Connection, folder: NodeId, names: &[&str]) -> Result<Vec<Node>> {
    let (mut found, mut above) = (Vec::with_capacity(names.len()), folder);
    for names in names.chunks(STEPS) {
        let before = found.len();
        let mut statement = connection.prepare_cached(&DOWN[names.len() - 1]).or_fault()?;
        statement.raw_bind_parameter(1, above).or_fault()?;
        for (index, name) in names.iter().enumerate() {
            statement.raw_bind_parameter(index + 2, name).or_fault()?;
        }
        let mut rows = statement.raw_query();
        if let Some(row) = rows.next().or_fault()? {
            for at in (0..names.len() * WIDTH).step_by(WIDTH) {
                if get::<Option<NodeId>>(row, at)?.is_none() {
                    break;
                }
                let node = Node::read_at(row, at)?;
                let is_document = node.is_document();
                found.push(node);
                if is_document {
                    return Ok(found);
                }
            }
        }
        match found.last() {
            Some(last) if found.len() == before + names.len() => above = last.id,
            _ => break,
        }
    }
    Ok(found)
}

/// A user's root, if the user has written anything yet.
pub(crate) fn root(connection: &Connection, user: &str) -> Result<Option<Node>> {
    child(connection, 0, user)
}

/// What a folder has under a name.
pub(crate) fn child(connection: &Connection, folder: NodeId, name: &str) -> Result<Option<Node>> {
    one(connection, "parent = ?1 AND name = ?2 AND removed IS NULL", (folder, name))
}

/// A node, also a removed one.
pub(crate) fn node(connection: &Connection, id: NodeId) -> Result<Option<Node>> {
    one(connection, "id = ?1", [id])
}

/// What was removed from a place, last first; at most [`REMOVED`].
pub(crate) fn removed(connection: &Connection, folder: NodeId, name: &str) -> Result<Vec<Node>> {
    let condition =
        "parent = ?1 AND name = ?2 AND removed IS NOT NULL AND removed >= 0 ORDER BY removed DESC LIMIT ?3";
    many(connection, condition, (folder, name, REMOVED))
}

/// The folders in a folder.
pub(crate) fn folders(connection: &Connection, folder: NodeId, limit: usize) -> Result<Vec<Node>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    many(connection, "parent = ?1 AND kind = 1 AND removed IS NULL LIMIT ?2", (folder, limit))
}

fn many(connection: &Connection, condition: &str, params: impl Params) -> Result<Vec<Node>> {
    let sql = format!("SELECT {COLUMNS} FROM node WHERE {condition}");
    let mut statement = connection.prepare_cached(&sql).or_fault()?;
    let mut rows = statement.query(params).or_fault()?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().or_fault()? {
        found.push(Node::read(row)?);
    }
    Ok(found)
}

/// A page of what is in a folder, by name.
pub(crate) fn children(
    connection: &Connection,
    folder: NodeId,
    after: &str,
    limit: usize,
) -> Result<Vec<Node>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    many(
        connection,
        "parent = ?1 AND name > ?2 AND removed IS NULL ORDER BY name LIMIT ?3",
        (folder, after, limit),
    )
}

/// The nodes from a root down to a node, removed ones among them.
pub(crate) fn chain(connection: &Connection, id: NodeId) -> Result<Vec<Node>> {
    let mut chain = Vec::new();
    let mut next = id;
    while next != 0 {
        let node = node(connection, next)?.ok_or_else(|| damaged("a folder"))?;
        next = node.parent;
        chain.push(node);
        if chain.len() > DEEPEST {
            return Err(damaged("a folder"));
        }
    }
    chain.reverse();
    Ok(chain)
}

/// What a node is called whatever its path is.
pub(crate) fn uid(connection: &Connection, id: NodeId) -> Result<String> {
    connection
        .prepare_cached("SELECT lower(hex(uid)) FROM node WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([id], |row| row.get(0)))
        .or_fault()
}

/// Whether all of a chain is there.
pub(crate) fn is_live(chain: &[Node]) -> bool {
    chain.iter().all(|node| node.removed.is_none())
}

/// The path of the folder that the end of a chain is in, as the tree's owner sees it.
pub(crate) fn folder_of(chain: &[Node]) -> String {
    let above = chain.get(1..chain.len().saturating_sub(1)).unwrap_or_default();
    join("/", above.iter().map(|node| node.name.as_str()))
}

/// The path of names below some folder.
pub(crate) fn join<'a>(prefix: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let mut path = if prefix == "/" { String::new() } else { prefix.to_owned() };
    for name in names {
        path.push('/');
        path.push_str(name);
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vextir_core::{Actor, Level};

    /// What is asked for each document must not depend on how many there are.
    #[test]
    fn every_statement_finds_its_rows_by_an_index_and_in_order() {
        let connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&connection, 0).unwrap();
        let select = |condition: &str| format!("SELECT {COLUMNS} FROM node WHERE {condition}");
        let statements = [
            select("parent = ?1 AND name = ?2 AND removed IS NULL"),
            select("id = ?1"),
            select("parent = ?1 AND name = ?2 AND removed IS NOT NULL ORDER BY removed DESC LIMIT ?3"),
            select("parent = ?1 AND kind = 1 AND removed IS NULL LIMIT ?2"),
            select("parent = ?1 AND name > ?2 AND removed IS NULL ORDER BY name LIMIT ?3"),
            "SELECT max(level) FROM entitlement WHERE node = ?1
             AND (who = ?2 OR who IN (SELECT who FROM member WHERE user = ?3))"
                .into(),
            "SELECT user FROM member WHERE who = ?1 AND user > ?2 AND EXISTS
             (SELECT 1 FROM entitlement WHERE node = ?3 AND who = ?1) ORDER BY user LIMIT ?4"
                .into(),
            "SELECT node FROM entitlement WHERE who = ?1 AND node > ?2 ORDER BY node LIMIT ?3".into(),
            "SELECT 1 FROM entitlement JOIN member ON member.who = entitlement.who
             WHERE node = ?1 AND user = ?2 AND entitlement.since < ?3 AND member.since < ?3"
                .into(),
            "SELECT owner, name FROM mount WHERE user = ?1 AND node = ?2".into(),
            "SELECT version, body FROM change WHERE node = ?1 AND version <= ?2 AND body IS NOT NULL ORDER BY seq"
                .into(),
            "SELECT what FROM change WHERE node = ?1 AND seq < ?2 ORDER BY seq DESC".into(),
            "SELECT what FROM change WHERE node = ?1 AND what IN (2, 3, 4) AND what <> 2 AND at <= ?2
             ORDER BY seq DESC LIMIT 1"
                .into(),
            "SELECT version, node FROM former WHERE parent = ?1 AND name = ?2".into(),
            crate::sync::ROOTS.into(),
        ];
        for sql in statements {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let mut steps = statement.raw_query();
            while let Some(step) = steps.next().unwrap() {
                let step: String = step.get("detail").unwrap();
                assert!(!step.starts_with("SCAN") && !step.contains("TEMP B-TREE"), "{step}: {sql}");
            }
        }
    }

    #[test]
    fn a_circle_of_folders_is_damage_and_no_endless_loop() {
        let connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&connection, 0).unwrap();
        connection
            .execute_batch(
                "INSERT INTO node (id, uid, kind, parent, name, created, updated, clock)
                 VALUES (1, x'01', 1, 2, 'a', 0, 0, 0), (2, x'02', 1, 1, 'b', 0, 0, 0)",
            )
            .unwrap();
        assert_eq!(chain(&connection, 1).unwrap_err().kind(), vextir_core::ErrorKind::Corrupt);
        assert_eq!(chain(&connection, 7).unwrap_err().kind(), vextir_core::ErrorKind::Corrupt);
        let nobody = super::super::rights::level_at(&connection, &Actor::user("ann"), &[]).unwrap();
        assert_eq!(nobody, Level::None);
    }
}
