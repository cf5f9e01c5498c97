//! From the entries of a file to a matrix: limits, repeats and the mirror image.

use super::text::Line;
use super::{Field, Format, LoadedMatrix, ReadError, ReadOptions};
use crate::Csr;
use crate::sparse::{CsrError, Triplets};

/// Entries of a file, and which triangles they lie in.
#[derive(Default)]
pub(super) struct Entries {
    triplets: Triplets<f64>,
    /// Entries below the diagonal have been seen.
    pub(super) lower: bool,
    /// Entries above the diagonal have been seen.
    pub(super) upper: bool,
    /// Entries on the diagonal have been seen.
    pub(super) diagonal: bool,
    /// Largest row plus 1, 0 without entries.
    pub(super) rows: u64,
    /// Largest column plus 1, 0 without entries.
    pub(super) cols: u64,
}

/// Which mirror image is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mirror {
    No,
    Same,
    /// Skew-symmetric: the image is negated.
    Negated,
}

impl Entries {
    /// Adds an entry whose indices, counted from 0, were checked against the limits.
    pub(super) fn push(&mut self, row: u64, col: u64, value: f64) {
        self.lower |= row > col;
        self.upper |= row < col;
        self.diagonal |= row == col;
        self.rows = self.rows.max(row + 1);
        self.cols = self.cols.max(col + 1);
        // `ReadOptions::dimension` and `ReadOptions::index` keep indices within 32 bits.
        self.triplets.push(row as u32, col as u32, value);
    }

    pub(super) fn len(&self) -> usize {
        self.triplets.len()
    }

    /// Makes the matrix of `rows` x `cols`.
    pub(super) fn finish(
        self,
        (rows, cols): (u64, u64),
        format: Format,
        field: Field,
        mirror: Mirror,
        options: &ReadOptions,
    ) -> Result<LoadedMatrix, ReadError> {
        if mirror != Mirror::No && rows != cols {
            return Err(ReadError::NotSquare { rows, cols });
        }
        // A position that is listed twice is the same position; values add up.
        let merge = |a: &f64, b: &f64| if field == Field::Pattern { *a } else { a + b };
        let valid = "indices were checked when they were read";
        let mut matrix = self.triplets.into_csr(rows as usize, cols as usize, merge).expect(valid);
        let exact = |value: f64| match field {
            Field::Integer => value.abs() <= (1u64 << f64::MANTISSA_DIGITS) as f64,
            _ => value.is_finite() || options.non_finite,
        };
        if let Some((row, col, &sum)) = matrix.entries().find(|(_, _, value)| !exact(**value)) {
            let (row, col) = (row as u64 + 1, u64::from(col) + 1);
            return Err(ReadError::Overflow { row, col, sum });
        }
        if mirror != Mirror::No {
            matrix = with_image(&matrix, mirror).expect(valid);
        }
        Ok(LoadedMatrix { matrix, format, field, mirrored: mirror != Mirror::No })
    }
}

/// `matrix`, and its transpose wherever `matrix` has no entry itself.
fn with_image(matrix: &Csr<f64>, mirror: Mirror) -> Result<Csr<f64>, CsrError> {
    let sign = if mirror == Mirror::Negated { -1.0 } else { 1.0 };
    let image = matrix.transpose()?;
    let mut row_ptr = Vec::with_capacity(matrix.rows() + 1);
    let mut col_idx = Vec::with_capacity(2 * matrix.nnz());
    let mut values = Vec::with_capacity(2 * matrix.nnz());
    row_ptr.push(0);
    for row in 0..matrix.rows() {
        let (own_cols, own) = matrix.row(row);
        let (image_cols, mirrored) = image.row(row);
        let (mut i, mut j) = (0, 0);
        while i < own_cols.len() || j < image_cols.len() {
            let own_col = own_cols.get(i).copied();
            let image_col = image_cols.get(j).copied();
            let take_own = image_col.is_none_or(|other| own_col.is_some_and(|col| col <= other));
            if take_own {
                col_idx.push(own_cols[i]);
                values.push(own[i]);
                j += usize::from(own_col == image_col);
                i += 1;
            } else {
                col_idx.push(image_cols[j]);
                values.push(sign * mirrored[j]);
                j += 1;
            }
        }
        row_ptr.push(col_idx.len() as u64);
    }
    Csr::new(matrix.rows(), matrix.cols(), row_ptr, col_idx, values)
}

impl ReadOptions {
    /// Most rows or columns: `max_dim`, within 32-bit indices.
    pub(super) fn dimension_limit(&self) -> u64 {
        self.max_dim.min(1 << 32)
    }

    /// A number of rows, columns or vertices.
    pub(super) fn dimension(
        &self,
        line: Line<'_>,
        field: Option<&[u8]>,
        what: &'static str,
    ) -> Result<u64, ReadError> {
        let asked = line.unsigned(field, what, 0..=u64::MAX)?;
        self.within_limit(line, asked, what)
    }

    /// An index from 0 of a matrix whose size the file does not say.
    pub(super) fn index(
        &self,
        line: Line<'_>,
        field: Option<&[u8]>,
        what: &'static str,
    ) -> Result<u64, ReadError> {
        let index = line.unsigned(field, what, 0..=u64::MAX)?;
        self.within_limit(line, index.saturating_add(1), "the matrix size").map(|_| index)
    }

    fn within_limit(
        &self,
        line: Line<'_>,
        asked: u64,
        what: &'static str,
    ) -> Result<u64, ReadError> {
        let limit = self.dimension_limit();
        if asked <= limit {
            return Ok(asked);
        }
        Err(ReadError::TooLarge { line: line.number, what, asked, limit, option: "max_dim" })
    }
}
