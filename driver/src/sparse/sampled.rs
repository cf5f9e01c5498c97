//! Products at chosen places: of dense matrices at the entries of a sparse one, and of entries that two matrices share.

use super::dense::values;
use super::{SparseSum, SparseValue, SpgemmOptions, SpgemmStats};
use crate::device::Context;
use crate::view::{DynView, View};
use crate::{Csr, Error};
use mattock_spec::Semiring;
use std::collections::HashMap;

/// Positions of the arguments, for [`Error::InvalidArg`].
const ARG_A: usize = 2;
const ARG_B: usize = 3;
const ARG_OTHER: usize = 2;

/// Entries of B that go to the card in one command, unless one set of columns has more: 32 MiB.
const BATCH: usize = 1 << 22;

impl Context {
    /// The products of the entries that A and B both have, by the multiplication of the semiring.
    ///
    /// One command of the sparse engine: the host finds the places that both have, and entry e of row i and column j is row i of one
    /// factor and column j of the other, at inner index e.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] for a B of another shape; otherwise as [`spgemm`](Self::spgemm).
    pub fn spmultiply<T: SparseValue>(
        &self,
        a: &Csr<T>,
        b: &Csr<T>,
        options: &SpgemmOptions,
    ) -> Result<(Csr<T::Sum>, SpgemmStats), Error> {
        if (a.rows(), a.cols()) != (b.rows(), b.cols()) {
            let what =
                format!("it is {} x {}, A is {} x {}", b.rows(), b.cols(), a.rows(), a.cols());
            return Err(Error::invalid_arg(ARG_OTHER, what));
        }
        let (mut left, mut right) = (Factor::new(), Factor::new());
        for row in 0..a.rows() {
            let (a_row, b_row) = (a.row(row), b.row(row));
            for (col, x, y) in shared(a_row, b_row) {
                left.push(right.rows() as u32, x);
                right.push(col, y);
                right.end_row();
            }
            left.end_row();
        }
        let common = right.rows();
        let (left, right) = (left.finish(common)?, right.finish(a.cols())?);
        self.spgemm(&left, &right, options)
    }

    /// `C = alpha * (A * B) + beta * C` at the entries of a sparse C, with dense A and B: sampled dense-dense multiplication.
    ///
    /// The card does `nnz(C) * K` multiply-adds and no others: rows of C with the same columns share a copy of these columns of B, and a
    /// row of A meets the copy of its row. B goes to the card that way, 8 bytes for each multiply-add in the worst case, in
    /// several commands when it is more than 32 MiB. The host applies alpha and beta in the type of the values, and
    /// [`SpgemmStats::host_elements`] counts the entries. With beta = 0 the values of C are not read, with alpha = 0 A and B are not.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] for an A or B that does not go with C; [`Error::Unsupported`] over another semiring than plus-times; otherwise as
    /// [`spgemm`](Self::spgemm). C is untouched then.
    pub fn sddmm<T: SparseSum>(
        &self,
        alpha: T,
        a: View<'_, T>,
        b: View<'_, T>,
        beta: T,
        c: &mut Csr<T>,
        options: &SpgemmOptions,
    ) -> Result<SpgemmStats, Error> {
        let (a, b): (DynView<'_>, DynView<'_>) = (a.into(), b.into());
        let ((a_rows, inner), (b_rows, b_cols)) = (a.shape(), b.shape());
        if a_rows != c.rows() {
            let what = format!("it has {a_rows} rows, C has {}", c.rows());
            return Err(Error::invalid_arg(ARG_A, what));
        }
        if (b_rows, b_cols) != (inner, c.cols()) {
            let what = format!("it is {b_rows} x {b_cols}, {inner} x {} is needed", c.cols());
            return Err(Error::invalid_arg(ARG_B, what));
        }
        let caps = super::run::engine(&self.inner, T::TYPE, "sddmm")?;
        options.check(&caps, T::TYPE)?;
        if options.semiring != Semiring::PlusTimes {
            // Entries without products have the value 0 here, which other semirings do not.
            let asked = format!("sddmm over {}", options.semiring);
            return Err(Error::Unsupported { asked, have: Semiring::PlusTimes.to_string() });
        }
        let mut stats = SpgemmStats::default();
        let mut sums = vec![T::ZERO; c.nnz()];
        if alpha != T::ZERO && inner > 0 {
            let dense = Dense { a: values::<T>(&a)?, b: values::<T>(&b)?, inner, cols: b_cols };
            for batch in batches(c, inner, BATCH) {
                let (left, right) = dense.factors(c, &batch)?;
                let (product, cost) = self.spgemm(&left, &right, options)?;
                stats += cost;
                for &row in &batch.rows {
                    let (_, values) = product.row(row);
                    let to = c.row_ptr()[row] as usize;
                    sums[to..to + values.len()].copy_from_slice(values);
                }
            }
        }
        if alpha != T::ONE || beta != T::ZERO {
            stats.host_elements += c.nnz() as u64;
        }
        for (old, sum) in c.values_mut().iter_mut().zip(sums) {
            let term = if alpha == T::ONE { sum } else { alpha.times(sum) };
            *old = match beta == T::ZERO {
                true => term,
                false if beta == T::ONE => term.plus(*old),
                false => term.plus(beta.times(*old)),
            };
        }
        Ok(stats)
    }
}

/// Columns that both rows have, with both values.
fn shared<'a, T: Copy>(
    (a_cols, a_values): (&'a [u32], &'a [T]),
    (b_cols, b_values): (&'a [u32], &'a [T]),
) -> impl Iterator<Item = (u32, T, T)> + 'a {
    let mut at = 0;
    a_cols.iter().zip(a_values).filter_map(move |(&col, &x)| {
        at += b_cols[at..].partition_point(|&other| other < col);
        (b_cols.get(at) == Some(&col)).then(|| (col, x, b_values[at]))
    })
}

/// Rows of C that go to the card together, and their different sets of columns.
struct Batch<'c> {
    rows: Vec<usize>,
    /// Which set each of these rows has.
    sets: Vec<usize>,
    columns: Vec<&'c [u32]>,
}

/// The rows of C that have entries, in batches of at most so many entries of B, or of one row.
fn batches<T>(c: &Csr<T>, inner: usize, most: usize) -> Vec<Batch<'_>> {
    let mut all: Vec<Batch<'_>> = vec![];
    let mut known: HashMap<&[u32], usize> = HashMap::new();
    let mut entries = 0;
    for row in 0..c.rows() {
        let (columns, _) = c.row(row);
        if columns.is_empty() {
            continue;
        }
        let more =
            if known.contains_key(columns) { 0 } else { columns.len().saturating_mul(inner) };
        if all.is_empty() || (more > 0 && entries + more > most) {
            all.push(Batch { rows: vec![], sets: vec![], columns: vec![] });
            known.clear();
            entries = 0;
        }
        // There is one.
        let Some(batch) = all.last_mut() else { continue };
        let next = batch.columns.len();
        let set = *known.entry(columns).or_insert(next);
        if set == next {
            batch.columns.push(columns);
            entries += columns.len() * inner;
        }
        batch.rows.push(row);
        batch.sets.push(set);
    }
    all
}

/// The dense factors, row after row.
struct Dense<T> {
    a: Vec<T>,
    b: Vec<T>,
    inner: usize,
    cols: usize,
}

impl<T: SparseSum> Dense<T> {
    /// The rows of A at the inner indices of their set, and the columns of B of each set below one another.
    fn factors(&self, c: &Csr<T>, batch: &Batch<'_>) -> Result<(Csr<T>, Csr<T>), Error> {
        let (mut left, mut right) = (Factor::new(), Factor::new());
        let mut rows = batch.rows.iter().zip(&batch.sets).peekable();
        for row in 0..c.rows() {
            if let Some((_, set)) = rows.next_if(|(next, _)| **next == row) {
                for k in 0..self.inner {
                    left.push((set * self.inner + k) as u32, self.a[row * self.inner + k]);
                }
            }
            left.end_row();
        }
        for columns in &batch.columns {
            for k in 0..self.inner {
                for &col in *columns {
                    right.push(col, self.b[k * self.cols + col as usize]);
                }
                right.end_row();
            }
        }
        let inner = batch.columns.len() * self.inner;
        Ok((left.finish(inner)?, right.finish(self.cols)?))
    }
}

/// A matrix that is written row after row.
struct Factor<T> {
    row_ptr: Vec<u64>,
    columns: Vec<u32>,
    values: Vec<T>,
}

impl<T: Copy> Factor<T> {
    fn new() -> Self {
        Factor { row_ptr: vec![0], columns: vec![], values: vec![] }
    }

    fn rows(&self) -> usize {
        self.row_ptr.len() - 1
    }

    fn push(&mut self, col: u32, value: T) {
        self.columns.push(col);
        self.values.push(value);
    }

    fn end_row(&mut self) {
        self.row_ptr.push(self.columns.len() as u64);
    }

    fn finish(self, cols: usize) -> Result<Csr<T>, Error> {
        let rows = self.rows();
        Ok(Csr::new(rows, cols, self.row_ptr, self.columns, self.values)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_same_columns_share_them() {
        let columns = vec![0, 2, 0, 2, 1, 0, 2, 1];
        let c = Csr::new(6, 3, vec![0, 2, 2, 4, 5, 7, 8], columns, vec![(); 8]).unwrap();
        let seen = |most| -> Vec<(Vec<usize>, Vec<usize>, usize)> {
            let batches = batches(&c, 10, most);
            batches.into_iter().map(|b| (b.rows, b.sets, b.columns.len())).collect()
        };
        assert_eq!(seen(1000), [(vec![0, 2, 3, 4, 5], vec![0, 0, 1, 0, 1], 2)]);
        assert_eq!(
            seen(20),
            [
                (vec![0, 2], vec![0, 0], 1),
                (vec![3], vec![0], 1),
                (vec![4], vec![0], 1),
                (vec![5], vec![0], 1)
            ]
        );
        assert_eq!(seen(1).len(), 4);
        assert!(batches(&Csr::<()>::empty(3, 3).unwrap(), 10, 5).is_empty());
    }

    #[test]
    fn entries_that_both_have() {
        let (a, b) =
            ((&[1u32, 4, 9][..], &[10, 40, 90][..]), (&[0u32, 4, 8, 9][..], &[1, 2, 3, 4][..]));
        assert_eq!(shared(a, b).collect::<Vec<_>>(), [(4, 40, 2), (9, 90, 4)]);
        assert_eq!(shared(b, a).collect::<Vec<_>>(), [(4, 2, 40), (9, 4, 90)]);
        assert_eq!(shared(a, (&[], &[])).count(), 0);
    }
}
