//! How the clusters of a card share a product.

use super::Csr;
use super::join::Joins;
use super::run::products;
use mattock_spec::command::SpgemmPart;
use mattock_spec::regs::SpgemmCaps;
use std::ops::Range;

/// A part costs the card some 2,000 cycles of start and end, so none is smaller without need.
const LEAST: u64 = 100_000;
/// A row of fewer products is not cut: it would not end sooner.
const LEAST_CUT: u64 = 16_384;
/// Columns of a row of B that are looked at to cut a row of C.
const SAMPLES: usize = 8;

/// The parts of a product, in the order in which the clusters take them and in which they stand in C.
///
/// Cost is counted in multiply-adds, plus one for each element of a mask or an addend, each entry of A and each row, which pass one a cycle. Parts are groups of rows of
/// falling cost, `1 / (2 * clusters)` of what is left (guided self-scheduling, Polychronopoulos and Kuck 1987): a
/// cluster that is slower than another takes fewer, and at the end all wait for a small part at most. A row of more than half
/// a cluster's share is cut by columns into as many parts as there are clusters. Every part has room for all entries it
/// can have.
#[derive(Clone, Debug, Default)]
pub(super) struct Split {
    pub(super) parts: Vec<SpgemmPart>,
    /// Words of all row pointers, and entries of all parts, each part's rounded up to the alignment.
    pub(super) pointers: u64,
    pub(super) entries: u64,
}

/// The parts of `A * B` that a card of so many clusters is given, in the order in which they are handed out; none for one.
/// Offsets are multiples of `align` bytes. For whoever foretells what a card will do; products on a card split themselves.
pub fn spgemm_parts<T>(a: &Csr<T>, b: &Csr<T>, clusters: u32, align: u32) -> Vec<SpgemmPart> {
    Split::among(a, b, &Joins::<T>::NONE, 0..a.rows(), (clusters, align)).parts
}

impl Split {
    /// The parts of rows of `A * B`; none when one cluster does it all.
    pub(super) fn new<T, S>(
        a: &Csr<T>,
        b: &Csr<T>,
        joins: &Joins<'_, S>,
        rows: Range<usize>,
        caps: &SpgemmCaps,
    ) -> Split {
        Split::among(a, b, joins, rows, (caps.clusters, caps.align))
    }

    fn among<T, S>(
        a: &Csr<T>,
        b: &Csr<T>,
        joins: &Joins<'_, S>,
        rows: Range<usize>,
        (count, align): (u32, u32),
    ) -> Split {
        let mut split = Split::default();
        if count <= 1 || rows.is_empty() {
            return split;
        }
        let clusters = u64::from(count);
        let align = u64::from(align / 4).max(1);
        let cost = |row: usize| {
            let columns = a.row(row).0;
            products(columns, b) + joins.elements(row) + columns.len() as u64 + 1
        };
        let costs: Vec<u64> = rows.clone().map(cost).collect();
        let mut left: u64 = costs.iter().sum();
        let share = left.div_ceil(clusters);
        let few = left < 4 * clusters * LEAST;
        // Few parts cost least when there are as many as clusters.
        let next = |left: u64, made: u64| match few {
            true => left.div_ceil(clusters.saturating_sub(made).max(1)),
            false => (left / (2 * clusters)).max(LEAST),
        };
        // Rows since the last part, what they cost and how many entries they can have.
        let (mut begin, mut sum, mut room) = (0, 0, 0u64);
        let mut made = 0;
        let mut target = next(left, made);
        for (i, &cost) in costs.iter().enumerate() {
            let columns = a.row(rows.start + i).0;
            let hub = cost > share / 2 && cost > LEAST_CUT;
            if sum > 0 && (hub || sum + cost / 2 > target) {
                split.add(begin..i, 0..b.cols() as u64, room, align);
                left -= sum;
                made += 1;
                target = next(left, made);
                (begin, sum, room) = (i, 0, 0);
            }
            if hub {
                for (columns, products) in pieces(columns, b, count) {
                    let most = joins.most(rows.start + i, products, columns.end - columns.start);
                    split.add(i..i + 1, columns, most, align);
                }
                left -= cost;
                target = next(left, made);
                begin = i + 1;
                continue;
            }
            sum += cost;
            room += joins.most(rows.start + i, products(columns, b), b.cols() as u64);
        }
        split.add(begin..rows.len(), 0..b.cols() as u64, room, align);
        split
    }

    /// Adds a part, behind the others in C.
    fn add(&mut self, rows: Range<usize>, columns: Range<u64>, most: u64, align: u64) {
        if rows.is_empty() {
            return;
        }
        // Sizes were checked: rows and columns fit 32 bits. Whether offsets do is for who places them.
        self.parts.push(SpgemmPart {
            first_row: rows.start as u32,
            end_row: rows.end as u32,
            first_col: columns.start as u32,
            end_col: columns.end as u32,
            pointer_offset: self.pointers as u32,
            entry_offset: self.entries as u32,
            capacity: most as u32,
        });
        self.pointers += (rows.len() as u64 + 1).next_multiple_of(align);
        self.entries += most.next_multiple_of(align);
    }

    /// The table as the card reads it.
    pub(super) fn table(&self) -> Vec<u8> {
        self.parts.iter().flat_map(SpgemmPart::encode).collect()
    }
}

/// Cuts the columns of one row of C where about equal numbers of its products lie; with the products of each.
fn pieces<T>(row: &[u32], b: &Csr<T>, count: u32) -> Vec<(Range<u64>, u64)> {
    // Columns seen, each with the products it stands for.
    let mut seen: Vec<(u32, u64)> = vec![];
    for &k in row {
        let columns = b.row(k as usize).0;
        let step = columns.len().div_ceil(SAMPLES).max(1);
        seen.extend(columns.iter().skip(step / 2).step_by(step).map(|&col| (col, step as u64)));
    }
    seen.sort_unstable();
    let total: u64 = seen.iter().map(|s| s.1).sum();
    let mut bounds = vec![0u64];
    let mut sum = 0;
    for (column, weight) in seen {
        sum += weight;
        let last = bounds[bounds.len() - 1];
        if sum * u64::from(count) >= total * bounds.len() as u64
            && (bounds.len() as u64) < u64::from(count)
            && u64::from(column) + 1 > last
        {
            bounds.push(u64::from(column) + 1);
        }
    }
    let cols = b.cols() as u64;
    if bounds[bounds.len() - 1] < cols {
        bounds.push(cols);
    }
    let within = |range: &Range<u64>| -> u64 {
        let upto =
            |columns: &[u32], end: u64| columns.partition_point(|&col| u64::from(col) < end) as u64;
        let of = |k: &u32| {
            let columns = b.row(*k as usize).0;
            upto(columns, range.end) - upto(columns, range.start)
        };
        row.iter().map(of).sum()
    };
    let ranges = bounds.windows(2).map(|pair| pair[0]..pair[1]);
    ranges.map(|range| (range.clone(), within(&range))).collect()
}
