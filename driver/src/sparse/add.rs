//! Sums of sparse matrices.

use super::{
    Determinism, Mask, SEMIRINGS, Semiring, SparseSum, SparseValue, SpgemmOptions, SpgemmStats,
};
use crate::device::Context;
use crate::{Csr, Error};
use mattock_spec::semiring::MultiplyOp;

/// Positions of the arguments, for [`Error::InvalidArg`].
const ARG_B: usize = 4;
const ARG_FACTOR: usize = 2;

impl Context {
    /// `C = alpha * A + beta * B`; C has an entry where A or B has one.
    ///
    /// The sum has the type the card computes in. One command of the sparse engine: the rows of A and B side by side, times two scaled identities one
    /// above the other.
    ///
    /// # Errors
    /// As [`spgemm`](Self::spgemm).
    pub fn spadd<T: SparseValue>(
        &self,
        alpha: T,
        a: &Csr<T>,
        beta: T,
        b: &Csr<T>,
        options: &SpgemmOptions,
    ) -> Result<(Csr<T::Sum>, SpgemmStats), Error> {
        if (a.rows(), a.cols()) != (b.rows(), b.cols()) {
            let what =
                format!("it is {} x {}, A is {} x {}", b.rows(), b.cols(), a.rows(), a.cols());
            return Err(Error::invalid_arg(ARG_B, what));
        }
        let n = a.cols();
        let both = beside(a, b)?;
        let columns = (0..n as u64).chain(0..n as u64).map(|col| col as u32).collect();
        let values = std::iter::repeat_n(alpha, n).chain(std::iter::repeat_n(beta, n)).collect();
        let scaled = Csr::new(2 * n, n, (0..=2 * n as u64).collect(), columns, values)?;
        self.spgemm(&both, &scaled, options)
    }

    /// `C + A * B` over a semiring; the sum has an entry where C has one or any product is. The entries of C are one more
    /// value each in their sums.
    ///
    /// [`spgemm_onto`](Self::spgemm_onto) without a mask.
    ///
    /// # Errors
    /// As there.
    pub fn spgemm_accumulate<T: SparseSum>(
        &self,
        a: &Csr<T>,
        b: &Csr<T>,
        c: &Csr<T>,
        options: &SpgemmOptions,
    ) -> Result<(Csr<T>, SpgemmStats), Error> {
        self.spgemm_onto(a, b, None::<&Mask<'_, T>>, Some(c), options)
    }

    /// `C + A * B`, C of the right shape, without a card that adds to C: A and the identity side by side, times B above C.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] and, over semirings whose product of one and c is not c, [`Error::Unsupported`].
    pub(super) fn beside_identity<T: SparseSum>(
        &self,
        a: &Csr<T>,
        b: &Csr<T>,
        c: &Csr<T>,
        mask: Option<Mask<'_, i32>>,
        options: &SpgemmOptions,
    ) -> Result<(Csr<T>, SpgemmStats), Error> {
        if a.cols() != b.rows() {
            let what = format!("it has {} rows, A has {} columns", b.rows(), a.cols());
            return Err(Error::invalid_arg(ARG_FACTOR, what));
        }
        let one = match options.semiring.multiply() {
            MultiplyOp::Times | MultiplyOp::Second | MultiplyOp::And => T::ONE,
            MultiplyOp::Plus => T::ZERO,
            MultiplyOp::Pair | MultiplyOp::First => {
                let asked = format!("sums into C over {}", options.semiring);
                let able =
                    |s: &&Semiring| !matches!(s.multiply(), MultiplyOp::Pair | MultiplyOp::First);
                let have: Vec<&str> = SEMIRINGS.iter().filter(able).map(|s| s.name()).collect();
                return Err(Error::Unsupported { asked, have: have.join(", ") });
            }
        };
        let identity = Csr::identity(a.rows(), one)?;
        let (left, right) = match options.determinism {
            Determinism::Fast => (beside(a, &identity)?, above(b, c)?),
            // A sum begins with what it is added to, as on cards that add to C themselves.
            Determinism::Ordered => (beside(&identity, a)?, above(c, b)?),
        };
        self.spgemm_joined(&left, &right, mask, None, options)
    }
}

/// The rows of A, and below them those of B.
fn above<T: Copy>(a: &Csr<T>, b: &Csr<T>) -> Result<Csr<T>, Error> {
    let below = b.row_ptr().iter().skip(1).map(|p| p + a.nnz() as u64);
    let row_ptr = a.row_ptr().iter().copied().chain(below).collect();
    let columns = [a.col_idx(), b.col_idx()].concat();
    let values = [a.values(), b.values()].concat();
    Ok(Csr::new(a.rows() + b.rows(), a.cols(), row_ptr, columns, values)?)
}

/// The matrix whose rows are those of A followed by those of B.
fn beside<T: Copy>(a: &Csr<T>, b: &Csr<T>) -> Result<Csr<T>, Error> {
    let cols = a.cols() + b.cols();
    if u32::try_from(cols).is_err() {
        let what = format!("together with A it has {cols} columns, at most {} fit", u32::MAX);
        return Err(Error::invalid_arg(ARG_B, what));
    }
    let row_ptr = a.row_ptr().iter().zip(b.row_ptr()).map(|(a, b)| a + b).collect();
    let mut columns = Vec::with_capacity(a.nnz() + b.nnz());
    let mut values = Vec::with_capacity(a.nnz() + b.nnz());
    for row in 0..a.rows() {
        let ((a_cols, a_values), (b_cols, b_values)) = (a.row(row), b.row(row));
        columns.extend(a_cols.iter().copied().chain(b_cols.iter().map(|c| c + a.cols() as u32)));
        values.extend(a_values.iter().chain(b_values).copied());
    }
    Ok(Csr::new(a.rows(), cols, row_ptr, columns, values)?)
}
