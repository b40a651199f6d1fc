//! The signs of all vectors, column by column, and which of them are nearest. Pure.

use crate::documents::node::NodeId;
use crate::search::ids;
use std::collections::{HashMap, HashSet};

/// How many times more rows are taken by the bits that differ than are needed in the end.
const WIDER: usize = 9;

/// By how much a value above the middle of its vector is larger than one below, less 1: so it is where values are spread as
/// by chance.
const LARGER: f32 = 2.3;

/// The rows, column by column.
#[derive(Debug, Default)]
pub(in crate::search) struct Table {
    /// Words of 64 bits that the signs of a vector take.
    pub(super) stride: usize,
    /// The most bytes that it may take.
    pub(super) most: usize,
    pub(super) is_loaded: bool,
    /// Moves up to this change are in `folders`.
    pub(super) seen: i64,
    pub(super) rows: Vec<i64>,
    /// The folder of each row, as an index into `folders`.
    pub(super) places: Vec<u32>,
    /// Which values are above 0.
    pub(super) signs: Vec<u64>,
    /// Which values are large.
    pub(super) larges: Vec<u64>,
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

/// The signature of a vector: its signs, and which of its values are larger than half of them.
pub(in crate::search) fn signature(vector: &[f32]) -> Vec<u64> {
    let mut sizes: Vec<f32> = vector.iter().map(|value| value.abs()).collect();
    let middle = sizes.len() / 2;
    let middle = if sizes.is_empty() { 0.0 } else { *sizes.select_nth_unstable_by(middle, f32::total_cmp).1 };
    bits(vector, |value| value > 0.0).chain(bits(vector, |value| value.abs() > middle)).collect()
}

fn bits(vector: &[f32], is: impl Fn(f32) -> bool) -> impl Iterator<Item = u64> {
    vector.chunks(64).map(move |part| {
        part.iter().enumerate().fold(0, |bits, (index, value)| bits | u64::from(is(*value)) << index)
    })
}

/// As they are stored.
pub(in crate::search) fn to_bytes(bits: &[u64]) -> Vec<u8> {
    bits.iter().flat_map(|word| word.to_le_bytes()).collect()
}

impl Table {
    /// False if there is no room, or its form is another.
    pub(super) fn push(&mut self, row: i64, folder: NodeId, bits: &[u64]) -> bool {
        if bits.len() != self.stride * 2 || self.bytes() + self.of_row() > self.most {
            return false;
        }
        let place = self.place(folder);
        self.latest = self.latest.max(ids::node(row));
        self.rows.push(row);
        self.places.push(place);
        let (signs, larges) = bits.split_at(self.stride);
        self.signs.extend_from_slice(signs);
        self.larges.extend_from_slice(larges);
        true
    }

    /// Bytes of a row.
    fn of_row(&self) -> usize {
        self.stride * 16 + 12
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
        self.rows.len() * self.of_row() + self.folders.len() * 32
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
                let (from, to) = (index * self.stride, kept * self.stride);
                self.signs.copy_within(from..from + self.stride, to);
                self.larges.copy_within(from..from + self.stride, to);
            }
            kept += 1;
        }
        self.rows.truncate(kept);
        self.places.truncate(kept);
        self.signs.truncate(kept * self.stride);
        self.larges.truncate(kept * self.stride);
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
    /// the vector goes along what is known of each, which tells more.
    pub(in crate::search) fn nearest(
        &self,
        to: &[f32],
        (want, most): (usize, usize),
        is_open: impl Fn(i64, u32) -> bool,
    ) -> Vec<i64> {
        let along = Along::new(to, self.stride);
        let mut found: Vec<(f32, u32)> = Vec::new();
        for index in self.fewest(&signature(to), (want * WIDER, most), is_open) {
            let from = index as usize * self.stride;
            let row = from..from + self.stride;
            found.push((along.of(&self.signs[row.clone()], &self.larges[row]), index));
        }
        found.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        found.into_iter().map(|(_, index)| self.rows[index as usize]).collect()
    }

    /// The rows whose signs differ least, as [`differing`] counts: the `want` best and those as good as the last of them.
    fn fewest(
        &self,
        to: &[u64],
        (want, most): (usize, usize),
        is_open: impl Fn(i64, u32) -> bool,
    ) -> Vec<u32> {
        const CLOSED: u16 = u16::MAX;
        let mut counts = vec![0_usize; self.stride * 64 * 9 + 1];
        let mut distances = vec![CLOSED; self.rows.len()];
        let to = to.split_at(to.len() / 2);
        for (index, (row, place)) in self.rows.iter().zip(&self.places).enumerate() {
            if !is_open(*row, *place) {
                continue;
            }
            let at = index * self.stride..(index + 1) * self.stride;
            let distance = differing((&self.signs[at.clone()], &self.larges[at]), to);
            counts[distance as usize] += 1;
            distances[index] =
                u16::try_from(distance).map_or(CLOSED - 1, |distance| distance.min(CLOSED - 1));
        }
        let (mut last, mut sum) = (0, 0);
        for (distance, count) in counts.iter().enumerate() {
            (last, sum) = (distance, sum + count);
            if sum >= want {
                break;
            }
        }
        let last = u16::try_from(last).map_or(CLOSED - 1, |last| last.min(CLOSED - 1));
        let near = distances.iter().zip(0_u32..).filter(|(distance, _)| **distance <= last);
        let mut found: Vec<(u16, u32)> = near.map(|(distance, index)| (*distance, index)).collect();
        if found.len() > most {
            found.sort_unstable();
            found.truncate(most);
        }
        found.into_iter().map(|(_, index)| index).collect()
    }
}

/// How many signs of two vectors differ: one counts thrice if its value is large in one of them, and nine times if it is in
/// both. Processors count the bits of a word slowly where a program is to run on all of them, so words are first added up, bit
/// by bit; and not within the loop over all rows, where the compiler makes it three times as slow.
#[inline(never)]
fn differing(one: (&[u64], &[u64]), other: (&[u64], &[u64])) -> u32 {
    let ((ones, one), (others, other)) = ((six(one), rest(one)), (six(other), rest(other)));
    let mut sum = 0;
    for ((one, one_large), (other, other_large)) in ones.zip(others) {
        let differ: [u64; 6] = std::array::from_fn(|at| one[at] ^ other[at]);
        let [ones, twos, fours] = added(differ);
        let once: [u64; 6] = std::array::from_fn(|at| differ[at] & (one_large[at] ^ other_large[at]));
        let [once_twos, once_fours, once_eights] = added(once);
        let both: [u64; 6] = std::array::from_fn(|at| differ[at] & one_large[at] & other_large[at]);
        let [both_eights, both_16s, both_32s] = added(both);
        let (fours, carried) = add(fours, once_fours, twos & once_twos);
        let (eights, carried) = add(once_eights, both_eights, carried);
        let (sixteens, carried) = (both_16s ^ carried, both_16s & carried);
        sum += ones.count_ones()
            + 2 * (twos ^ once_twos).count_ones()
            + 4 * fours.count_ones()
            + 8 * eights.count_ones()
            + 16 * sixteens.count_ones()
            + 32 * (both_32s ^ carried).count_ones()
            + 64 * (both_32s & carried).count_ones();
    }
    for ((one, one_large), (other, other_large)) in one.zip(other) {
        let differ = one ^ other;
        sum += differ.count_ones()
            + 2 * (differ & (one_large ^ other_large)).count_ones()
            + 8 * (differ & one_large & other_large).count_ones();
    }
    sum
}

/// Signs and larges, six words at once.
fn six<'a>((signs, larges): (&'a [u64], &'a [u64])) -> impl Iterator<Item = (&'a [u64; 6], &'a [u64; 6])> {
    signs.as_chunks().0.iter().zip(larges.as_chunks().0)
}

/// What [`six`] leaves.
fn rest<'a>((signs, larges): (&'a [u64], &'a [u64])) -> impl Iterator<Item = (&'a u64, &'a u64)> {
    signs.as_chunks::<6>().1.iter().zip(larges.as_chunks::<6>().1)
}

/// The sum of six words for each of their bits: its ones, twos and fours.
fn added([a, b, c, d, e, f]: [u64; 6]) -> [u64; 3] {
    let ((left, left_twos), (right, right_twos)) = (add(a, b, c), add(d, e, f));
    let (twos, fours) = add(left_twos, right_twos, left & right);
    [left ^ right, twos, fours]
}

/// The sum of three words for each of their bits: what stays, and what is carried.
fn add(a: u64, b: u64, c: u64) -> (u64, u64) {
    (a ^ b ^ c, a & b | (a ^ b) & c)
}

/// How far a vector goes along signatures, eight values at once.
struct Along {
    /// What the values sum up to at which a byte has a one.
    sums: Vec<[f32; 256]>,
    total: f32,
}

impl Along {
    fn new(vector: &[f32], stride: usize) -> Self {
        let mut sums = vec![[0.0; 256]; stride * 8];
        for (sums, part) in sums.iter_mut().zip(vector.chunks(8)) {
            for (index, value) in part.iter().enumerate() {
                let (without, with) = sums.split_at_mut(1 << index);
                with.iter_mut().zip(without).for_each(|(with, without)| *with = *without + value);
            }
        }
        Self { sums, total: vector.iter().sum() }
    }

    #[inline(never)]
    fn of(&self, signs: &[u64], larges: &[u64]) -> f32 {
        let (mut ones, mut large) = (0.0, 0.0);
        let bytes = signs.iter().zip(larges).flat_map(|(signs, larges)| {
            let (with, against) = (signs & larges, !signs & larges);
            signs.to_le_bytes().into_iter().zip(with.to_le_bytes()).zip(against.to_le_bytes())
        });
        for (((signs, with), against), sums) in bytes.zip(&self.sums) {
            ones += sums[usize::from(signs)];
            large += sums[usize::from(with)] - sums[usize::from(against)];
        }
        2.0 * ones - self.total + LARGER * large
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(i64, NodeId, u64)]) -> Table {
        let mut table = Table { stride: 1, most: 1 << 20, is_loaded: true, ..Table::default() };
        for (row, folder, bits) in rows {
            assert!(table.push(*row, *folder, &[*bits, 0]));
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
        assert!(table.push(row, 5, &[0, 0]));
        table.relocate((200, 210), &HashMap::new());
        assert_eq!(table.seen, 150, "the next one reads from there");
        table.relocate((150, 210), &HashMap::from([(10, 6)]));
        assert_eq!((table.seen, table.folders[table.places[0] as usize]), (210, 6));
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut table = Table { stride: 1, most: 70, is_loaded: true, ..Table::default() };
        assert!(table.push(1, 1, &[0, 0]));
        assert!(!table.push(2, 1, &[0, 0]));
        assert!(!table.push(2, 1, &[0]), "another form");
    }

    #[test]
    fn the_signature_of_a_vector_is_its_signs_and_which_values_are_large() {
        let mut vector = vec![-1.0; 70];
        (vector[0], vector[69], vector[3]) = (0.5, 2.0, 0.0);
        assert_eq!(signature(&vector), [1, 1 << 5, 0, 1 << 5]);
        assert_eq!(to_bytes(&[1, 2])[8], 2);
        assert!(signature(&[]).is_empty());
    }

    #[test]
    fn what_differs_is_counted_as_bit_by_bit() {
        let mut random = fastrand::Rng::with_seed(7);
        for words in 0..20 {
            let [one, one_large, other, other_large] =
                [0; 4].map(|_| (0..words).map(|_| random.u64(..)).collect::<Vec<_>>());
            let counted = (0..words).map(|at| {
                let (differ, one, other) = (one[at] ^ other[at], one_large[at], other_large[at]);
                (differ & !one & !other).count_ones()
                    + 3 * (differ & (one ^ other)).count_ones()
                    + 9 * (differ & one & other).count_ones()
            });
            assert_eq!(differing((&one, &one_large), (&other, &other_large)), counted.sum::<u32>());
        }
        let (signs, larges) = (vec![u64::MAX; 18], vec![u64::MAX; 18]);
        assert_eq!(differing((&signs, &larges), (&[0; 18], &larges)), 18 * 64 * 9);
    }

    #[test]
    fn a_large_value_counts_for_more() {
        let along = Along::new(&[1.0, -2.0, 3.0], 1);
        assert!((along.of(&[0b101], &[0]) - 6.0).abs() < 1e-6, "signs alone");
        assert!((along.of(&[0b101], &[0b100]) - (6.0 + 3.0 * LARGER)).abs() < 1e-6);
        assert!((along.of(&[0b001], &[0b110]) - (2.0 * LARGER - 3.0 * LARGER)).abs() < 1e-6);
    }
}
