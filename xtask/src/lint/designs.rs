//! Which folders of Verilog are read, and what must be found in them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Error;

/// A folder of generated Verilog with its expected resources.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Design {
    pub(super) dir: PathBuf,
    /// Command that fills the folder first, for designs that are not committed.
    pub(super) make: Option<String>,
    pub(super) top: String,
    pub(super) dsp: Option<u64>,
    pub(super) ram: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    design: Vec<Design>,
}

/// The rows of `xtask/lint-designs.toml`.
///
/// # Errors
/// When a folder of `hw/gen` has no row: what is committed is read.
pub(super) fn read(workspace: &Path) -> Result<Vec<Design>, Error> {
    let path = workspace.join("xtask/lint-designs.toml");
    let text = fs::read_to_string(&path).map_err(Error::file(&path))?;
    let document: Document =
        toml::from_str(&text).map_err(|error| Error::format(path.display().to_string(), error))?;
    if let Ok(folders) = workspace.join("hw/gen").read_dir() {
        for folder in folders.flatten().filter(|entry| entry.path().is_dir()) {
            let dir = Path::new("hw/gen").join(folder.file_name());
            if !document.design.iter().any(|design| design.dir == dir) {
                let detail = format!("{} has no row", dir.display());
                return Err(Error::format(path.display().to_string(), detail));
            }
        }
    }
    Ok(document.design)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_committed_folder_without_a_row_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("xtask")).unwrap();
        fs::create_dir_all(folder.path().join("hw/gen/tiny")).unwrap();
        let file = folder.path().join("xtask/lint-designs.toml");
        fs::write(&file, "").unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("hw/gen/tiny has no row"), "{error}");

        fs::write(&file, "[[design]]\ndir = 'hw/gen/tiny'\ntop = 'tiny'\ndsp = 8\n").unwrap();
        let designs = read(folder.path()).unwrap();
        assert_eq!((designs[0].dsp, designs[0].ram), (Some(8), None));
    }
}
