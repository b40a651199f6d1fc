//! One bit for each dimension of each vector, in memory: the nearest few hundred are found by counting bits that differ,
//! and only those are compared exactly.

use super::ids;
use crate::decode::get;
use crate::documents::node::NodeId;
use crate::fault::OrFault;
use crate::queries::{self, signed};
use rusqlite::Connection;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use vextir_core::Result;

/// How many times more rows are taken by the bits that differ than are needed in the end.
const WIDER: usize = 10;

/// How a move is stored.
const MOVED: i64 = 2;

/// All signatures of a hub; empty until somebody searches by meaning.
#[derive(Debug, Clone)]
pub(crate) struct Signatures(Arc<RwLock<Table>>);

/// The rows, column by column.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Words of 64 bits in a signature.
    stride: usize,
    /// The most bytes that it may take.
    most: usize,
    is_loaded: bool,
    /// Moves up to this change are in `folders`.
    seen: i64,
    rows: Vec<i64>,
    /// The folder of each row, as an index into `folders`.
    places: Vec<u32>,
    bits: Vec<u64>,
    folders: Vec<NodeId>,
    known: HashMap<NodeId, u32>,
    /// No row is of a later document than this.
    latest: NodeId,
}

/// A vector that comes in.
#[derive(Debug, Clone)]
pub(super) struct Fresh {
    pub(super) row: i64,
    pub(super) folder: NodeId,
    pub(super) bits: Vec<u64>,
}

/// The signs of a vector.
pub(super) fn signs(vector: &[f32]) -> Vec<u64> {
    vector
        .chunks(64)
        .map(|part| {
            part.iter().enumerate().fold(0, |bits, (index, value)| bits | u64::from(*value > 0.0) << index)
        })
        .collect()
}

/// As they are stored.
pub(super) fn to_bytes(bits: &[u64]) -> Vec<u8> {
    bits.iter().flat_map(|word| word.to_le_bytes()).collect()
}

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
        if get::<i64>(row, 2)? == MOVED {
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
            self.change().relocate(end, &moved);
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

    /// False if there is no room, or its form is another.
    fn push(&mut self, row: i64, folder: NodeId, bits: &[u64]) -> bool {
        if bits.len() != self.stride || self.bytes() + self.stride * 8 + 12 > self.most {
            return false;
        }
        let next = u32::try_from(self.folders.len()).unwrap_or(u32::MAX);
        let place = *self.known.entry(folder).or_insert(next);
        if place == next {
            self.folders.push(folder);
        }
        self.latest = self.latest.max(ids::node(row));
        self.rows.push(row);
        self.places.push(place);
        self.bits.extend_from_slice(bits);
        true
    }

    /// Bytes in use.
    pub(super) fn bytes(&self) -> usize {
        self.rows.len() * (self.stride * 8 + 12) + self.folders.len() * 32
    }

    fn remove(&mut self, nodes: &HashSet<NodeId>) {
        // New documents have no rows; going through all of them would hold up searches.
        if nodes.iter().all(|node| *node > self.latest) {
            return;
        }
        let mut kept = 0;
        for index in 0..self.rows.len() {
            if nodes.contains(&ids::node(self.rows[index])) {
                continue;
            }
            if kept < index {
                self.rows[kept] = self.rows[index];
                self.places[kept] = self.places[index];
                let from = index * self.stride;
                self.bits.copy_within(from..from + self.stride, kept * self.stride);
            }
            kept += 1;
        }
        self.rows.truncate(kept);
        self.places.truncate(kept);
        self.bits.truncate(kept * self.stride);
    }

    fn relocate(&mut self, end: i64, moved: &HashMap<NodeId, NodeId>) {
        // Somebody else went on from a later moment, and has put them where they are since.
        if end <= self.seen {
            return;
        }
        self.seen = end;
        if moved.is_empty() {
            return;
        }
        for index in 0..self.rows.len() {
            if let Some(folder) = moved.get(&ids::node(self.rows[index])) {
                let next = u32::try_from(self.folders.len()).unwrap_or(u32::MAX);
                let place = *self.known.entry(*folder).or_insert(next);
                if place == next {
                    self.folders.push(*folder);
                }
                self.places[index] = place;
            }
        }
    }

    /// The folders that rows of these trees lie in, by their index.
    pub(super) fn folders_of(&self, is_wanted: impl Fn(i64) -> bool) -> Vec<(u32, NodeId)> {
        let mut is_met = vec![false; self.folders.len()];
        for (row, place) in self.rows.iter().zip(&self.places) {
            if is_wanted(ids::tree(*row)) {
                is_met[*place as usize] = true;
            }
        }
        let met = is_met.iter().zip(&self.folders).enumerate().filter(|(_, (met, _))| **met);
        met.map(|(index, (_, folder))| (u32::try_from(index).unwrap_or(u32::MAX), *folder)).collect()
    }

    /// The rows that may be looked at, nearest first: about `most`. Those that differ in the fewest bits, put into order by how far
    /// the vector goes along each of their bits, which tells more.
    pub(super) fn nearest(
        &self,
        to: &[f32],
        (want, most): (usize, usize),
        is_open: impl Fn(i64, u32) -> bool,
    ) -> Vec<i64> {
        let along = Along::new(to, self.stride);
        let mut found: Vec<(f32, u32)> = Vec::new();
        for index in self.fewest(&signs(to), (want * WIDER, most), is_open) {
            let from = index as usize * self.stride;
            found.push((along.of(&self.bits[from..from + self.stride]), index));
        }
        found.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        found.into_iter().map(|(_, index)| self.rows[index as usize]).collect()
    }

    /// The rows with the fewest bits that differ: the `want` best and those as good as the last of them.
    fn fewest(
        &self,
        to: &[u64],
        (want, most): (usize, usize),
        is_open: impl Fn(i64, u32) -> bool,
    ) -> Vec<u32> {
        let mut counts = vec![0_usize; self.stride * 64 + 1];
        let mut found: Vec<(u16, u32)> = Vec::new();
        for (index, (row, place)) in self.rows.iter().zip(&self.places).enumerate() {
            if !is_open(*row, *place) {
                continue;
            }
            let bits = &self.bits[index * self.stride..(index + 1) * self.stride];
            let distance: u32 = bits.iter().zip(to).map(|(one, other)| (one ^ other).count_ones()).sum();
            counts[distance as usize] += 1;
            found.push((
                u16::try_from(distance).unwrap_or(u16::MAX),
                u32::try_from(index).unwrap_or(u32::MAX),
            ));
        }
        let (mut last, mut sum) = (0, 0);
        for (distance, count) in counts.iter().enumerate() {
            (last, sum) = (distance, sum + count);
            if sum >= want {
                break;
            }
        }
        found.retain(|(distance, _)| usize::from(*distance) <= last);
        if found.len() > most {
            found.sort_unstable();
            found.truncate(most);
        }
        found.into_iter().map(|(_, index)| index).collect()
    }
}

/// How far a vector goes along signs, eight of them at once.
struct Along(Vec<[f32; 256]>);

impl Along {
    fn new(vector: &[f32], stride: usize) -> Self {
        let mut sums = vec![[0.0; 256]; stride * 8];
        for (sums, part) in sums.iter_mut().zip(vector.chunks(8)) {
            sums[0] = -part.iter().sum::<f32>();
            for (index, value) in part.iter().enumerate() {
                let (without, with) = sums.split_at_mut(1 << index);
                with.iter_mut().zip(without).for_each(|(with, without)| *with = *without + 2.0 * value);
            }
        }
        Self(sums)
    }

    fn of(&self, bits: &[u64]) -> f32 {
        let bytes = bits.iter().flat_map(|word| word.to_le_bytes());
        bytes.zip(&self.0).map(|(byte, sums)| sums[usize::from(byte)]).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(i64, NodeId, u64)]) -> Table {
        let mut table = Table { stride: 1, most: 1 << 20, is_loaded: true, ..Table::default() };
        for (row, folder, bits) in rows {
            assert!(table.push(*row, *folder, &[*bits]));
        }
        table
    }

    #[test]
    fn the_nearest_open_rows_come_first() {
        let row = |node| ids::row(1, node, 0).unwrap();
        let mut table =
            table(&[(row(10), 5, 0b0000), (row(11), 5, 0b1110), (row(12), 6, 0b1111), (row(13), 5, 0b1101)]);
        let all = |_, _| true;
        let to = [0.1, 1.0, 2.0, 3.0];
        assert_eq!(
            table.nearest(&to, (9, 9), all),
            [row(12), row(11), row(13), row(10)],
            "the first bit matters least"
        );
        assert_eq!(table.nearest(&to, (9, 1), all), [row(12)], "the fewest bits that differ");
        let folder = table.folders_of(|tree| tree == 1)[0];
        assert_eq!(folder, (0, 5));
        assert_eq!(table.nearest(&to, (9, 9), |_, place| place != 0), [row(12)]);
        table.remove(&HashSet::from([11, 12]));
        assert_eq!(table.nearest(&to, (9, 9), all), [row(13), row(10)]);
        table.relocate(7, &HashMap::from([(13, 6)]));
        table.relocate(5, &HashMap::from([(13, 5)]));
        assert_eq!(table.nearest(&to, (9, 9), |_, place| place != 0), [row(13)]);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut table = Table { stride: 1, most: 60, is_loaded: true, ..Table::default() };
        assert!(table.push(1, 1, &[0]));
        assert!(!table.push(2, 1, &[0]));
        assert!(!table.push(2, 1, &[0, 0]), "another form");
    }

    #[test]
    fn signs_of_a_vector_are_bits() {
        let mut vector = vec![-1.0; 70];
        (vector[0], vector[69], vector[3]) = (0.5, 2.0, 0.0);
        assert_eq!(signs(&vector), [1, 1 << 5]);
        assert_eq!(to_bytes(&[1, 2])[8], 2);
    }

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
            let piece = "INSERT INTO search_piece (id, epoch, start, length, bits) VALUES (?1, 7, 0, 1, x'0000000000000000')";
            hub.execute(piece, [ids::row(1, id, 0).unwrap()]).unwrap();
        }
        hub
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
