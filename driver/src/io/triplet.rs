//! Triplet files as CSparse reads them.

use super::assemble::{Entries, Mirror};
use super::text::Lines;
use super::{Field, Format, LoadedMatrix, ReadError, ReadOptions, Symmetrize};

/// One entry `i j x` a line, indices from 0; the size is what the entries need. A matrix whose
/// entries all lie in one triangle stands for a symmetric one, as in CSparse's `cs_demo`.
pub(super) fn read(
    lines: &mut Lines<'_>,
    options: &ReadOptions,
) -> Result<LoadedMatrix, ReadError> {
    let mut entries = Entries::default();
    while let Some(line) = lines.next_data(b"#%")? {
        let mut fields = line.fields();
        let row = options.index(line, fields.next(), "a row")?;
        let col = options.index(line, fields.next(), "a column")?;
        let value = line.real(fields.next(), options.non_finite)?;
        line.end(fields, "the entry")?;
        entries.push(row, col, value);
    }
    let mirror = match options.symmetrize {
        Symmetrize::Always => Mirror::Same,
        Symmetrize::Auto if entries.lower != entries.upper => Mirror::Same,
        _ => Mirror::No,
    };
    let size = if mirror == Mirror::No {
        (entries.rows, entries.cols)
    } else {
        let order = entries.rows.max(entries.cols);
        (order, order)
    };
    entries.finish(size, Format::Triplet, Field::Real, mirror, options)
}

#[cfg(test)]
mod tests {
    use super::super::read_matrix_from;
    use super::*;

    fn load(text: &str, symmetrize: Symmetrize) -> LoadedMatrix {
        let format = Some(Format::Triplet);
        let options = ReadOptions { format, symmetrize, ..ReadOptions::default() };
        read_matrix_from(text.as_bytes(), &options).unwrap()
    }

    #[test]
    fn one_triangle_is_mirrored() {
        let file = load("0 0 2\n2 0 -1e3\n", Symmetrize::Auto);
        let entries: Vec<_> = file.matrix.entries().map(|(r, c, &v)| (r, c, v)).collect();
        assert_eq!(entries, [(0, 0, 2.0), (0, 2, -1e3), (2, 0, -1e3)]);
        assert_eq!((file.matrix.rows(), file.matrix.cols()), (3, 3));
    }

    #[test]
    fn both_triangles_a_diagonal_or_never_stay_as_they_are() {
        assert_eq!(load("0 1 1\n2 0 1\n", Symmetrize::Auto).matrix.nnz(), 2);
        assert!(!load("0 0 1\n1 1 1\n", Symmetrize::Auto).mirrored);
        let file = load("2 0 1\n", Symmetrize::Never);
        assert_eq!((file.matrix.rows(), file.matrix.cols(), file.matrix.nnz()), (3, 1, 1));
    }
}
