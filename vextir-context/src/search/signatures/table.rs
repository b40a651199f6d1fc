//! The signs of all vectors, column by column, and which of them are nearest. Pure.

use crate::documents::node::NodeId;
use crate::search::ids;
use std::collections::{HashMap, HashSet};

/// How many times more rows are taken by the bits that differ than are needed in the end.
const WIDER: usize = 10;

/// The rows, column by column.
#[derive(Debug, Default)]
pub(in crate::search) struct Table {
    /// Words of 64 bits in a signature.
    pub(super) stride: usize,
    /// The most bytes that it may take.
    pub(super) most: usize,
    pub(super) is_loaded: bool,
    /// Moves up to this change are in `folders`.
    pub(super) seen: i64,
    pub(super) rows: Vec<i64>,
    /// The folder of each row, as an index into `folders`.
    pub(super) places: Vec<u32>,
    pub(super) bits: Vec<u64>,
    pub(super) folders: Vec<NodeId>,
    pub(super) known: HashMap<NodeId, u32>,
    /// No row is of a later document than this.
    pub(super) latest: NodeId,
}

/// A vector that comes in.
#[derive(Debug, Clone)]
pub(in crate::search) struct Fresh {
    pub(in crate::search) row: i64,
    pub(in crate::search) folder: NodeId,
    pub(in crate::search) bits: Vec<u64>,
}

/// The signs of a vector.
pub(in crate::search) fn signs(vector: &[f32]) -> Vec<u64> {
    vector
        .chunks(64)
        .map(|part| {
            part.iter().enumerate().fold(0, |bits, (index, value)| bits | u64::from(*value > 0.0) << index)
        })
        .collect()
}

/// As they are stored.
pub(in crate::search) fn to_bytes(bits: &[u64]) -> Vec<u8> {
    bits.iter().flat_map(|word| word.to_le_bytes()).collect()
}

impl Table {
    /// False if there is no room, or its form is another.
    pub(super) fn push(&mut self, row: i64, folder: NodeId, bits: &[u64]) -> bool {
        if bits.len() != self.stride || self.bytes() + self.stride * 8 + 12 > self.most {
            return false;
        }
        let place = self.place(folder);
        self.latest = self.latest.max(ids::node(row));
        self.rows.push(row);
        self.places.push(place);
        self.bits.extend_from_slice(bits);
        true
    }

    /// The index of a folder.
    fn place(&mut self, folder: NodeId) -> u32 {
        let next = u32::try_from(self.folders.len()).unwrap_or(u32::MAX);
        let place = *self.known.entry(folder).or_insert(next);
        if place == next {
            self.folders.push(folder);
        }
        place
    }

    /// Bytes in use.
    pub(in crate::search) fn bytes(&self) -> usize {
        self.rows.len() * (self.stride * 8 + 12) + self.folders.len() * 32
    }

    pub(super) fn remove(&mut self, nodes: &HashSet<NodeId>) {
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

    /// Puts documents where they were moved to by the changes after `from`, up to `end`.
    pub(super) fn relocate(&mut self, (from, end): (i64, i64), moved: &HashMap<NodeId, NodeId>) {
        // Somebody else went on to a later moment, or put in rows as of an earlier one, whose moves are not among these: who
        // follows next begins there.
        if end <= self.seen || self.seen < from {
            return;
        }
        self.seen = end;
        if moved.is_empty() {
            return;
        }
        for index in 0..self.rows.len() {
            if let Some(folder) = moved.get(&ids::node(self.rows[index])) {
                self.places[index] = self.place(*folder);
            }
        }
    }

    /// The folders that rows of these trees lie in, by their index.
    pub(in crate::search) fn folders_of(&self, is_wanted: impl Fn(i64) -> bool) -> Vec<(u32, NodeId)> {
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
    pub(in crate::search) fn nearest(
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
        table.relocate((0, 7), &HashMap::from([(13, 6)]));
        table.relocate((0, 5), &HashMap::from([(13, 5)]));
        assert_eq!(table.nearest(&to, (9, 9), |_, place| place != 0), [row(13)]);
    }

    #[test]
    fn moves_before_those_that_were_read_are_not_taken_for_seen() {
        let row = ids::row(1, 10, 0).unwrap();
        let mut table = table(&[]);
        table.seen = 200;
        // While somebody reads the moves from 200 to 210, a row comes in as of 150. Its document was moved at 160.
        table.seen = 150;
        assert!(table.push(row, 5, &[0]));
        table.relocate((200, 210), &HashMap::new());
        assert_eq!(table.seen, 150, "the next one reads from there");
        table.relocate((150, 210), &HashMap::from([(10, 6)]));
        assert_eq!((table.seen, table.folders[table.places[0] as usize]), (210, 6));
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
}
