//! The pinned Python packages.

use crate::Version;

/// The text of `xtask/requirements.txt`. This file and the next are the only places where a Python
/// package's version is written.
pub const REQUIREMENTS: &str = include_str!("../../requirements.txt");

/// The text of `xtask/requirements-synth.txt`: packages only the bitstream flows need.
pub const SYNTH_REQUIREMENTS: &str = include_str!("../../requirements-synth.txt");

/// The pinned version of a Python package, if one of the two files names it.
pub fn pinned(package: &str) -> Option<Version> {
    REQUIREMENTS.lines().chain(SYNTH_REQUIREMENTS.lines()).find_map(|line| {
        let (name, version) = line.split_once("==")?;
        (normalized(name.trim()) == normalized(package)).then(|| Version::parse(version))?
    })
}

/// Package names compare without case, and `-`, `_` and `.` are the same (PEP 503).
pub(crate) fn normalized(package: &str) -> String {
    package.to_ascii_lowercase().replace(['-', '.'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_comment_or_an_exact_pin() {
        let lines = REQUIREMENTS.lines().chain(SYNTH_REQUIREMENTS.lines());
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, _) = line.split_once("==").unwrap_or_else(|| panic!("not pinned: {line}"));
            assert!(pinned(name).is_some(), "{line}");
        }
    }

    #[test]
    fn names_compare_as_pip_does() {
        assert_eq!(pinned("ML-dtypes"), pinned("ml_dtypes"));
        assert!(pinned("ml_dtypes").is_some());
        assert_eq!(pinned("ml"), None);
    }
}
