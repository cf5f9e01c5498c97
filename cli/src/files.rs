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
    write_bytes(asked, path, text.as_bytes())
}

/// Writes `bytes` to `path` by way of a temporary file beside it.
///
/// # Errors
/// As [`write_file`].
pub(crate) fn write_bytes(asked: &str, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error| refused(asked, path, error);
    let mut file = builder(0o666).tempfile_in(folder_of(path)).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map_err(|error| refused(asked, path, error.error))?;
    Ok(())
}

/// Writes `files` as the whole content of the folder `path`, which takes the place of the old one.
///
/// # Errors
/// The system refuses; the old folder is then still there.
pub(crate) fn write_folder(
    asked: &str,
    path: &Path,
    files: &[(String, String)],
) -> Result<(), Failure> {
    let failed = |error| refused(asked, path, error);
    let parent = folder_of(path);
    fs::create_dir_all(&parent).map_err(|error| refused(asked, &parent, error))?;
    let work = builder(0o777).prefix(".mattock-").tempdir_in(&parent).map_err(failed)?;
    let (new, old) = (work.path().join("new"), work.path().join("old"));
    fs::create_dir(&new).map_err(failed)?;
    for (name, text) in files {
        let file = new.join(name);
        fs::write(&file, text).map_err(|error| refused(asked, &file, error))?;
    }
    if path.exists() {
        fs::rename(path, &old).map_err(failed)?;
    }
    if let Err(error) = fs::rename(&new, path) {
        // Puts the old folder back; when even that fails it is still in `work`, but so is the disk.
        let _ = fs::rename(&old, path);
        return Err(refused(asked, path, error));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_replaced_whole() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b");
        let files = |names: &[&str]| -> Vec<(String, String)> {
            names.iter().map(|name| (name.to_string(), name.to_string())).collect()
        };
        write_folder("test", &path, &files(&["x", "y"])).unwrap();
        write_folder("test", &path, &files(&["z"])).unwrap();
        let left: Vec<_> = fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["z"]);
        assert_eq!(fs::read_dir(place.path().join("a")).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_written_stays() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a");
        write_folder("test", &path, &[("x".into(), "x".into())]).unwrap();
        write_folder("test", &path, &[("no/such/folder".into(), String::new())]).unwrap_err();
        assert_eq!(fs::read_to_string(path.join("x")).unwrap(), "x");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
