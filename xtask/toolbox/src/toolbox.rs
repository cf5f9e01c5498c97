//! The project's tool folder.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::requirements::normalized;
use crate::{Found, Get, Missing, Version, tool};

/// Looks tools up, with the tool folder and the search path of this process.
#[derive(Clone, Debug)]
pub struct Toolbox {
    folder: PathBuf,
    path: OsString,
    variable: fn(&str) -> Option<OsString>,
}

impl Toolbox {
    /// The toolbox of this checkout: `$MATTOCK_TOOLS`, or `.tools` beside the workspace's `Cargo.toml`.
    pub fn open() -> Self {
        let folder = env::var_os("MATTOCK_TOOLS").filter(|value| !value.is_empty());
        let folder = folder.map_or_else(default_folder, PathBuf::from);
        Self {
            folder: std::path::absolute(&folder).unwrap_or(folder),
            path: env::var_os("PATH").unwrap_or_default(),
            variable: |name| env::var_os(name).filter(|value| !value.is_empty()),
        }
    }

    /// A toolbox with its own folder, search path and variables, for tests.
    #[cfg(test)]
    pub(crate) fn with(folder: &Path, path: &Path, variable: fn(&str) -> Option<OsString>) -> Self {
        Self { folder: folder.to_owned(), path: path.into(), variable }
    }

    /// The tool folder. It need not exist yet.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the project's Python environment. It need not exist yet.
    pub fn venv(&self) -> PathBuf {
        self.folder.join("venv")
    }

    /// Where the WebAssembly tools keep their compiled code.
    pub fn yowasp_cache(&self) -> PathBuf {
        self.folder.join("yowasp-cache")
    }

    /// The interpreter of the project's Python environment, which has the packages of
    /// `xtask/requirements.txt`.
    ///
    /// # Errors
    /// [`Missing::NotFound`] before `cargo xtask setup` has run.
    pub fn python(&self) -> Result<PathBuf, Missing> {
        let python = self.venv().join("bin/python");
        if python.exists() {
            return Ok(python);
        }
        Err(Missing::NotFound {
            tool: "the project's Python environment",
            searched: self.venv().display().to_string(),
            get: Get::Pip("requirements.txt"),
        })
    }

    /// Finds a tool by its name in the table.
    ///
    /// # Errors
    /// [`Missing`], which says what to type to get it.
    pub fn find_named(&self, name: &'static str) -> Result<Found, Missing> {
        match tool(name) {
            Some(row) => self.find(row),
            None => Err(Missing::Unknown { tool: name }),
        }
    }

    pub(crate) fn search_path(&self) -> impl Iterator<Item = PathBuf> {
        env::split_paths(&self.path)
    }

    pub(crate) fn variable(&self, name: &str) -> Option<OsString> {
        (self.variable)(name)
    }

    /// The version of a package installed in the Python environment, and the `site-packages` that has it.
    pub(crate) fn package(&self, package: &str) -> Option<(Version, PathBuf)> {
        // One `lib/python3.X` folder, whose name depends on the interpreter that made the environment.
        let libraries = self.venv().join("lib").read_dir().ok()?;
        libraries.flatten().map(|entry| entry.path().join("site-packages")).find_map(|site| {
            let version = site.read_dir().ok()?.flatten().find_map(|entry| {
                let file = entry.file_name();
                let (name, version) = file.to_str()?.strip_suffix(".dist-info")?.split_once('-')?;
                (normalized(name) == normalized(package)).then(|| Version::parse(version))?
            })?;
            Some((version, site))
        })
    }
}

/// `.tools` in the checkout this program was built from.
fn default_folder() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).join(".tools")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_folder_is_beside_the_workspace_manifest() {
        let workspace = default_folder().parent().unwrap().join("Cargo.toml");
        assert!(std::fs::read_to_string(workspace).unwrap().contains("[workspace]"));
    }
}
