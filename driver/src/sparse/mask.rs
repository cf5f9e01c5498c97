//! Products of which only some entries are wanted.

use super::{Csr, SparseValue, SpgemmOptions, SpgemmStats};
use crate::Error;
use crate::device::Context;
use mattock_spec::JoinStep;

/// Position of what joins a product behind A and B, for [`Error::InvalidArg`].
const ARG_JOINED: usize = 3;

/// Which entries of a result are wanted: those where a matrix has one.
#[derive(Clone, Copy, Debug)]
pub struct Mask<'m, M> {
    /// The matrix, of the result's shape.
    pub matrix: &'m Csr<M>,
    /// Those where it has none.
    pub complement: bool,
    /// An entry that is zero counts as none.
    pub by_value: bool,
}

impl<'m, M> Mask<'m, M> {
    /// The entries of `matrix`, whatever their values.
    pub fn structure(matrix: &'m Csr<M>) -> Self {
        Mask { matrix, complement: false, by_value: false }
    }
}

impl<M: SparseValue> Mask<'_, M> {
    /// What the mask leaves of a matrix of its shape.
    fn apply<T: Clone>(&self, c: &Csr<T>) -> Csr<T> {
        c.retain(|row, col, _| {
            let (columns, values) = self.matrix.row(row);
            let set =
                columns.binary_search(&col).is_ok_and(|at| !self.by_value || values[at] != M::ZERO);
            set != self.complement
        })
    }
}

impl Context {
    /// `C<mask> = A * B`: only the entries that the mask wants.
    ///
    /// A card built with masks leaves out the others itself: rows of which the mask wants nothing cost no product, and C takes no
    /// more memory than what is left. Any other card forms the whole product, in parts when `options` allow that, and the host
    /// leaves out the rest; cycles and card memory are those of the whole product then.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] for a mask of another shape; otherwise as [`spgemm`](Self::spgemm).
    pub fn spgemm_masked<T: SparseValue, M: SparseValue>(
        &self,
        a: &Csr<T>,
        b: &Csr<T>,
        mask: &Mask<'_, M>,
        options: &SpgemmOptions,
    ) -> Result<(Csr<T::Sum>, SpgemmStats), Error> {
        self.spgemm_onto(a, b, Some(mask), None, options)
    }

    /// `D<mask> = C + A * B` over a semiring, C and mask as far as they are given: where C has an entry it is one more value of its
    /// sum. C and mask have the shape of A * B; entries of C that the mask does not want are left out too.
    ///
    /// On cards built for it ([`has_join`](mattock_spec::regs::SpgemmCaps::has_join)) rows of C and of the mask join the products of a row. On others the
    /// identity beside A and C below B bring C into the product, and the host applies the mask.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] for a C (argument 3) or a mask (argument 4; without C, 3) of another shape; where the card cannot add
    /// to a C itself, [`Error::Unsupported`] over semirings whose product of one and c is not c (the pairs and plus-first;
    /// or-and makes 1 of any c but 0); otherwise as [`spgemm`](Self::spgemm).
    pub fn spgemm_onto<T: SparseValue, M: SparseValue>(
        &self,
        a: &Csr<T>,
        b: &Csr<T>,
        mask: Option<&Mask<'_, M>>,
        c: Option<&Csr<T::Sum>>,
        options: &SpgemmOptions,
    ) -> Result<(Csr<T::Sum>, SpgemmStats), Error> {
        let shaped = |index, rows, cols, nnz| {
            let (m, n) = (a.rows(), b.cols());
            if (rows, cols) != (m, n) {
                let what = format!("it is {rows} x {cols}, A * B is {m} x {n}");
                return Err(Error::invalid_arg(index, what));
            }
            if u32::try_from(nnz).is_err() {
                let what = format!("it has {nnz} entries, at most {} are allowed", u32::MAX);
                return Err(Error::invalid_arg(index, what));
            }
            Ok(())
        };
        if let Some(c) = c {
            shaped(ARG_JOINED, c.rows(), c.cols(), c.nnz())?;
        }
        if let Some(mask) = mask {
            let index = ARG_JOINED + usize::from(c.is_some());
            let m = mask.matrix;
            shaped(index, m.rows(), m.cols(), m.nnz())?;
        }
        let caps = self.inner.shared.caps.spgemm;
        let built = |step| caps.is_some_and(|caps| caps.has_join(step));
        let pattern = mask
            .filter(|_| built(JoinStep::Mask))
            .map(|mask| mask.matrix.map(|value| i32::from(*value != M::ZERO)));
        // Values of a mask are words: where those of A and B are not, zeros stay here.
        let words = c.is_some() || size_of::<T>() == 4;
        let dropped = mask.is_some_and(|mask| mask.by_value && !words);
        let pattern = match dropped {
            true => pattern.map(|pattern| pattern.retain(|_, _, value| *value != 0)),
            false => pattern,
        };
        let on_card = pattern.as_ref().zip(mask).map(|(matrix, mask)| Mask {
            matrix,
            complement: mask.complement,
            by_value: mask.by_value && words,
        });
        let (d, stats) = match c {
            None => self.spgemm_joined(a, b, on_card, None, options),
            // C has the type of sums, and so must its factors.
            Some(c) => {
                let (a, b) = (a.map(|value| value.widen()), b.map(|value| value.widen()));
                match built(JoinStep::Accumulate) {
                    true => self.spgemm_joined(&a, &b, on_card, Some(c), options),
                    false => self.beside_identity(&a, &b, c, on_card, options),
                }
            }
        }?;
        Ok(match mask {
            Some(mask) if on_card.is_none() => (mask.apply(&d), stats),
            _ => (d, stats),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_keep_what_they_say() {
        let matrix = |cols: &[u32], values: &[i32]| {
            Csr::new(1, 9, vec![0, cols.len() as u64], cols.to_vec(), values.to_vec()).unwrap()
        };
        let c = matrix(&[1, 2, 4, 7, 8], &[10, 20, 40, 70, 80]);
        let m = matrix(&[0, 2, 4, 5, 8], &[1, 1, 0, 1, 1]);
        let mask = |complement, by_value| Mask { matrix: &m, complement, by_value };
        let kept = |mask: Mask<'_, i32>| mask.apply(&c).col_idx().to_vec();
        assert_eq!(kept(mask(false, false)), [2, 4, 8]);
        assert_eq!(kept(mask(true, false)), [1, 7]);
        assert_eq!(kept(mask(false, true)), [2, 8]);
        assert_eq!(kept(mask(true, true)), [1, 4, 7]);
    }
}
