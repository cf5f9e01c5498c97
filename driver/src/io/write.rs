//! The Matrix Market writer.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{Csr, Error};

/// A value that Matrix Market can hold.
pub trait MatrixMarketValue {
    /// The field of the header: `integer` or `real`.
    const FIELD: &'static str;

    /// Writes the value so that reading it gives the same value.
    ///
    /// # Errors
    /// Those of `out`.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;
}

impl MatrixMarketValue for i32 {
    const FIELD: &'static str = "integer";

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{self}")
    }
}

impl MatrixMarketValue for f32 {
    const FIELD: &'static str = "real";

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{self:e}") // the shortest text that reads back to the same f32
    }
}

impl MatrixMarketValue for f64 {
    const FIELD: &'static str = "real";

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{self:e}")
    }
}

/// Writes `matrix` to `path` as Matrix Market, coordinate, general; gzipped when the name ends in
/// `.gz`. The file appears whole or not at all: it is written beside its place and then renamed.
///
/// # Errors
/// [`Error::Io`]; a file that was there before is then still there.
pub fn write_matrix_market<T: MatrixMarketValue>(
    path: impl AsRef<Path>,
    matrix: &Csr<T>,
) -> Result<(), Error> {
    let path = path.as_ref();
    write_file(path, matrix).map_err(|source| Error::Io {
        action: "write",
        path: path.to_path_buf(),
        source,
    })
}

/// Writes `matrix` as Matrix Market text to `out`.
///
/// # Errors
/// Those of `out`.
pub fn write_matrix_market_to<T: MatrixMarketValue>(
    out: &mut dyn Write,
    matrix: &Csr<T>,
) -> io::Result<()> {
    writeln!(out, "%%MatrixMarket matrix coordinate {} general", T::FIELD)?;
    writeln!(out, "{} {} {}", matrix.rows(), matrix.cols(), matrix.nnz())?;
    for (row, col, value) in matrix.entries() {
        write!(out, "{} {} ", row + 1, u64::from(col) + 1)?;
        value.write(out)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn write_file<T: MatrixMarketValue>(path: &Path, matrix: &Csr<T>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // A temporary file is private by default; the result should obey the user's umask.
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    let mut out = BufWriter::with_capacity(1 << 16, file.as_file_mut());
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz")) {
        let mut zip = GzEncoder::new(&mut out, Compression::default());
        write_matrix_market_to(&mut zip, matrix)?;
        zip.finish()?;
    } else {
        write_matrix_market_to(&mut out, matrix)?;
    }
    out.flush()?;
    drop(out);
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{ReadOptions, read_matrix};

    fn sample() -> Csr<f64> {
        let values = vec![0.1, -1.5e19, 5e-324];
        Csr::new(2, 3, vec![0, 2, 3], vec![0, 2, 1], values).unwrap()
    }

    #[test]
    fn text_is_plain_matrix_market() {
        let mut text = Vec::new();
        write_matrix_market_to(&mut text, &sample()).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap());
    }

    #[test]
    fn plain_and_gzipped_files_read_back() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["m.mtx", "m.mtx.gz"] {
            let path = folder.path().join(name);
            write_matrix_market(&path, &sample()).unwrap();
            assert_eq!(read_matrix(&path, &ReadOptions::default()).unwrap().matrix, sample());
        }
        let zipped = std::fs::read(folder.path().join("m.mtx.gz")).unwrap();
        assert_eq!(zipped[..2], [0x1f, 0x8b]);
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        std::fs::write(taken.join("file"), "x").unwrap();
        assert!(matches!(write_matrix_market(&taken, &sample()), Err(Error::Io { .. })));
        assert!(write_matrix_market(folder.path().join("no/such/folder"), &sample()).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
