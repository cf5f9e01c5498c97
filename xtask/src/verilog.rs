//! What lint and timing share: Verilog files in a work folder, and yosys's cell counts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::error::Error;

/// Copies the Verilog files of a folder to an empty work folder, where the tools may write; returns
/// their names, sorted.
pub(crate) fn copy_verilog(from: &Path, work: &Path) -> Result<Vec<String>, Error> {
    if work.exists() {
        fs::remove_dir_all(work).map_err(Error::file(work))?;
    }
    fs::create_dir_all(work).map_err(Error::file(work))?;
    let mut names = Vec::new();
    for entry in from.read_dir().map_err(Error::file(from))? {
        let path = entry.map_err(Error::file(from))?.path();
        let (Some("v"), Some(name)) =
            (path.extension().and_then(|e| e.to_str()), path.file_name().and_then(|n| n.to_str()))
        else {
            continue;
        };
        // The name becomes a word of a yosys script.
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
            return Err(Error::format(
                path.display().to_string(),
                "letters, digits, `.`, `_` and `-` only",
            ));
        }
        fs::copy(&path, work.join(name)).map_err(Error::file(&path))?;
        names.push(name.to_owned());
    }
    names.sort();
    if names.is_empty() {
        return Err(Error::Other(format!("{} has no Verilog files (*.v)", from.display())));
    }
    Ok(names)
}

/// A Verilog identifier, as an argument of a command.
pub(crate) fn module_name(text: &str) -> Result<String, String> {
    let mut characters = text.chars();
    let first = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if first && characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(text.to_owned());
    }
    Err("a module name has letters, digits and `_`, and does not start with a digit".to_owned())
}

/// Number of cells of each type in a whole design.
pub(crate) struct Cells(BTreeMap<String, u64>);

impl Cells {
    /// Reads the output of yosys's `stat -json`.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(Error::file(path))?;
        Self::parse(&text).map_err(|error| Error::format(path.display().to_string(), error))
    }

    fn parse(text: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Document {
            modules: BTreeMap<String, Total>,
            /// The hierarchical total; absent when `stat` was given a selection.
            design: Option<Total>,
        }
        #[derive(Deserialize)]
        struct Total {
            num_cells_by_type: BTreeMap<String, u64>,
        }
        let document: Document = serde_json::from_str(text)?;
        if let Some(total) = document.design {
            return Ok(Self(total.num_cells_by_type));
        }
        let mut sum = BTreeMap::new();
        for (kind, count) in document.modules.into_values().flat_map(|m| m.num_cells_by_type) {
            *sum.entry(kind).or_default() += count;
        }
        Ok(Self(sum))
    }

    /// Number of cells whose type is accepted.
    pub(crate) fn count(&self, accept: impl Fn(&str) -> bool) -> u64 {
        self.0.iter().filter(|(kind, _)| accept(kind)).map(|(_, count)| count).sum()
    }

    #[cfg(test)]
    pub(crate) fn of(cells: &[(&str, u64)]) -> Self {
        Self(cells.iter().map(|&(kind, count)| (kind.to_owned(), count)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchical_total_is_preferred() {
        let module = r#""modules": {"\\pe": {"num_cells_by_type": {"LUT4": 32}}}"#;
        let total = r#""design": {"num_cells_by_type": {"LUT4": 128}}"#;
        let luts = |text: &str| Cells::parse(text).unwrap().count(|kind| kind == "LUT4");
        assert_eq!(luts(&format!("{{{module}, {total}}}")), 128);
        assert_eq!(luts(&format!("{{{module}}}")), 32);
    }

    #[test]
    fn only_verilog_is_copied_and_something_must_be() {
        let folder = tempfile::tempdir().unwrap();
        let (from, work) = (folder.path().join("from"), folder.path().join("work"));
        fs::create_dir_all(&from).unwrap();
        fs::write(from.join("README.md"), "").unwrap();
        let error = copy_verilog(&from, &work).unwrap_err().to_string();
        assert!(error.ends_with("has no Verilog files (*.v)"), "{error}");
        fs::write(from.join("b.v"), "").unwrap();
        fs::write(from.join("a.v"), "").unwrap();
        assert_eq!(copy_verilog(&from, &work).unwrap(), ["a.v", "b.v"]);
        fs::write(from.join("a b.v"), "").unwrap();
        assert!(copy_verilog(&from, &work).is_err());
    }

    #[test]
    fn a_module_name_is_an_identifier() {
        assert!(module_name("pe_w8").is_ok());
        assert!(module_name("8pe").is_err());
        assert!(module_name("top; shell rm").is_err());
        assert!(module_name("").is_err());
    }
}
