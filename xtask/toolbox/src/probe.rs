//! Asking a tool for its version.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Probe, Program, Tool, Version};

impl Tool {
    /// The program to run, if the tool is one.
    pub(crate) fn program(&self) -> Option<&Program> {
        match &self.probe {
            Probe::Program(program) | Probe::Packaged { elsewhere: program, .. } => Some(program),
            Probe::Header { .. } | Probe::Package(_) => None,
        }
    }
}

/// Runs a program and reads its version from what it prints, on either stream.
pub(crate) fn ask_version(path: &Path, program: &Program) -> Result<Version, String> {
    let output = Command::new(path)
        .args(program.args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text += &String::from_utf8_lossy(&output.stderr);
    Version::after(&text, program.marker).ok_or_else(|| {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
        format!("`{}` printed {first:?}, which has no version", program.args.join(" "))
    })
}

/// Preprocesses an include of `header`: where the compiler found it, and the version in its macro.
/// `None` when the compiler does not find it.
pub(crate) fn ask_header(
    compiler: &Path,
    header: &str,
    version_macro: &str,
) -> Option<(PathBuf, Result<Version, String>)> {
    let mut child = Command::new(compiler)
        .args(["-E", "-x", "c++", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let source = format!("#include <{header}>\nversion_is {version_macro}\n");
    child.stdin.take()?.write_all(source.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // A line marker names each file: `# 1 "/usr/include/zlib.h" 1 3 4`.
    let quoted =
        text.lines().filter(|line| line.starts_with('#')).filter_map(|line| line.split('"').nth(1));
    let path = quoted.map(Path::new).find(|path| path.ends_with(header))?.to_owned();
    // Line markers may stand between the two words of our line too.
    let words = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    let version = Version::after(&words.collect::<Vec<_>>().join(" "), "version_is \"");
    Some((path, version.ok_or_else(|| format!("{version_macro} has no version"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_is_asked_for_a_header() {
        // A C++ compiler is one of the three things a machine must have before set-up.
        let (path, version) = ask_header(Path::new("c++"), "limits.h", "\"3.2.1\"").unwrap();
        assert!(path.is_absolute() && path.ends_with("limits.h"), "{}", path.display());
        assert_eq!(version.unwrap().to_string(), "3.2.1");
        let (_, version) = ask_header(Path::new("c++"), "limits.h", "CHAR_BIT").unwrap();
        assert!(version.is_err());
        assert!(ask_header(Path::new("c++"), "no_such_header.h", "CHAR_BIT").is_none());
    }
}
