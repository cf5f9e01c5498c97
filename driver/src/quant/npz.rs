//! Several arrays in one file (`.npz`: a zip archive of `.npy` files).

use super::QuantError;
use super::npy::Npy;
use std::io::{Cursor, Read, Seek, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Most bytes of all arrays of a file, unpacked: an archive of a few kilobytes can unpack to anything.
pub(super) const MOST_BYTES: u64 = 1 << 32;
const SUFFIX: &str = ".npy";

/// The arrays of an archive by name, in their order.
pub(super) fn read(file: impl Read + Seek) -> Result<Vec<(String, Npy)>, QuantError> {
    let broken = |error: zip::result::ZipError| QuantError::Archive(error.to_string());
    let mut archive = ZipArchive::new(file).map_err(broken)?;
    let mut arrays: Vec<(String, Npy)> = Vec::new();
    let mut left = MOST_BYTES;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(broken)?;
        let file_name = entry.name().map_err(broken)?.into_owned();
        let Some(name) = file_name.strip_suffix(SUFFIX).map(str::to_owned) else {
            let right = format!("arrays only, with names that end with {SUFFIX}");
            return Err(QuantError::array(&file_name, "it is no array", right));
        };
        if arrays.iter().any(|(other, _)| *other == name) {
            return Err(QuantError::array(&name, "it is there twice", "there once"));
        }
        let mut bytes = Vec::new();
        let cut = |error: std::io::Error| QuantError::Archive(format!("`{name}`: {error}"));
        entry.take(left + 1).read_to_end(&mut bytes).map_err(cut)?;
        left = left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            let right = format!("at most {MOST_BYTES} bytes, with all others");
            QuantError::array(&name, "it unpacks to too many bytes", right)
        })?;
        let array = Npy::parse(&name, &bytes)?;
        arrays.push((name, array));
    }
    Ok(arrays)
}

/// The archive of these arrays.
pub(super) fn bytes(arrays: &[(&str, Npy)]) -> Result<Vec<u8>, QuantError> {
    let failed = |error: zip::result::ZipError| QuantError::Io(error.into());
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    // Codes do not get smaller, and the same weights give the same file.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let options = options.large_file(true).last_modified_time(zip::DateTime::default());
    for (name, array) in arrays {
        archive.start_file(format!("{name}{SUFFIX}"), options).map_err(failed)?;
        archive.write_all(&array.bytes())?;
    }
    Ok(archive.finish().map_err(failed)?.into_inner())
}
