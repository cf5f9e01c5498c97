//! Dense integer matrix product.

/// Where the elements of a matrix lie in a slice: element (r, c) at
/// `r * row_stride + c * col_stride`, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix.
    pub cols: usize,
    /// Elements from one row to the next.
    pub row_stride: usize,
    /// Elements from one column to the next.
    pub col_stride: usize,
}

/// Layouts that do not fit together or into their slices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// The shapes are not those of `D = A * B`.
    #[error("A is {a:?}, B is {b:?}, D is {d:?}: not the shapes of D = A * B")]
    Shape {
        /// Rows and columns of A.
        a: (usize, usize),
        /// Rows and columns of B.
        b: (usize, usize),
        /// Rows and columns of D.
        d: (usize, usize),
    },
    /// A slice is shorter than its layout.
    #[error("{matrix} has {have} elements, its layout reaches further")]
    TooShort {
        /// `A`, `B` or `D`.
        matrix: &'static str,
        /// Length of the slice.
        have: usize,
    },
}

impl Layout {
    /// Rows one after the other, without gaps.
    pub const fn row_major(rows: usize, cols: usize) -> Self {
        Self { rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// Columns one after the other, without gaps.
    pub const fn column_major(rows: usize, cols: usize) -> Self {
        Self { rows, cols, row_stride: 1, col_stride: rows }
    }

    /// The same elements read as the transposed matrix.
    pub const fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// Elements a slice must have, `None` when that overflows.
    pub fn length(self) -> Option<usize> {
        if self.rows == 0 || self.cols == 0 {
            return Some(0);
        }
        let row = (self.rows - 1).checked_mul(self.row_stride)?;
        let col = (self.cols - 1).checked_mul(self.col_stride)?;
        row.checked_add(col)?.checked_add(1)
    }

    fn at(self, row: usize, col: usize) -> usize {
        row * self.row_stride + col * self.col_stride
    }

    fn check(self, matrix: &'static str, have: usize) -> Result<(), LayoutError> {
        match self.length() {
            Some(length) if length <= have => Ok(()),
            _ => Err(LayoutError::TooShort { matrix, have }),
        }
    }
}

/// `D = A * B` for integer operands of any kinds up to 16 bits, accumulated in 32 bits two's
/// complement that wraps. With K = 0, D becomes zero. Elements of `d` outside its layout stay.
///
/// Four-bit operands come unpacked, see [`unpack_i4`](super::unpack_i4).
///
/// # Errors
/// [`LayoutError`]; `d` is then unchanged.
pub fn gemm<A, B>(
    a: (&[A], Layout),
    b: (&[B], Layout),
    d: (&mut [i32], Layout),
) -> Result<(), LayoutError>
where
    A: Copy + Into<i32>,
    B: Copy + Into<i32>,
{
    let ((a, la), (b, lb), (d, ld)) = (a, b, d);
    if la.cols != lb.rows || ld.rows != la.rows || ld.cols != lb.cols {
        let shape = |layout: Layout| (layout.rows, layout.cols);
        return Err(LayoutError::Shape { a: shape(la), b: shape(lb), d: shape(ld) });
    }
    la.check("A", a.len())?;
    lb.check("B", b.len())?;
    ld.check("D", d.len())?;
    for row in 0..ld.rows {
        for col in 0..ld.cols {
            let products = (0..la.cols).map(|k| {
                let (x, y): (i32, i32) = (a[la.at(row, k)].into(), b[lb.at(k, col)].into());
                x.wrapping_mul(y)
            });
            d[ld.at(row, col)] = products.fold(0, i32::wrapping_add);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_transposes_and_mixed_types() {
        // A = [[1, 2, 3], [4, 5, 6]] inside rows of 4, B = [[1, -1], [0, 2], [1, 0]] by columns.
        let a = [1u8, 2, 3, 99, 4, 5, 6];
        let la = Layout { rows: 2, cols: 3, row_stride: 4, col_stride: 1 };
        let b = [1i8, 0, 1, -1, 2, 0];
        let mut d = [7; 6];
        let ld = Layout { rows: 2, cols: 2, row_stride: 1, col_stride: 3 };
        gemm((&a, la), (&b, Layout::column_major(3, 2)), (&mut d, ld)).unwrap();
        assert_eq!(d, [4, 10, 7, 3, 6, 7]);
        let mut t = [0; 4];
        let lt = Layout::row_major(2, 2);
        let bt = Layout::column_major(3, 2).transposed();
        gemm((&b, bt), (&a, la.transposed()), (&mut t, lt)).unwrap();
        assert_eq!(t, [4, 10, 3, 6]);
    }

    #[test]
    fn no_k_gives_zero_and_no_rows_give_nothing() {
        let mut d = [5; 4];
        let none: [i8; 0] = [];
        let (la, lb) = (Layout::row_major(2, 0), Layout::row_major(0, 2));
        gemm((&none, la), (&none, lb), (&mut d, Layout::row_major(2, 2))).unwrap();
        assert_eq!(d, [0; 4]);
        let (la, lb) = (Layout::row_major(0, 3), Layout::row_major(3, 2));
        gemm((&none, la), (&[1i8; 6], lb), (&mut d, Layout::row_major(0, 2))).unwrap();
    }

    #[test]
    fn sums_wrap() {
        let a = [i16::MIN; 4];
        let (la, lb) = (Layout::row_major(1, 4), Layout::row_major(4, 1));
        let mut d = [1];
        gemm((&a, la), (&a, lb), (&mut d, Layout::row_major(1, 1))).unwrap();
        assert_eq!(d, [0]); // 4 * 2^30 = 2^32
    }

    #[test]
    fn misfits_are_refused() {
        let square = Layout::row_major(2, 2);
        let far = Layout { row_stride: usize::MAX, ..square };
        let mut d = [0; 4];
        let refuse = |la, lb, ld, d: &mut [i32]| {
            gemm((&[0i8; 4], la), (&[0i8; 3], lb), (d, ld)).unwrap_err().to_string()
        };
        let text = [
            refuse(square, Layout::row_major(3, 2), square, &mut d),
            refuse(square, square, square, &mut d),
            refuse(far, square, square, &mut d),
        ];
        insta::assert_snapshot!(text.join("\n"), @r"
        A is (2, 2), B is (3, 2), D is (2, 2): not the shapes of D = A * B
        B has 3 elements, its layout reaches further
        A has 4 elements, its layout reaches further
        ");
    }
}
