//! The Matrix Market writer.

use std::fs::{self, File};
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
/// Only what is no regular file, such as a pipe or `/dev/null`, is written directly.
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
    let zip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    let place = match fs::metadata(path) {
        Ok(there) if !there.is_file() && !there.is_dir() => {
            return write_stream(&mut File::options().write(true).open(path)?, matrix, zip);
        }
        // A link stays: the file it names is replaced.
        Ok(_) => fs::canonicalize(path)?,
        Err(_) => path.to_path_buf(),
    };
    let path = place.as_path();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // A temporary file is private by default; the result should obey the user's umask.
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    write_stream(file.as_file_mut(), matrix, zip)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn write_stream<T: MatrixMarketValue>(
    file: &mut File,
    matrix: &Csr<T>,
    zip: bool,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    if zip {
        let mut packed = GzEncoder::new(&mut out, Compression::default());
        write_matrix_market_to(&mut packed, matrix)?;
        packed.finish()?;
    } else {
        write_matrix_market_to(&mut out, matrix)?;
    }
    out.flush()
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
        let zipped = fs::read(folder.path().join("m.mtx.gz")).unwrap();
        assert_eq!(zipped[..2], [0x1f, 0x8b]);
    }

    /// A value that cannot be written.
    #[derive(Clone)]
    struct Unwritable;

    impl MatrixMarketValue for Unwritable {
        const FIELD: &'static str = "real";

        fn write(&self, _: &mut dyn Write) -> io::Result<()> {
            Err(io::Error::other("disk full"))
        }
    }

    #[test]
    fn a_write_that_stops_halfway_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.mtx");
        write_matrix_market(&path, &sample()).unwrap();
        let error = write_matrix_market(&path, &sample().pattern(Unwritable)).unwrap_err();
        assert!(error.to_string().ends_with("disk full"), "{error}");
        assert_eq!(read_matrix(&path, &ReadOptions::default()).unwrap().matrix, sample());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_devices_stay_what_they_are() {
        use std::os::unix::fs::FileTypeExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("m.mtx"), folder.path().join("link.mtx"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_matrix_market(&link, &sample()).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(read_matrix(&file, &ReadOptions::default()).unwrap().matrix, sample());
        let null = Path::new("/dev/null");
        write_matrix_market(null, &sample()).unwrap();
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("file"), "x").unwrap();
        assert!(matches!(write_matrix_market(&taken, &sample()), Err(Error::Io { .. })));
        assert!(write_matrix_market(folder.path().join("no/such/folder"), &sample()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
