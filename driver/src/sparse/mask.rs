//! Products of which only some entries are wanted.

use super::{Csr, SparseValue, SpgemmOptions, SpgemmStats};
use crate::Error;
use crate::device::Context;

/// Position of the mask among the arguments, for [`Error::InvalidArg`].
const ARG_MASK: usize = 3;

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
    fn apply<T: Copy>(&self, c: &Csr<T>) -> Result<Csr<T>, Error> {
        let (mut row_ptr, mut columns, mut values) = (vec![0], vec![], vec![]);
        for row in 0..c.rows() {
            let (mask_cols, mask_values) = self.matrix.row(row);
            let mut set = (mask_cols.iter().zip(mask_values))
                .filter(|(_, value)| !self.by_value || **value != M::ZERO)
                .map(|(&col, _)| col)
                .peekable();
            let (cols, products) = c.row(row);
            for (&col, &value) in cols.iter().zip(products) {
                while set.next_if(|&masked| masked < col).is_some() {}
                if (set.peek() == Some(&col)) != self.complement {
                    columns.push(col);
                    values.push(value);
                }
            }
            row_ptr.push(columns.len() as u64);
        }
        Ok(Csr::new(c.rows(), c.cols(), row_ptr, columns, values)?)
    }
}

impl Context {
    /// `C<mask> = A * B`: only the entries that the mask wants.
    ///
    /// Cards of today have no masks: the card forms the whole product, in parts when `options` allow that, and the host
    /// leaves out what is not wanted. Cycles and card memory are those of the whole product.
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
        let (rows, cols) = (mask.matrix.rows(), mask.matrix.cols());
        if (rows, cols) != (a.rows(), b.cols()) {
            let what = format!("it is {rows} x {cols}, the product is {} x {}", a.rows(), b.cols());
            return Err(Error::invalid_arg(ARG_MASK, what));
        }
        let (c, stats) = self.spgemm(a, b, options)?;
        Ok((mask.apply(&c)?, stats))
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
        let kept = |mask: Mask<'_, i32>| mask.apply(&c).unwrap().col_idx().to_vec();
        assert_eq!(kept(mask(false, false)), [2, 4, 8]);
        assert_eq!(kept(mask(true, false)), [1, 7]);
        assert_eq!(kept(mask(false, true)), [2, 8]);
        assert_eq!(kept(mask(true, true)), [1, 4, 7]);
    }
}
