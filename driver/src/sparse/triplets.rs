//! Assembly of a [`Csr`] from entries in any order.

use super::{Csr, CsrError};

/// Entries (row, column, value) in any order, with repeats, to be made into a [`Csr`].
#[derive(Clone, Debug)]
pub struct Triplets<T> {
    rows: Vec<u32>,
    cols: Vec<u32>,
    values: Vec<T>,
}

impl<T> Default for Triplets<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), cols: Vec::new(), values: Vec::new() }
    }
}

impl<T: Clone> Triplets<T> {
    /// No entries yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of entries, repeats counted.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds one entry.
    pub fn push(&mut self, row: u32, col: u32, value: T) {
        self.rows.push(row);
        self.cols.push(col);
        self.values.push(value);
    }

    /// (row, column) of each entry, in the order they came.
    pub fn positions(&self) -> impl Iterator<Item = (u32, u32)> {
        self.rows.iter().copied().zip(self.cols.iter().copied())
    }

    /// Sorts into rows (counting sort, then each row by column, both stable) and folds repeated
    /// positions with `merge(first, next)` in the order they came.
    ///
    /// # Errors
    /// [`CsrError::TooManyColumns`], [`CsrError::ColumnOutOfRange`], and for a row outside the
    /// matrix [`CsrError::RowPointerCount`].
    pub fn into_csr(
        self,
        rows: usize,
        cols: usize,
        mut merge: impl FnMut(&T, &T) -> T,
    ) -> Result<Csr<T>, CsrError> {
        if let Some(&row) = self.rows.iter().find(|&&row| row as usize >= rows) {
            return Err(CsrError::RowPointerCount { rows, got: row as usize + 2 });
        }
        let mut next = vec![0u64; rows + 1];
        for &row in &self.rows {
            next[row as usize + 1] += 1;
        }
        for row in 0..rows {
            next[row + 1] += next[row];
        }
        let mut order = vec![0usize; self.rows.len()];
        for (at, &row) in self.rows.iter().enumerate() {
            let slot = &mut next[row as usize];
            order[*slot as usize] = at;
            *slot += 1;
        }

        let mut row_ptr = Vec::with_capacity(rows + 1);
        row_ptr.push(0u64);
        let mut col_idx: Vec<u32> = Vec::with_capacity(order.len());
        let mut values: Vec<T> = Vec::with_capacity(order.len());
        for row in 0..rows {
            // Placing the entries has moved each start to the end of its row.
            let start = if row == 0 { 0 } else { next[row - 1] };
            let entries = &mut order[start as usize..next[row] as usize];
            entries.sort_by_key(|&at| self.cols[at]);
            let first = col_idx.len();
            for &at in entries.iter() {
                let (col, value) = (self.cols[at], &self.values[at]);
                if col_idx.len() > first && col_idx.last() == Some(&col) {
                    let last = values.len() - 1;
                    values[last] = merge(&values[last], value);
                } else {
                    col_idx.push(col);
                    values.push(value.clone());
                }
            }
            row_ptr.push(col_idx.len() as u64);
        }
        Csr::new(rows, cols, row_ptr, col_idx, values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_order_becomes_sorted_rows_and_repeats_merge_in_order() {
        let mut t = Triplets::new();
        for (row, col, value) in [(2, 1, "a"), (0, 3, "b"), (2, 0, "c"), (2, 1, "d"), (2, 1, "e")] {
            t.push(row, col, value.to_string());
        }
        let m = t.into_csr(3, 4, |x, y| format!("{x}{y}")).unwrap();
        let entries: Vec<_> = m.entries().map(|(r, c, v)| (r, c, v.as_str())).collect();
        assert_eq!(entries, [(0, 3, "b"), (2, 0, "c"), (2, 1, "ade")]);
    }

    #[test]
    fn positions_outside_are_refused() {
        let mut t = Triplets::new();
        t.push(3, 0, 1);
        assert!(t.clone().into_csr(3, 3, |a, b| a + b).is_err());
        assert!(t.clone().into_csr(4, 0, |a, b| a + b).is_err());
        assert_eq!(t.into_csr(4, 1, |a, b| a + b).unwrap().nnz(), 1);
    }
}
