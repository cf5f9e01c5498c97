//! Compressed sparse row matrices that are valid by construction.

use super::CsrError;

/// A sparse matrix in compressed sparse row form, canonical: inside a row the columns rise strictly.
///
/// Row `i` holds entries `row_ptr[i]..row_ptr[i + 1]` of `col_idx` and `values`. Row pointers are
/// 64 bits wide here and 32 on the card; a call checks the range when it sends them. Entries that
/// are zero are entries like any other: structure never depends on values.
#[derive(Clone, Debug, PartialEq)]
pub struct Csr<T> {
    rows: usize,
    cols: usize,
    row_ptr: Vec<u64>,
    col_idx: Vec<u32>,
    values: Vec<T>,
}

impl<T> Csr<T> {
    /// Checks the arrays and takes them as a matrix of `rows` x `cols`.
    ///
    /// # Errors
    /// [`CsrError`], naming the first row at fault.
    pub fn new(
        rows: usize,
        cols: usize,
        row_ptr: Vec<u64>,
        col_idx: Vec<u32>,
        values: Vec<T>,
    ) -> Result<Self, CsrError> {
        check_lengths(rows, cols, &row_ptr, col_idx.len(), values.len())?;
        for (row, pair) in row_ptr.windows(2).enumerate() {
            check_row(row, cols, &col_idx[pair[0] as usize..pair[1] as usize])?;
        }
        Ok(Self { rows, cols, row_ptr, col_idx, values })
    }

    /// A matrix without entries. `cols` must fit 32-bit indices.
    ///
    /// # Errors
    /// [`CsrError::TooManyColumns`].
    pub fn empty(rows: usize, cols: usize) -> Result<Self, CsrError> {
        Self::new(rows, cols, vec![0; rows + 1], Vec::new(), Vec::new())
    }

    /// Rows of the matrix.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the matrix.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Number of stored entries, zeros included.
    pub fn nnz(&self) -> usize {
        self.col_idx.len()
    }

    /// Where each row starts and, one further, ends: `rows + 1` values.
    pub fn row_ptr(&self) -> &[u64] {
        &self.row_ptr
    }

    /// Column of each entry, row after row.
    pub fn col_idx(&self) -> &[u32] {
        &self.col_idx
    }

    /// Value of each entry, row after row.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Values, to be changed in place; the structure stays.
    pub fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// Number of entries in `row`.
    ///
    /// # Panics
    /// When `row` is outside the matrix.
    pub fn row_nnz(&self, row: usize) -> usize {
        self.row_range(row).len()
    }

    /// Columns and values of `row`.
    ///
    /// # Panics
    /// When `row` is outside the matrix.
    pub fn row(&self, row: usize) -> (&[u32], &[T]) {
        let range = self.row_range(row);
        (&self.col_idx[range.clone()], &self.values[range])
    }

    /// Every entry as (row, column, value), in order.
    pub fn entries(&self) -> impl Iterator<Item = (usize, u32, &T)> {
        (0..self.rows).flat_map(move |row| {
            let (cols, values) = self.row(row);
            cols.iter().zip(values).map(move |(&col, value)| (row, col, value))
        })
    }

    /// Row pointers, columns and values, given back.
    pub fn into_parts(self) -> (Vec<u64>, Vec<u32>, Vec<T>) {
        (self.row_ptr, self.col_idx, self.values)
    }

    /// The same structure with each value replaced by `change(value)`.
    pub fn map<U>(&self, change: impl FnMut(&T) -> U) -> Csr<U> {
        Csr {
            rows: self.rows,
            cols: self.cols,
            row_ptr: self.row_ptr.clone(),
            col_idx: self.col_idx.clone(),
            values: self.values.iter().map(change).collect(),
        }
    }

    /// The same structure with each value replaced by `change(row, column, value)`.
    ///
    /// # Errors
    /// The first error of `change`.
    pub fn try_map<U, E>(
        &self,
        mut change: impl FnMut(usize, u32, &T) -> Result<U, E>,
    ) -> Result<Csr<U>, E> {
        let values = self.entries().map(|(row, col, value)| change(row, col, value));
        Ok(Csr {
            rows: self.rows,
            cols: self.cols,
            values: values.collect::<Result<_, E>>()?,
            row_ptr: self.row_ptr.clone(),
            col_idx: self.col_idx.clone(),
        })
    }

    /// The same structure with `one` at every entry: the pattern of the matrix.
    pub fn pattern<U: Clone>(&self, one: U) -> Csr<U> {
        self.map(|_| one.clone())
    }

    fn row_range(&self, row: usize) -> std::ops::Range<usize> {
        self.row_ptr[row] as usize..self.row_ptr[row + 1] as usize
    }
}

impl<T: Clone> Csr<T> {
    /// The entries for which `keep(row, column, value)` is true.
    pub fn retain(&self, mut keep: impl FnMut(usize, u32, &T) -> bool) -> Csr<T> {
        let (mut row_ptr, mut col_idx, mut values) = (vec![0], vec![], vec![]);
        for row in 0..self.rows {
            let (columns, row_values) = self.row(row);
            for (&col, value) in columns.iter().zip(row_values) {
                if keep(row, col, value) {
                    col_idx.push(col);
                    values.push(value.clone());
                }
            }
            row_ptr.push(col_idx.len() as u64);
        }
        Csr { rows: self.rows, cols: self.cols, row_ptr, col_idx, values }
    }

    /// The `n` x `n` matrix with `one` on the diagonal.
    ///
    /// # Errors
    /// [`CsrError::TooManyColumns`].
    pub fn identity(n: usize, one: T) -> Result<Self, CsrError> {
        let last =
            u32::try_from(n.saturating_sub(1)).map_err(|_| CsrError::TooManyColumns { cols: n })?;
        let columns = if n == 0 { Vec::new() } else { (0..=last).collect() };
        Self::new(n, n, (0..=n as u64).collect(), columns, vec![one; n])
    }

    /// The transposed matrix, by counting sort in O(rows + cols + nnz).
    ///
    /// # Errors
    /// [`CsrError::TooManyColumns`] when the matrix has more rows than a 32-bit index reaches.
    pub fn transpose(&self) -> Result<Self, CsrError> {
        check_cols(self.rows)?;
        let mut next = vec![0u64; self.cols + 1];
        for &col in &self.col_idx {
            next[col as usize + 1] += 1;
        }
        for col in 0..self.cols {
            next[col + 1] += next[col];
        }
        // Source position of each entry of the result; rows are visited in order, so the columns
        // of the result rise.
        let mut from = vec![0usize; self.nnz()];
        let mut col_idx = vec![0u32; self.nnz()];
        for row in 0..self.rows {
            for at in self.row_range(row) {
                let slot = &mut next[self.col_idx[at] as usize];
                from[*slot as usize] = at;
                col_idx[*slot as usize] = row as u32;
                *slot += 1;
            }
        }
        let values = from.iter().map(|&at| self.values[at].clone()).collect();
        // Each start has moved to the end of its row, which is the start of the next.
        next.rotate_right(1);
        next[0] = 0;
        Ok(Self { rows: self.cols, cols: self.rows, row_ptr: next, col_idx, values })
    }
}

fn check_cols(cols: usize) -> Result<(), CsrError> {
    if cols as u64 > 1 << 32 { Err(CsrError::TooManyColumns { cols }) } else { Ok(()) }
}

fn check_lengths(
    rows: usize,
    cols: usize,
    row_ptr: &[u64],
    columns: usize,
    values: usize,
) -> Result<(), CsrError> {
    check_cols(cols)?;
    if row_ptr.len().checked_sub(1) != Some(rows) {
        return Err(CsrError::RowPointerCount { rows, got: row_ptr.len() });
    }
    if row_ptr[0] != 0 {
        return Err(CsrError::RowPointerStart { got: row_ptr[0] });
    }
    for (row, pair) in row_ptr.windows(2).enumerate() {
        if pair[1] < pair[0] {
            return Err(CsrError::RowPointerFalls { row, start: pair[0], end: pair[1] });
        }
    }
    if row_ptr[rows] != columns as u64 {
        return Err(CsrError::RowPointerEnd { end: row_ptr[rows], entries: columns });
    }
    if columns != values {
        return Err(CsrError::ValueCount { columns, values });
    }
    Ok(())
}

fn check_row(row: usize, cols: usize, columns: &[u32]) -> Result<(), CsrError> {
    let mut previous = None;
    for &col in columns {
        if col as usize >= cols {
            return Err(CsrError::ColumnOutOfRange { row, col, cols });
        }
        match previous {
            Some(before) if before == col => return Err(CsrError::Duplicate { row, col }),
            Some(before) if before > col => {
                return Err(CsrError::Unsorted { row, previous: before, col });
            }
            _ => previous = Some(col),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Csr<i32> {
        Csr::new(3, 4, vec![0, 2, 2, 4], vec![1, 3, 0, 3], vec![10, 20, 30, 40]).unwrap()
    }

    #[test]
    fn rows_and_entries_read_back() {
        let m = small();
        assert_eq!((m.rows(), m.cols(), m.nnz()), (3, 4, 4));
        assert_eq!(m.row(0), (&[1, 3][..], &[10, 20][..]));
        assert_eq!(m.row(1), (&[][..], &[][..]));
        let entries: Vec<_> = m.entries().map(|(r, c, v)| (r, c, *v)).collect();
        assert_eq!(entries, [(0, 1, 10), (0, 3, 20), (2, 0, 30), (2, 3, 40)]);
    }

    #[test]
    fn transpose_moves_each_entry_and_undoes_itself() {
        let t = small().transpose().unwrap();
        let entries: Vec<_> = t.entries().map(|(r, c, v)| (r, c, *v)).collect();
        assert_eq!(entries, [(0, 2, 30), (1, 0, 10), (3, 0, 20), (3, 2, 40)]);
        assert_eq!((t.rows(), t.cols()), (4, 3));
        assert_eq!(t.transpose().unwrap(), small());
    }

    #[test]
    fn identity_and_empty() {
        let i = Csr::identity(3, 1i32).unwrap();
        assert_eq!(
            i.entries().map(|(r, c, _)| (r, c)).collect::<Vec<_>>(),
            [(0, 0), (1, 1), (2, 2)]
        );
        assert_eq!(Csr::identity(0, 1i32).unwrap().nnz(), 0);
        let e = Csr::<f32>::empty(0, 0).unwrap();
        assert_eq!(e.transpose().unwrap(), e);
        assert_eq!(Csr::<f32>::empty(2, 5).unwrap().transpose().unwrap().rows(), 5);
    }

    #[test]
    fn every_fault_has_its_error() {
        let build = |rows, cols, p: &[u64], c: &[u32], n| {
            Csr::new(rows, cols, p.to_vec(), c.to_vec(), vec![0u8; n]).unwrap_err().to_string()
        };
        let text = [
            build(2, 2, &[0, 1], &[0], 1),
            build(0, 2, &[], &[], 0),
            build(1, 2, &[1, 1], &[0], 1),
            build(3, 2, &[0, 2, 1, 2], &[0, 1], 2),
            build(1, 2, &[0, 9], &[0], 1),
            build(1, 2, &[0, 1], &[0], 3),
            build(1, 2, &[0, 1], &[2], 1),
            build(1, 3, &[0, 2], &[2, 1], 2),
            build(1, 3, &[0, 2], &[2, 2], 2),
            build(0, (1 << 32) + 1, &[0], &[], 0),
            build(usize::MAX, 1, &[0], &[], 0),
        ]
        .join("\n");
        insta::assert_snapshot!(text);
    }
}
