//! Two bits for each dimension of each vector, in memory: its sign, and whether it is large. The nearest few thousand are found
//! by counting signs that differ, more for large values; the nearest few hundred of those by how far the vector that is asked for
//! goes along both bits; and only these are compared exactly.

pub(super) mod older;
mod table;

pub(super) use table::{Fresh, Table, signature, to_bytes};

use super::ids;
use crate::decode::get;
use crate::documents::history;
use crate::documents::node::NodeId;
use crate::fault::OrFault;
use crate::queries::{self, signed};
use rusqlite::Connection;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use vextir_core::Result;
use vextir_core::context::Deed;

/// All signatures of a hub; empty until somebody searches by meaning.
#[derive(Debug, Clone)]
pub(crate) struct Signatures(Arc<RwLock<Table>>);

/// Up to which change the log was trimmed.
fn trimmed(hub: &Connection) -> Result<i64> {
    Ok(signed(queries::stored_number(hub, "changes_trimmed")?))
}

/// The documents that were moved since a change, with their folders, and the last change that was looked at.
fn moves(hub: &Connection, end: &mut i64, moved: &mut HashMap<NodeId, NodeId>) -> Result<()> {
    let mut statement =
        hub.prepare_cached("SELECT seq, node, what FROM change WHERE seq > ?1 ORDER BY seq").or_fault()?;
    let mut rows = statement.query([*end]).or_fault()?;
    while let Some(row) = rows.next().or_fault()? {
        if history::deed(get(row, 2)?)? == Deed::Moved {
            let id: NodeId = get(row, 1)?;
            if let Some(node) = crate::documents::node::node(hub, id)?.filter(|node| node.is_document()) {
                moved.insert(id, node.parent);
            }
        }
        *end = get(row, 0)?;
    }
    Ok(())
}

impl Signatures {
    /// For vectors with so many dimensions; at most so many bytes.
    pub(super) fn new(dimensions: usize, most: usize) -> Self {
        let table = Table { stride: dimensions.div_ceil(64), most, ..Table::default() };
        Self(Arc::new(RwLock::new(table)))
    }

    pub(super) fn lock(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads them from the file, if that was not done yet, or the log does not tell any more what was moved since.
    pub(super) fn load(&self, hub: &Connection, epoch: i64) -> Result<()> {
        let trimmed = trimmed(hub)?;
        let is_current = |table: &Table| table.is_loaded && table.seen >= trimmed;
        if is_current(&self.lock()) {
            return Ok(());
        }
        let mut table = self.change();
        // The lock is held while it is read: what is stored meanwhile is added after it.
        if is_current(&table) { Ok(()) } else { table.load(hub, epoch) }
    }

    /// Puts documents where they were moved to since. The index does it as it goes along the log, and leaves little to
    /// searches. What was done when this is stopped stays done.
    pub(super) fn follow(&self, hub: &Connection) -> Result<()> {
        let (seen, is_loaded) = {
            let table = self.lock();
            (table.seen, table.is_loaded)
        };
        // What is not told any more is read anew by the next search.
        if !is_loaded || seen < trimmed(hub)? {
            return Ok(());
        }
        let (mut end, mut moved) = (seen, HashMap::new());
        let scanned = moves(hub, &mut end, &mut moved);
        if end > seen {
            self.change().relocate((seen, end), &moved);
        }
        scanned
    }

    /// Replaces the rows of documents, as of a change.
    pub(super) fn replace(&self, nodes: &HashSet<NodeId>, fresh: Vec<Fresh>, at: i64) {
        let mut table = self.change();
        if !table.is_loaded {
            return;
        }
        table.remove(nodes);
        table.seen = table.seen.min(at);
        let mut left_out = 0_usize;
        for row in fresh {
            left_out += usize::from(!table.push(row.row, row.folder, &row.bits));
        }
        if left_out > 0 {
            tracing::warn!(
                left_out,
                most = table.most,
                "signatures do not fit; SearchOptions::memory can be raised"
            );
        }
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        let mut table = self.change();
        *table = Table { stride: table.stride, most: table.most, ..Table::default() };
    }
}

impl Table {
    fn load(&mut self, hub: &Connection, epoch: i64) -> Result<()> {
        // A load that was stopped has left some.
        *self = Self { stride: self.stride, most: self.most, ..Self::default() };
        let snapshot = hub.unchecked_transaction().or_fault()?;
        self.seen = signed(queries::last_change(&snapshot)?);
        {
            let sql = format!(
                "SELECT piece.id, node.parent, piece.bits FROM search_piece AS piece
                 CROSS JOIN node ON node.id = {} WHERE piece.epoch = ?1 ORDER BY piece.id",
                ids::node_in_sql("piece.id")
            );
            let mut statement = snapshot.prepare_cached(&sql).or_fault()?;
            let mut rows = statement.query([epoch]).or_fault()?;
            let mut bits = Vec::new();
            while let Some(row) = rows.next().or_fault()? {
                bits.clear();
                let stored = row.get_ref(2).or_fault()?;
                let bytes = stored.as_blob().unwrap_or_default();
                let (words, _) = bytes.as_chunks::<8>();
                bits.extend(words.iter().map(|word| u64::from_le_bytes(*word)));
                // Of a file that is older than the second bit.
                if bits.len() == self.stride {
                    bits = older::made(&snapshot, get(row, 0)?)?.unwrap_or_default();
                }
                // A row that is damaged hides no other one.
                if bits.len() != self.stride * 2 {
                    continue;
                }
                if !self.push(get(row, 0)?, get(row, 1)?, &bits) {
                    tracing::warn!(
                        most = self.most,
                        "signatures do not fit; SearchOptions::memory can be raised"
                    );
                    break;
                }
            }
        }
        self.is_loaded = true;
        snapshot.finish().or_fault()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hub's tables, with documents 10 to 19 in folder 2, and folder 3 beside it.
    fn hub() -> Connection {
        let hub = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&hub, 0).unwrap();
        let node = "INSERT INTO node (id, uid, kind, parent, name, created, updated, clock)
                    VALUES (?1, ?1, ?2, ?3, ?1, 0, 0, 0)";
        for (id, kind, parent) in [(1, 0, 0), (2, 1, 1), (3, 1, 1)] {
            hub.execute(node, (id, kind, parent)).unwrap();
        }
        for id in 10..20 {
            hub.execute(node, (id, 2, 2)).unwrap();
            let piece = "INSERT INTO search_piece (id, epoch, start, length, bits) VALUES (?1, 7, 0, 1, zeroblob(16))";
            hub.execute(piece, [ids::row(1, id, 0).unwrap()]).unwrap();
        }
        hub
    }

    #[test]
    fn signatures_of_an_older_form_are_made_anew_from_the_vectors() {
        let hub = hub();
        hub.execute_batch("UPDATE search_piece SET bits = zeroblob(8)").unwrap();
        let (mut vector, row) = (vec![0.0_f32; 64], ids::row(1, 15, 0).unwrap());
        (vector[1], vector[2]) = (1.0, -1.0);
        let data: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
        hub.execute("INSERT INTO search_vector (id, data) VALUES (?1, ?2)", (row, data)).unwrap();
        let signatures = Signatures::new(64, 1 << 20);
        signatures.load(&hub, 7).unwrap();
        let table = signatures.lock();
        assert_eq!((&table.rows, &table.signs, &table.larges), (&vec![row], &vec![0b10], &vec![0b110]));
    }

    #[test]
    fn signatures_of_an_older_form_are_brought_forward_once() {
        let hub = hub();
        let rows: Vec<i64> = (10..20).map(|node| ids::row(1, node, 0).unwrap()).collect();
        hub.execute("UPDATE search_piece SET bits = zeroblob(8) WHERE id < ?1", [rows[3]]).unwrap();
        let node = "INSERT INTO search_node (node, tree, blocks, version, title, bytes, vectors)
                    VALUES (10, 1, 1, 1, '', 0, 100)";
        hub.execute(node, []).unwrap();
        let vector = "INSERT INTO search_vector (id, data) VALUES (?1, ?2)";
        hub.execute(vector, (rows[0], [1.0_f32.to_le_bytes(); 64].concat())).unwrap();
        hub.execute(vector, (rows[1], [0_u8; 3])).unwrap();
        let page = |after| older::page(&hub, after, 7, 1).unwrap();
        let first = page(0).unwrap();
        assert_eq!((&first.rows[..], first.last), (&rows[..3], rows.last().copied()));
        assert_eq!(older::bring_forward(&hub, &first.rows, 1).unwrap(), 8, "one of three");
        assert_eq!(older::bring_forward(&hub, &first.rows, 1).unwrap(), 0);
        let bytes = |sql| queries::value::<i64>(&hub, sql, []).unwrap().unwrap();
        assert_eq!(bytes("SELECT length(bits) FROM search_piece ORDER BY id"), 16);
        assert_eq!(bytes("SELECT vectors FROM search_node"), 108);
        let last = older::Page { rows: Vec::new(), last: None };
        assert_eq!(page(*rows.last().unwrap()), Some(last));
        older::note_none(&hub).unwrap();
        assert_eq!(page(0), None);
    }

    #[test]
    fn a_damaged_signature_hides_no_other_one() {
        let hub = hub();
        let damaged = "UPDATE search_piece SET bits = zeroblob(?2) WHERE id = ?1";
        for (node, length) in [(10, 0), (12, 8), (13, 17), (15, 24), (16, 9)] {
            hub.execute(damaged, (ids::row(1, node, 0).unwrap(), length)).unwrap();
        }
        let signatures = Signatures::new(64, 1 << 20);
        signatures.load(&hub, 7).unwrap();
        let nodes: Vec<NodeId> = signatures.lock().rows.iter().map(|row| ids::node(*row)).collect();
        assert_eq!(nodes, [11, 13, 14, 17, 18, 19], "bytes behind the last word are not looked at");
    }

    /// Moves a document to folder 3, between others' writes.
    fn move_away(hub: &Connection, node: NodeId, others: usize) {
        hub.execute("UPDATE node SET parent = 3 WHERE id = ?1", [node]).unwrap();
        let change = "INSERT INTO change (node, what, version, at, clock) VALUES (?1, ?2, 0, 0, 0)";
        hub.execute(change, (node, 2)).unwrap();
        for _ in 0..others {
            hub.execute(change, (11, 1)).unwrap();
        }
    }

    /// How many documents are thought to be in folder 3.
    fn away(signatures: &Signatures) -> usize {
        let table = signatures.lock();
        table.places.iter().filter(|place| table.folders[**place as usize] == 3).count()
    }

    #[test]
    fn a_move_that_is_trimmed_from_the_log_is_not_missed() {
        let hub = hub();
        let signatures = Signatures::new(64, 1 << 20);
        signatures.load(&hub, 7).unwrap();
        move_away(&hub, 10, 3);
        hub.execute("DELETE FROM change WHERE seq <= 3", []).unwrap();
        hub.execute("INSERT INTO meta (name, value) VALUES ('changes_trimmed', 3)", []).unwrap();
        // A search that is under way when it happens looks at what it has, and the next one reads anew.
        signatures.follow(&hub).unwrap();
        signatures.load(&hub, 7).unwrap();
        assert_eq!(away(&signatures), 1);
        move_away(&hub, 12, 0);
        signatures.follow(&hub).unwrap();
        assert_eq!(away(&signatures), 2);
    }

    #[test]
    fn what_was_followed_is_kept_when_a_search_is_stopped() {
        let mut hub = hub();
        let signatures = Signatures::new(64, 1 << 20);
        signatures.load(&hub, 7).unwrap();
        for node in 10..20 {
            move_away(&hub, node, 1_000);
        }
        let mut tries = 0;
        loop {
            tries += 1;
            assert!(tries < 100, "{} of 10 after {tries} searches", away(&signatures));
            // Each search gets only so far.
            let mut left = 3;
            let is_over = move || {
                left -= 1;
                left < 0
            };
            hub.progress_handler(1_000, Some(is_over)).unwrap();
            let done = signatures.follow(&hub);
            hub.progress_handler(0, None::<fn() -> bool>).unwrap();
            if done.is_ok() {
                break;
            }
        }
        assert!(tries > 1, "it was stopped");
        assert_eq!(away(&signatures), 10);
    }

    /// The index goes through the log anyway; a search need not.
    #[tokio::test]
    async fn the_index_follows_moves_so_that_a_search_need_not() {
        let folder = tempfile::tempdir().unwrap();
        let hub = crate::Hub::open(folder.path().join("x.db")).unwrap();
        let ann = hub.context("ann");
        ann.write("/a/plan", "a plan of the house").await.unwrap();
        ann.search("plan").fresh().await.unwrap();
        for number in 0..10 {
            hub.context("eve").write(&format!("/{number}"), "x").await.unwrap();
            let (from, to) = if number % 2 == 0 { ("/a/plan", "/b/plan") } else { ("/b/plan", "/a/plan") };
            ann.move_to(from, to).await.unwrap();
        }
        ann.search("plan").text_only().fresh().await.unwrap();
        let head = i64::try_from(*hub.changes_seen().borrow()).unwrap();
        assert_eq!(hub.engine().signatures.lock().seen, head);
        let hits = ann.search("plan").meaning_only().under("/a").await.unwrap();
        assert_eq!(hits[0].path, "/a/plan");
    }
}
