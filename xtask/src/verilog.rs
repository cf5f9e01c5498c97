//! What lint and timing share: Verilog files in a work folder.

use std::fs;
use std::path::Path;

use crate::error::Error;

/// The Verilog files of a folder: names and texts, sorted.
pub(crate) fn read_verilog(from: &Path) -> Result<Vec<(String, String)>, Error> {
    let mut files = Vec::new();
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
        files.push((name.to_owned(), fs::read_to_string(&path).map_err(Error::file(&path))?));
    }
    files.sort();
    if files.is_empty() {
        return Err(Error::Other(format!("{} has no Verilog files (*.v)", from.display())));
    }
    Ok(files)
}

/// Copies the Verilog files of a folder to an empty work folder, where the tools may write; returns
/// their names, sorted.
pub(crate) fn copy_verilog(from: &Path, work: &Path) -> Result<Vec<String>, Error> {
    let files = read_verilog(from)?;
    if work.exists() {
        fs::remove_dir_all(work).map_err(Error::file(work))?;
    }
    fs::create_dir_all(work).map_err(Error::file(work))?;
    for (name, text) in &files {
        let path = work.join(name);
        fs::write(&path, text).map_err(Error::file(&path))?;
    }
    Ok(files.into_iter().map(|(name, _)| name).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

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
