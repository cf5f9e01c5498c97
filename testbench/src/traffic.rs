//! Bytes a row-wise sparse product has to move, whatever engine does it: a bound to hold cards against.
//!
//! Split CSR with row pointers and columns of 4 bytes. A and C cross the bus once. Rows of B are fetched as the rows of A ask for
//! them, in A's order, through a set-associative cache that replaces the line not used for longest. A cache that knew the
//! future would need fewer, and one without limit needs each line of B that is in use once.

use mattock::Csr;

/// The cache before B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Bytes it holds.
    pub bytes: u64,
    /// Lines of a set.
    pub ways: usize,
    /// Bytes of a line, which is also what memory gives at once.
    pub line: u64,
}

/// Bytes that cross the bus, in whole lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Row pointers, columns and values of A.
    pub a: u64,
    /// Lines of B, as often as the cache does not hold them.
    pub b: u64,
    /// Row pointers, columns and sums of C.
    pub c: u64,
}

impl Traffic {
    /// Of C = A*B with `nnz_c` entries, values of `value` bytes and sums of four.
    ///
    /// # Panics
    /// When A has more columns than B rows, or the cache holds less than a set.
    pub fn of<A, B>(a: &Csr<A>, b: &Csr<B>, nnz_c: u64, value: u64, cache: Cache) -> Self {
        let line = cache.line;
        let lines = |bytes: u64| bytes.div_ceil(line) * line;
        let stored = |rows: usize, nnz: u64, value: u64| {
            lines(4 * (rows as u64 + 1)) + lines(4 * nnz) + lines(value * nnz)
        };
        // Where the arrays of B lie, in lines.
        let columns = (4 * (b.rows() as u64 + 1)).div_ceil(line);
        let values = columns + (4 * b.nnz() as u64).div_ceil(line);
        let mut held = Lru::new(cache);
        let mut read = |at: u64, size: u64, first: u64, end: u64| {
            if first < end {
                (at + size * first / line..at + (size * end).div_ceil(line))
                    .for_each(|n| held.ask(n));
            }
        };
        for &k in a.col_idx() {
            let [first, end] = [0, 1].map(|next| b.row_ptr()[k as usize + next]);
            read(0, 4, k.into(), u64::from(k) + 2);
            read(columns, 4, first, end);
            read(values, value, first, end);
        }
        Self {
            a: stored(a.rows(), a.nnz() as u64, value),
            b: held.misses * line,
            c: stored(a.rows(), nnz_c, 4),
        }
    }

    /// All of it.
    pub fn bytes(&self) -> u64 {
        self.a + self.b + self.c
    }
}

/// Sets of line numbers, the last used first.
struct Lru {
    sets: Vec<Vec<u64>>,
    ways: usize,
    misses: u64,
}

impl Lru {
    fn new(cache: Cache) -> Self {
        let sets = cache.bytes / cache.line / cache.ways as u64;
        assert!(sets > 0, "a cache of less than a set");
        Self { sets: vec![vec![]; sets as usize], ways: cache.ways, misses: 0 }
    }

    fn ask(&mut self, line: u64) {
        let count = self.sets.len() as u64;
        let set = &mut self.sets[(line % count) as usize];
        match set.iter().position(|&held| held == line) {
            Some(at) => set[..=at].rotate_right(1),
            None => {
                self.misses += 1;
                set.truncate(self.ways - 1);
                set.insert(0, line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A square matrix of `rows` rows with one entry each, in the column `of` says.
    fn one_a_row(rows: usize, of: impl Fn(usize) -> u32) -> Csr<()> {
        let pointers = (0..=rows as u64).collect();
        Csr::new(rows, rows, pointers, (0..rows).map(of).collect(), vec![(); rows]).unwrap()
    }

    const CACHE: Cache = Cache { bytes: 4 * 64, ways: 2, line: 64 };

    #[test]
    fn what_is_used_once_is_read_once() {
        // 64 rows in order: 4 lines of columns, 4 of values, 5 of pointers; the same for A and C.
        let a = one_a_row(64, |row| row as u32);
        let all = (5 + 4 + 4) * 64;
        let traffic = Traffic::of(&a, &a, 64, 4, Cache { bytes: 64 * 64, ..CACHE });
        assert_eq!(traffic, Traffic { a: all, b: all, c: all });
        // Values of one byte: 1 line of them; sums keep four.
        let traffic = Traffic::of(&a, &a, 64, 1, Cache { bytes: 64 * 64, ..CACHE });
        assert_eq!(traffic, Traffic { a: 10 * 64, b: 10 * 64, c: all });
    }

    #[test]
    fn the_line_not_used_for_longest_goes() {
        let mut cache = Lru::new(CACHE);
        // Even lines share a set of two.
        [0, 2, 0, 4, 0, 2].into_iter().for_each(|line| cache.ask(line));
        assert_eq!(cache.misses, 4);
        [1, 0, 2, 1].into_iter().for_each(|line| cache.ask(line));
        assert_eq!(cache.misses, 5);
    }

    #[test]
    fn a_row_of_b_that_is_asked_for_again_is_read_again_unless_it_is_held() {
        // Rows 0 and 32 of B in turn: their pointers, columns and values are six lines, all of the same set in turn.
        let a = one_a_row(64, |row| if row % 2 == 0 { 0 } else { 32 });
        let b = one_a_row(64, |row| row as u32);
        let held = Traffic::of(&a, &b, 64, 4, Cache { bytes: 64 * 64, ..CACHE });
        let small = Traffic::of(&a, &b, 64, 4, Cache { bytes: 2 * 64, ..CACHE });
        assert_eq!((held.b, small.b), (6 * 64, 64 * 3 * 64));
        // A row without entries costs its pointers only.
        let empty = Csr::<()>::empty(64, 64).unwrap();
        assert_eq!(Traffic::of(&a, &empty, 0, 4, CACHE).b, 2 * 64);
    }
}
