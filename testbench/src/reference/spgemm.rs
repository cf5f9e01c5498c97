//! Sparse matrix times sparse matrix.

use mattock::Csr;
use mattock::sparse::SparseValue;
use mattock_spec::Semiring;
use std::collections::BTreeMap;

use super::algebra::Element;

/// Matrices whose shapes do not fit for a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("A has {a_cols} columns but B has {b_rows} rows")]
pub struct ShapeError {
    /// Columns of A.
    pub a_cols: usize,
    /// Rows of B.
    pub b_rows: usize,
}

/// `C = A * B` over plus and times.
///
/// # Errors
/// [`ShapeError`].
pub fn spgemm<T: Element>(a: &Csr<T>, b: &Csr<T>) -> Result<Csr<T>, ShapeError> {
    spgemm_over(a, b, Semiring::PlusTimes)
}

/// `C = A * B` over a semiring, row by row (Gustavson 1978), columns sorted.
///
/// Structural: C has an entry wherever A and B have a pair of entries to multiply, also where
/// factors are stored zeros and where a sum cancels to zero. Sums run in the order of A's columns.
///
/// # Errors
/// [`ShapeError`].
pub fn spgemm_over<T: Element>(
    a: &Csr<T>,
    b: &Csr<T>,
    semiring: Semiring,
) -> Result<Csr<T>, ShapeError> {
    let product = |x: &T, y: &T| x.multiply(*y, semiring.multiply());
    row_wise(a, b, product, |sum, x, y| *sum = sum.add(product(x, y), semiring.add()))
}

/// The matrix with its values in the type they are computed in. The product of two such matrices is the product of what they were.
pub fn widened<T: SparseValue>(matrix: &Csr<T>) -> Csr<T::Sum> {
    matrix.map(|value| value.widen())
}

/// `C + P` entry by entry, over the sum of a semiring: an entry where either has one.
///
/// # Panics
/// When their shapes differ.
pub fn onto<T: Element>(c: &Csr<T>, p: &Csr<T>, semiring: Semiring) -> Csr<T> {
    merged(c, p, |sum, value| sum.add(value, semiring.add()))
}

/// `C + A * B` over a semiring in the order that ordered sums have: the entry of C, then its products by rising k, a rounding for
/// each addition.
///
/// # Errors
/// [`ShapeError`].
///
/// # Panics
/// When C has another shape than A * B.
pub fn spgemm_from<T: Element>(
    c: &Csr<T>,
    a: &Csr<T>,
    b: &Csr<T>,
    semiring: Semiring,
) -> Result<Csr<T>, ShapeError> {
    if a.cols() != b.rows() {
        return Err(ShapeError { a_cols: a.cols(), b_rows: b.rows() });
    }
    assert_eq!((c.rows(), c.cols()), (a.rows(), b.cols()));
    let (mut row_ptr, mut col_idx, mut values) = (vec![0], vec![], vec![]);
    for row in 0..c.rows() {
        let (columns, of_c) = c.row(row);
        let mut sums: BTreeMap<u32, T> =
            columns.iter().copied().zip(of_c.iter().copied()).collect();
        let (inner, of_a) = a.row(row);
        for (&k, x) in inner.iter().zip(of_a) {
            let (columns, of_b) = b.row(k as usize);
            for (&col, y) in columns.iter().zip(of_b) {
                let product = x.multiply(*y, semiring.multiply());
                sums.entry(col)
                    .and_modify(|sum| *sum = sum.add(product, semiring.add()))
                    .or_insert(product);
            }
        }
        col_idx.extend(sums.keys());
        values.extend(sums.values());
        row_ptr.push(col_idx.len() as u64);
    }
    Ok(Csr::new(c.rows(), c.cols(), row_ptr, col_idx, values).expect("columns rise"))
}

/// The entries of both matrices, and `both` of them where both have one.
pub(super) fn merged<T: Copy>(c: &Csr<T>, p: &Csr<T>, both: impl Fn(T, T) -> T) -> Csr<T> {
    assert_eq!((c.rows(), c.cols()), (p.rows(), p.cols()));
    let (mut row_ptr, mut col_idx, mut values) = (vec![0], vec![], vec![]);
    for row in 0..c.rows() {
        let ((columns, of_c), (others, of_p)) = (c.row(row), p.row(row));
        let mut sums: BTreeMap<u32, T> =
            columns.iter().copied().zip(of_c.iter().copied()).collect();
        for (&col, &value) in others.iter().zip(of_p) {
            sums.entry(col).and_modify(|sum| *sum = both(*sum, value)).or_insert(value);
        }
        for (col, sum) in sums {
            col_idx.push(col);
            values.push(sum);
        }
        row_ptr.push(col_idx.len() as u64);
    }
    Csr::new(c.rows(), c.cols(), row_ptr, col_idx, values).expect("sums of right matrices")
}

/// The row-wise product over any accumulator: `first` makes it, `more` adds to it.
pub(super) fn row_wise<A, B, C: Copy>(
    a: &Csr<A>,
    b: &Csr<B>,
    first: impl Fn(&A, &B) -> C,
    more: impl Fn(&mut C, &A, &B),
) -> Result<Csr<C>, ShapeError> {
    if a.cols() != b.rows() {
        return Err(ShapeError { a_cols: a.cols(), b_rows: b.rows() });
    }
    let mut accumulator: Vec<Option<C>> = vec![None; b.cols()];
    let mut columns: Vec<u32> = Vec::new();
    let mut row_ptr = Vec::with_capacity(a.rows() + 1);
    let (mut col_idx, mut values) = (Vec::new(), Vec::new());
    row_ptr.push(0);
    for row in 0..a.rows() {
        let (inner, a_values) = a.row(row);
        for (&k, x) in inner.iter().zip(a_values) {
            let (b_cols, b_values) = b.row(k as usize);
            for (&col, y) in b_cols.iter().zip(b_values) {
                match &mut accumulator[col as usize] {
                    Some(sum) => more(sum, x, y),
                    empty => {
                        *empty = Some(first(x, y));
                        columns.push(col);
                    }
                }
            }
        }
        columns.sort_unstable();
        values.extend(columns.iter().filter_map(|&col| accumulator[col as usize].take()));
        col_idx.append(&mut columns);
        row_ptr.push(col_idx.len() as u64);
    }
    Ok(Csr::new(a.rows(), b.cols(), row_ptr, col_idx, values).expect("rows were made sorted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, cols: usize, entries: &[(usize, u32, i32)]) -> Csr<i32> {
        let mut triplets = mattock::sparse::Triplets::new();
        for &(row, col, value) in entries {
            triplets.push(row as u32, col, value);
        }
        triplets.into_csr(rows, cols, |a, b| a + b).unwrap()
    }

    #[test]
    fn zeros_and_cancelled_sums_stay() {
        let a = matrix(2, 2, &[(0, 0, 1), (0, 1, 1), (1, 0, 0)]);
        let b = matrix(2, 3, &[(0, 2, 5), (1, 2, -5), (0, 0, 7)]);
        let c = spgemm(&a, &b).unwrap();
        assert_eq!(c, matrix(2, 3, &[(0, 0, 7), (0, 2, 0), (1, 0, 0), (1, 2, 0)]));
    }

    #[test]
    fn integers_wrap() {
        let a = matrix(1, 2, &[(0, 0, i32::MAX), (0, 1, 1)]);
        let b = matrix(2, 1, &[(0, 0, 2), (1, 0, 3)]);
        assert_eq!(spgemm(&a, &b).unwrap().values(), [1]);
    }

    #[test]
    fn empty_shapes_and_misfits() {
        let none = Csr::<i32>::empty(0, 0).unwrap();
        assert_eq!(spgemm(&none, &none).unwrap(), none);
        let tall = Csr::<i32>::empty(3, 0).unwrap();
        let wide = Csr::<i32>::empty(0, 4).unwrap();
        assert_eq!(spgemm(&tall, &wide).unwrap(), Csr::empty(3, 4).unwrap());
        insta::assert_snapshot!(
            spgemm(&wide, &wide).unwrap_err(),
            @"A has 4 columns but B has 0 rows"
        );
    }
}
