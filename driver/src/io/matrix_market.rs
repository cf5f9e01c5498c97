//! Matrix Market coordinate files.

use super::assemble::{Entries, Mirror};
use super::format::is_banner;
use super::text::{Line, Lines};
use super::{Field, Format, LoadedMatrix, ReadError, ReadOptions, Symmetrize};

const SUPPORTED: &str = "matrix, coordinate, real | integer | pattern, general | symmetric | \
                         skew-symmetric";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Symmetry {
    General,
    Symmetric,
    Skew,
}

pub(super) fn read(
    lines: &mut Lines<'_>,
    options: &ReadOptions,
) -> Result<LoadedMatrix, ReadError> {
    let first = lines.next_data(b"")?.ok_or(ReadError::Empty)?;
    let (field, symmetry) = banner(first)?;
    let (rows, cols, count) = match lines.next_data(b"%")? {
        Some(line) => size(line, symmetry, options)?,
        None => return Err(lines.truncated("the size line, `rows columns entries`")),
    };

    let mut entries = Entries::default();
    for number in 0..count {
        let Some(line) = lines.next_data(b"%")? else {
            return Err(lines.truncated(format!("{count} entries, there are {number}")));
        };
        let mut fields = line.fields();
        let row = line.unsigned(fields.next(), "a row", 1..=rows)? - 1;
        let col = line.unsigned(fields.next(), "a column", 1..=cols)? - 1;
        let value = match field {
            Field::Pattern => 1.0,
            Field::Integer => line.integer(fields.next())?,
            Field::Real => line.real(fields.next(), options.non_finite)?,
        };
        line.end(fields, "the entry")?;
        entries.push(row, col, value);
        check_triangle(line, symmetry, &entries)?;
    }
    if let Some(line) = lines.next_data(b"%")? {
        let expected = format!("the end of the file after {count} entries");
        return Err(line.syntax(expected, line.fields().next()));
    }

    let mirror = match (options.symmetrize, symmetry) {
        (Symmetrize::Never, _) | (Symmetrize::Auto, Symmetry::General) => Mirror::No,
        (_, Symmetry::Skew) => Mirror::Negated,
        _ => Mirror::Same,
    };
    entries.finish((rows, cols), Format::MatrixMarket, field, mirror, options)
}

/// `%%MatrixMarket matrix coordinate <field> <symmetry>`, in any case.
fn banner(line: Line<'_>) -> Result<(Field, Symmetry), ReadError> {
    let mut fields = line.fields();
    let found = fields.next();
    if !found.is_some_and(is_banner) {
        return Err(line.syntax("the header `%%MatrixMarket matrix coordinate ...`", found));
    }
    let mut word = |expected: &str| {
        let field = fields.next();
        field
            .map(|word| String::from_utf8_lossy(word).to_ascii_lowercase())
            .ok_or_else(|| line.syntax(expected, field))
    };
    let object = word("`matrix`")?;
    let layout = word("`coordinate`")?;
    let field = word("a field: real, integer or pattern")?;
    let symmetry = word("a symmetry: general, symmetric or skew-symmetric")?;
    line.end(fields, "the header")?;

    let unsupported = |kind: &str, asked: &str| {
        let asked: String = asked.escape_default().take(40).collect();
        Err(ReadError::Unsupported {
            line: line.number,
            asked: format!("Matrix Market {kind} `{asked}`"),
            have: SUPPORTED,
        })
    };
    if object != "matrix" {
        return unsupported("object", &object);
    }
    if layout != "coordinate" {
        return unsupported("layout", &layout);
    }
    let field = match field.as_str() {
        "pattern" => Field::Pattern,
        "integer" => Field::Integer,
        "real" | "double" => Field::Real,
        other => return unsupported("field", other),
    };
    let symmetry = match symmetry.as_str() {
        "general" => Symmetry::General,
        "symmetric" => Symmetry::Symmetric,
        "skew-symmetric" if field != Field::Pattern => Symmetry::Skew,
        "skew-symmetric" => return unsupported("pattern file that is", "skew-symmetric"),
        other => return unsupported("symmetry", other),
    };
    Ok((field, symmetry))
}

fn size(
    line: Line<'_>,
    symmetry: Symmetry,
    options: &ReadOptions,
) -> Result<(u64, u64, u64), ReadError> {
    let mut fields = line.fields();
    let rows = options.dimension(line, fields.next(), "the number of rows")?;
    let cols = options.dimension(line, fields.next(), "the number of columns")?;
    let count = line.unsigned(fields.next(), "the number of entries", 0..=u64::MAX)?;
    line.end(fields, "the number of entries")?;
    if symmetry != Symmetry::General && rows != cols {
        return Err(line.syntax("a square size in a symmetric file", Some(line.bytes)));
    }
    Ok((rows, cols, count))
}

/// A symmetric file holds one triangle. The standard says the lower one; the upper one is clear
/// enough, but both together would count each pair twice.
fn check_triangle(line: Line<'_>, symmetry: Symmetry, entries: &Entries) -> Result<(), ReadError> {
    if symmetry == Symmetry::General {
        return Ok(());
    }
    if entries.lower && entries.upper {
        return Err(line.syntax("one triangle only in a symmetric file", Some(line.bytes)));
    }
    if symmetry == Symmetry::Skew && entries.diagonal {
        return Err(line.syntax("no diagonal in a skew-symmetric file", Some(line.bytes)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::read_matrix_from;
    use super::*;

    fn load(text: &str) -> LoadedMatrix {
        read_matrix_from(text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    fn list(file: &LoadedMatrix) -> Vec<(usize, u32, f64)> {
        file.matrix.entries().map(|(row, col, &value)| (row, col, value)).collect()
    }

    #[test]
    fn general_real_with_comments_blanks_and_repeats() {
        let file = load(
            "%%MatrixMarket matrix coordinate real general\n% a comment\n\n2 3 4\r\n\
             2 3 -.5\n1 1 1D2\n% another\n2 3 2\n2 1 0\n",
        );
        assert_eq!(list(&file), [(0, 0, 100.0), (1, 0, 0.0), (1, 2, 1.5)]);
        assert_eq!((file.field, file.mirrored), (Field::Real, false));
    }

    #[test]
    fn symmetric_pattern_with_one_percent_sign() {
        let file = load("%MatrixMarket matrix coordinate pattern symmetric \n3 3 3\n1 1\n3 1\n3 1");
        assert_eq!(list(&file), [(0, 0, 1.0), (0, 2, 1.0), (2, 0, 1.0)]);
        assert!(file.mirrored);
    }

    #[test]
    fn skew_is_negated() {
        let file = load("%%MatrixMarket MATRIX Coordinate Integer Skew-Symmetric\n2 2 1\n2 1 7\n");
        assert_eq!(list(&file), [(0, 1, -7.0), (1, 0, 7.0)]);
    }

    #[test]
    fn symmetrize_overrides_the_header() {
        let text = "%%MatrixMarket matrix coordinate real general\n2 2 2\n1 2 3\n2 2 1\n";
        let with = |symmetrize| {
            let options = ReadOptions { symmetrize, ..ReadOptions::default() };
            list(&read_matrix_from(text.as_bytes(), &options).unwrap())
        };
        assert_eq!(with(Symmetrize::Always), [(0, 1, 3.0), (1, 0, 3.0), (1, 1, 1.0)]);
        assert_eq!(with(Symmetrize::Never), [(0, 1, 3.0), (1, 1, 1.0)]);
    }

    #[test]
    fn no_rows_no_entries() {
        assert_eq!(load("%%MatrixMarket matrix coordinate real general\n0 0 0\n").matrix.nnz(), 0);
    }
}
