//! A folder of compiled models, named by a hash of everything that went into them.
//!
//! ```text
//! <cache>/<top>-<hash>/model.so          the library
//! <cache>/<top>-<hash>/model.so.sha256   its digest; a file that does not match is built again
//! <cache>/<top>-<hash>/build.log         what the tools said
//! <cache>/<top>-<hash>/src/              the sources, for coverage reports
//! <cache>/<top>-<hash>.work/             a build under way, or the remains of one that failed
//! <cache>/<top>-<hash>.lock              held while building, so that a second process waits and then hits
//! ```
//!
//! A finished build appears by one rename, so an entry is either whole or not there.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::error::BuildError;

/// Name of the library inside an entry.
pub(crate) const LIBRARY: &str = "model.so";
const DIGEST: &str = "model.so.sha256";

/// Collects everything that decides what a build produces.
pub(crate) struct Key(Sha256);

impl Key {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    /// Adds one part; parts are length-prefixed, so moving a byte between two changes the key.
    pub(crate) fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// 128 bits in hexadecimal.
    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize()[..16])
    }
}

/// Gives the library of entry `name`, calling `build` with an empty work folder when there is no sound one.
///
/// Returns its path and whether it was there already.
pub(crate) fn get_or_build(
    cache: &Path,
    name: &str,
    build: impl FnOnce(&Path) -> Result<(), BuildError>,
) -> Result<(PathBuf, bool), BuildError> {
    let cache = std::path::absolute(cache).map_err(doing("finding the cache folder", cache))?;
    let entry = cache.join(name);
    let library = entry.join(LIBRARY);
    if is_sound(&entry) {
        return Ok((library, true));
    }

    fs::create_dir_all(&cache).map_err(doing("creating the cache folder", &cache))?;
    let lock_path = cache.join(format!("{name}.lock"));
    let lock = File::create(&lock_path).map_err(doing("creating", &lock_path))?;
    lock.lock().map_err(doing("locking", &lock_path))?;
    if is_sound(&entry) {
        return Ok((library, true)); // another process built it while we waited
    }

    let work = cache.join(format!("{name}.work"));
    remove(&work)?;
    fs::create_dir(&work).map_err(doing("creating", &work))?;
    build(&work)?;

    let built = work.join(LIBRARY);
    let bytes = fs::read(&built).map_err(doing("reading", &built))?;
    let digest = work.join(DIGEST);
    fs::write(&digest, digest_of(&bytes)).map_err(doing("writing", &digest))?;
    remove(&entry)?;
    fs::rename(&work, &entry).map_err(doing("installing", &entry))?;
    Ok((library, false))
}

/// True when the entry is there and its library is the one that was installed.
fn is_sound(entry: &Path) -> bool {
    let digest = fs::read_to_string(entry.join(DIGEST));
    let bytes = fs::read(entry.join(LIBRARY));
    matches!((digest, bytes), (Ok(digest), Ok(bytes)) if digest == digest_of(&bytes))
}

fn digest_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn remove(folder: &Path) -> Result<(), BuildError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(doing("removing", folder)(error))
        }
        _ => Ok(()),
    }
}

/// Turns a file error into a [`BuildError`] that says what was being done, and to what.
pub(crate) fn doing(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::Io { doing, path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[&str]) -> String {
        let mut key = Key::new();
        parts.iter().for_each(|part| key.add(part));
        key.finish()
    }

    #[test]
    fn keys_separate_their_parts() {
        assert_eq!(key(&["ab", "c"]), key(&["ab", "c"]));
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["ab"]), key(&["ab", ""]));
    }

    #[test]
    fn an_entry_is_built_once_and_rebuilt_when_damaged() {
        let cache = tempfile::tempdir().unwrap();
        let mut builds = 0;
        let mut get = || {
            get_or_build(cache.path(), "m", |work| {
                builds += 1;
                fs::write(work.join(LIBRARY), "code").map_err(doing("writing", work))
            })
            .unwrap()
        };
        let (library, hit) = get();
        assert!(!hit);
        assert!(get().1);
        for damage in ["cod", "cOde", ""] {
            fs::write(&library, damage).unwrap();
            assert!(!get().1, "damage {damage:?} went unseen");
            assert_eq!(fs::read_to_string(&library).unwrap(), "code");
        }
        assert_eq!(builds, 4);
    }

    #[test]
    fn a_failed_build_leaves_its_folder_and_no_entry() {
        let cache = tempfile::tempdir().unwrap();
        let failed = get_or_build(cache.path(), "m", |work| {
            fs::write(work.join("build.log"), "why").unwrap();
            Err(BuildError::Description { top: "m".into(), problem: "no".into() })
        });
        assert!(failed.is_err());
        assert!(cache.path().join("m.work/build.log").exists());
        assert!(!cache.path().join("m").exists());
    }

    #[test]
    fn many_threads_share_one_build() {
        let cache = tempfile::tempdir().unwrap();
        let builds = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    get_or_build(cache.path(), "m", |work| {
                        builds.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        fs::write(work.join(LIBRARY), "code").map_err(doing("writing", work))
                    })
                    .unwrap()
                });
            }
        });
        assert_eq!(builds.into_inner(), 1);
    }
}
