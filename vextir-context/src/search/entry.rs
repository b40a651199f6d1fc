//! One folder or document on its way into the index: read beside the writer, stored by it in small steps.

use super::ids;
use super::prose::Prose;
use super::refused;
use crate::decode::get;
use crate::documents::history;
use crate::documents::node::{self, Kind, NodeId};
use crate::fault::OrFault;
use crate::queries;
use rusqlite::{Connection, OptionalExtension, Params};
use std::mem;
use vextir_core::Result;
use vextir_core::context::Deed;

/// What one transaction stores at most, in bytes of text: about a millisecond.
const STEP: usize = 64 << 10;

/// The folder of each user in which drivers keep what they have to remember.
const SYSTEM: &str = "System";

/// About how many bytes the index takes for a document beside its words.
const ROW: i64 = 300;

/// One step of indexing, stored in one transaction with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// What is known of a node goes: it is not there any more.
    Forget { node: NodeId },
    /// The name of a folder or document.
    Name { root: NodeId, node: NodeId, name: String, title: String },
    /// The words of a document are going to be replaced.
    Open { root: NodeId, node: NodeId, blocks: usize, title: String },
    /// Some of its words.
    Block { root: NodeId, node: NodeId, number: usize, title: String, about: String, body: String },
    /// All words are there; its meaning is to be looked at.
    Close { node: NodeId, version: i64, bytes: i64, is_embedded: bool },
    /// Everything of the operation log up to here is in.
    Cursor(u64),
    /// Every node up to here is in; `None` when all are.
    Sweep(Option<NodeId>),
}

impl Step {
    fn weight(&self) -> usize {
        match self {
            Self::Block { title, about, body, .. } => title.len() + about.len() + body.len() + 500,
            Self::Open { blocks, .. } => 500 + blocks * 500,
            Self::Cursor(_) | Self::Sweep(_) => 0,
            _ => 500,
        }
    }
}

/// About how many bytes steps are.
pub(super) fn weight(steps: &[Step]) -> usize {
    steps.iter().map(Step::weight).sum()
}

/// Puts steps together to transactions.
pub(super) fn portions(steps: Vec<Step>) -> Vec<Vec<Step>> {
    let mut portions = Vec::new();
    let (mut portion, mut weight) = (Vec::new(), 0);
    for step in steps {
        let more = step.weight();
        if weight > 0 && weight + more > STEP {
            portions.push(mem::take(&mut portion));
            weight = 0;
        }
        weight += more;
        portion.push(step);
    }
    if !portion.is_empty() {
        portions.push(portion);
    }
    portions
}

/// What has to be done for a node, as it is now.
pub(super) fn steps(hub: &Connection, node: NodeId, is_embedded: bool, into: &mut Vec<Step>) -> Result<()> {
    let chain = match node::node(hub, node)? {
        Some(found) if found.removed.is_none() => node::chain(hub, node)?,
        _ => Vec::new(),
    };
    let (Some(root), Some(last)) = (chain.first().map(|root| root.id), chain.last()) else {
        into.push(Step::Forget { node });
        return Ok(());
    };
    match last.kind {
        Kind::Root => Ok(()),
        Kind::Folder => {
            into.push(Step::Name { root, node, name: last.name.to_string(), title: String::new() });
            Ok(())
        }
        Kind::Document if is_of_system(&chain) => {
            into.push(Step::Forget { node });
            into.push(Step::Name { root, node, name: last.name.to_string(), title: String::new() });
            Ok(())
        }
        Kind::Document => document(hub, (root, node, &last.name), is_embedded, into),
    }
}

/// Whether a document is one that drivers keep for themselves: a run of an agent, a plan, a schedule. It is found by its name alone.
/// What agents recalled stands in their runs, and would be recalled from there again and again; and it changes all the time.
fn is_of_system(chain: &[node::Node]) -> bool {
    chain.len() > 2 && chain.get(1).is_some_and(|top| *top.name == *SYSTEM)
}

fn document(
    hub: &Connection,
    (root, node, name): (NodeId, NodeId, &str),
    is_embedded: bool,
    into: &mut Vec<Step>,
) -> Result<()> {
    let Some(stored) = Stored::read(hub, node)? else {
        into.push(Step::Forget { node });
        return Ok(());
    };
    let prose = stored.prose();
    let title = prose.title.clone().unwrap_or_default();
    into.push(Step::Name { root, node, name: name.to_owned(), title: title.clone() });
    if known_version(hub, node)? == Some(stored.version) {
        return Ok(());
    }
    let blocks = prose.blocks();
    into.push(Step::Open { root, node, blocks: blocks.len(), title: title.clone() });
    let mut bytes = ROW;
    for (number, body) in blocks.into_iter().enumerate() {
        let head = |text: &str| if number == 0 { text.to_owned() } else { String::new() };
        let block = (head(&title), head(&prose.about), body.to_owned());
        bytes += i64::try_from(block.0.len() + block.1.len() + block.2.len()).unwrap_or(0);
        into.push(Step::Block { root, node, number, title: block.0, about: block.1, body: block.2 });
    }
    into.push(Step::Close { node, version: stored.version, bytes, is_embedded });
    Ok(())
}

/// A document as it is stored.
pub(super) struct Stored {
    is_json: bool,
    metadata: Option<String>,
    content: String,
    version: i64,
}

impl Stored {
    pub(super) fn read(hub: &Connection, node: NodeId) -> Result<Option<Self>> {
        hub.prepare_cached("SELECT kind, metadata, content, version FROM document WHERE node = ?1")
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| {
                    Ok(Self {
                        is_json: row.get::<_, i64>(0)? != 0,
                        metadata: row.get(1)?,
                        content: row.get(2)?,
                        version: row.get(3)?,
                    })
                };
                statement.query_row([node], read).optional()
            })
            .or_fault()
    }

    pub(super) fn prose(&self) -> Prose<'_> {
        Prose::of(self.is_json, &self.content, self.metadata.as_deref())
    }
}

fn known_version(hub: &Connection, node: NodeId) -> Result<Option<i64>> {
    queries::value(hub, "SELECT version FROM search_node WHERE node = ?1", [node])
}

pub(super) fn execute(connection: &Connection, sql: &str, params: impl Params) -> Result<usize> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params)).or_fault()
}

/// Stores steps, in the writer's transaction; by how many bytes the index grew, about.
pub(super) fn store(connection: &Connection, steps: &[Step]) -> Result<i64> {
    let mut grown = 0;
    for step in steps {
        grown += store_step(connection, step)?;
    }
    Ok(grown)
}

fn store_step(connection: &Connection, step: &Step) -> Result<i64> {
    match step {
        Step::Forget { node } => return forget(connection, *node),
        Step::Name { root, node, name, title } => {
            if let Some(row) = ids::row(tree(connection, *root)?, *node, 0) {
                let sql = "INSERT OR REPLACE INTO search_names (rowid, name, title) VALUES (?1,?2,?3)";
                execute(connection, sql, (row, name, title))?;
            }
        }
        Step::Open { root, node, blocks, title } => {
            let tree = tree(connection, *root)?;
            remove_words(connection, *node)?;
            let sql = "INSERT INTO search_node (node, tree, blocks, version, title, bytes) VALUES (?1,?2,?3,-1,?4,0)
                       ON CONFLICT (node) DO UPDATE SET blocks = excluded.blocks, title = excluded.title, version = -1";
            execute(connection, sql, (node, tree, i64::try_from(*blocks).unwrap_or(0), title))?;
        }
        Step::Block { root, node, number, title, about, body } => {
            match ids::row(tree(connection, *root)?, *node, *number) {
                Some(row) => {
                    let sql = "INSERT OR REPLACE INTO search_words (rowid, title, about, body) VALUES (?1,?2,?3,?4)";
                    execute(connection, sql, (row, title, about, body))?;
                }
                None => {
                    tracing::warn!(node, number, "a part of a document has a number that cannot be indexed")
                }
            }
        }
        Step::Close { node, version, bytes, is_embedded } => {
            let before =
                queries::value::<i64>(connection, "SELECT bytes FROM search_node WHERE node = ?1", [node])?;
            let sql = "UPDATE search_node SET version = ?2, bytes = ?3 WHERE node = ?1";
            execute(connection, sql, (node, version, bytes))?;
            if *is_embedded {
                refused::readmit(connection, *node)?;
                let sql = "INSERT INTO search_queue (node, seq) SELECT ?1, coalesce(max(seq), 0) FROM change WHERE true
                           ON CONFLICT (node) DO UPDATE SET seq = excluded.seq";
                execute(connection, sql, [node])?;
            }
            return Ok(bytes - before.unwrap_or(0));
        }
        // Only a beginning makes the cursor: one that was reset meanwhile stays so.
        Step::Cursor(sequence) => {
            let sql = "UPDATE meta SET value = ?1 WHERE name = 'search_cursor'";
            execute(connection, sql, [queries::signed(*sequence)])?;
        }
        Step::Sweep(node) => set(connection, "search_sweep", *node)?,
    }
    Ok(0)
}

/// Writes a number of the index's own into the file.
pub(super) fn set(connection: &Connection, name: &str, value: Option<i64>) -> Result<()> {
    execute(connection, "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)", (name, value)).map(drop)
}

/// The title of a document, empty where it has none.
pub(super) fn title(hub: &Connection, node: NodeId) -> Result<String> {
    Ok(queries::value(hub, "SELECT title FROM search_node WHERE node = ?1", [node])?.unwrap_or_default())
}

/// The number of a tree in the index.
fn tree(connection: &Connection, root: NodeId) -> Result<i64> {
    if let Some(known) = known_tree(connection, root)? {
        return Ok(known);
    }
    execute(connection, "INSERT INTO search_tree (root) VALUES (?1)", [root])?;
    Ok(connection.last_insert_rowid())
}

/// The number of a tree, if anything of it is indexed.
pub(super) fn known_tree(connection: &Connection, root: NodeId) -> Result<Option<i64>> {
    queries::value(connection, "SELECT number FROM search_tree WHERE root = ?1", [root])
}

fn remove_words(connection: &Connection, node: NodeId) -> Result<()> {
    let known = connection
        .prepare_cached("SELECT tree, blocks FROM search_node WHERE node = ?1")
        .and_then(|mut statement| {
            statement.query_row([node], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).optional()
        })
        .or_fault()?;
    let Some((tree, blocks)) = known else { return Ok(()) };
    for number in 0..usize::try_from(blocks).unwrap_or(0) {
        if let Some(row) = ids::row(tree, node, number) {
            execute(connection, "DELETE FROM search_words WHERE rowid = ?1", [row])?;
        }
    }
    Ok(())
}

/// Removes all that the index knows of a node, in the writer's transaction; whoever removes a document for good calls
/// it too. By how many bytes the index grew, which is not more than 0.
pub(crate) fn forget(connection: &Connection, node: NodeId) -> Result<i64> {
    if let Some(row) = tree_of(connection, node)?.and_then(|tree| ids::row(tree, node, 0)) {
        execute(connection, "DELETE FROM search_names WHERE rowid = ?1", [row])?;
    }
    remove_words(connection, node)?;
    remove_pieces(connection, node)?;
    let bytes =
        queries::value::<i64>(connection, "SELECT bytes + vectors FROM search_node WHERE node = ?1", [node])?;
    execute(connection, "DELETE FROM search_queue WHERE node = ?1", [node])?;
    refused::readmit(connection, node)?;
    execute(connection, "DELETE FROM search_node WHERE node = ?1", [node])?;
    Ok(-bytes.unwrap_or(0))
}

/// The number of the tree that a node is in; a folder has no row of its own that says it.
fn tree_of(connection: &Connection, node: NodeId) -> Result<Option<i64>> {
    if let Some(known) =
        queries::value::<i64>(connection, "SELECT tree FROM search_node WHERE node = ?1", [node])?
    {
        return Ok(Some(known));
    }
    // What was removed for good has no row any more.
    if node::node(connection, node)?.is_none() {
        return Ok(None);
    }
    let chain = node::chain(connection, node)?;
    chain.first().map_or(Ok(None), |root| known_tree(connection, root.id))
}

/// Removes the vectors of a document.
pub(super) fn remove_pieces(connection: &Connection, node: NodeId) -> Result<()> {
    let Some(tree) =
        queries::value::<i64>(connection, "SELECT tree FROM search_node WHERE node = ?1", [node])?
    else {
        return Ok(());
    };
    if let (Some(first), Some(last)) = (ids::row(tree, node, 0), ids::row(tree, node, ids::PARTS - 1)) {
        execute(connection, "DELETE FROM search_piece WHERE id BETWEEN ?1 AND ?2", [first, last])?;
        execute(connection, "DELETE FROM search_vector WHERE id BETWEEN ?1 AND ?2", [first, last])?;
    }
    Ok(())
}

/// The nodes that a stretch of the operation log is about, each once, and where it ends.
pub(super) fn changed(hub: &Connection, after: u64, limit: usize) -> Result<(Vec<NodeId>, u64)> {
    let mut statement = hub
        .prepare_cached("SELECT seq, node, what FROM change WHERE seq > ?1 ORDER BY seq LIMIT ?2")
        .or_fault()?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((queries::signed(after), limit)).or_fault()?;
    let (mut nodes, mut end) = (Vec::new(), after);
    while let Some(row) = rows.next().or_fault()? {
        end = crate::decode::count(row, 0)?;
        if is_about_words(history::deed(get(row, 2)?)?) {
            nodes.push(get(row, 1)?);
        }
    }
    nodes.sort_unstable();
    nodes.dedup();
    Ok((nodes, end))
}

/// Whether a deed changes what the index holds: not rights, which are asked for when searching, and not guides.
pub(super) fn is_about_words(deed: Deed) -> bool {
    matches!(deed, Deed::Created | Deed::Written | Deed::Moved | Deed::Removed | Deed::Restored)
}
