//! Sizes of sparse matrices and of their products.

use mattock::Csr;

use crate::reference::ShapeError;

/// Size of one matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixStats {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Entries.
    pub nnz: usize,
    /// Entries of the longest row.
    pub max_row: usize,
}

/// Work of a product C = A*B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductStats {
    /// Multiply-adds.
    pub products: u64,
    /// Multiply-adds of the row of C that needs most.
    pub max_row_products: u64,
}

impl MatrixStats {
    /// Counts the entries of `matrix`.
    pub fn of<T>(matrix: &Csr<T>) -> Self {
        let max_row = (0..matrix.rows()).map(|row| matrix.row_nnz(row)).max().unwrap_or(0);
        Self { rows: matrix.rows(), cols: matrix.cols(), nnz: matrix.nnz(), max_row }
    }
}

impl ProductStats {
    /// Counts the multiply-adds of `a * b`, without doing them.
    ///
    /// # Errors
    /// [`ShapeError`].
    pub fn of<A, B>(a: &Csr<A>, b: &Csr<B>) -> Result<Self, ShapeError> {
        if a.cols() != b.rows() {
            return Err(ShapeError { a_cols: a.cols(), b_rows: b.rows() });
        }
        let row_products =
            |row| a.row(row).0.iter().map(|&k| b.row_nnz(k as usize) as u64).sum::<u64>();
        let (mut products, mut max_row_products) = (0, 0);
        for row in 0..a.rows() {
            let count = row_products(row);
            products += count;
            max_row_products = count.max(max_row_products);
        }
        Ok(Self { products, max_row_products })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_a_small_product() {
        let a = Csr::new(2, 3, vec![0, 2, 3], vec![0, 2, 2], vec![(); 3]).unwrap();
        let b = Csr::new(3, 4, vec![0, 1, 1, 4], vec![3, 0, 1, 2], vec![(); 4]).unwrap();
        let stats = ProductStats::of(&a, &b).unwrap();
        assert_eq!(stats, ProductStats { products: 7, max_row_products: 4 });
        assert_eq!(MatrixStats::of(&b), MatrixStats { rows: 3, cols: 4, nnz: 4, max_row: 3 });
        assert!(ProductStats::of(&a, &a).is_err());
    }
}
