//! Writing files and folders whole or not at all.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::Failure;

/// Writes `text` to `path` by way of a temporary file beside it.
///
/// # Errors
/// The system refuses; a file that was there before is then still there.
pub(crate) fn write_file(asked: &str, path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error| refused(asked, path, error);
    let mut file = builder(0o666).tempfile_in(folder_of(path)).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.persist(path).map_err(|error| refused(asked, path, error.error))?;
    Ok(())
}

/// A file's text, or what the system says against it.
///
/// # Errors
/// It cannot be read, or is not text.
pub(crate) fn read_text(asked: &str, path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| refused(asked, path, error))
}

fn refused(asked: &str, path: &Path, error: std::io::Error) -> Failure {
    Failure::file(asked, path, &error).next("check the path and its permissions")
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Temporary files are private by default; results shall obey the user's umask.
fn builder(mode: u32) -> tempfile::Builder<'static, 'static> {
    #[allow(unused_mut, reason = "only Unix has modes")]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = mode;
    builder
}
