//! Version numbers as tools print them.

use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, Serializer};

/// A version: the text as printed, compared by its numbers (`5.006` < `5.48.0`).
#[derive(Clone, Debug, Eq)]
pub struct Version(String);

impl Version {
    /// Reads the version at the start of `text`: numbers joined by single dots. What follows
    /// the last number (`-3`, `+dev`, `.post1259`) is ignored.
    ///
    /// Returns `None` when `text` does not start with a number, or a number exceeds `u32`.
    pub fn parse(text: &str) -> Option<Self> {
        let dotted = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let numbers: Vec<&str> = text[..dotted].split('.').take_while(|n| !n.is_empty()).collect();
        let sound = !numbers.is_empty() && numbers.iter().all(|n| n.parse::<u32>().is_ok());
        sound.then(|| Self(numbers.join(".")))
    }

    /// The first version that follows `marker` in the output of a tool.
    pub fn after(output: &str, marker: &str) -> Option<Self> {
        output.match_indices(marker).find_map(|(at, _)| Self::parse(&output[at + marker.len()..]))
    }

    /// Its numbers without trailing zeros, so that `0.70` and `0.70.0` are one version.
    fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.0.split('.').filter_map(|n| n.parse().ok()).collect();
        numbers.truncate(numbers.iter().rposition(|&n| n != 0).map_or(0, |last| last + 1));
        numbers
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers().cmp(&other.numbers())
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn reads_what_tools_print() {
        let after = |output, marker| Version::after(output, marker).map(|v| v.to_string());
        assert_eq!(
            after("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)", "Verilator ").unwrap(),
            "5.006"
        );
        assert_eq!(after("Icarus Verilog version 11.0 (stable) ()", "version ").unwrap(), "11.0");
        assert_eq!(after("rustc 1.95.0 (59807616e 2026-04-14)", "rustc ").unwrap(), "1.95.0");
        assert_eq!(after("Yosys 0.70+188 (git sha1 x)", "Yosys ").unwrap(), "0.70");
        assert_eq!(after(" rev vUNKNOWN-built20260516", "Verilator "), None);
        assert_eq!(after("version unknown, version 3.2.", "version ").unwrap(), "3.2");
        assert_eq!(Version::parse("0.70.0.0.post1259").unwrap().to_string(), "0.70.0.0");
        assert_eq!(Version::parse("99999999999"), None);
        assert_eq!(Version::parse(""), None);
    }

    #[test]
    fn orders_by_number() {
        assert!(version("5.006") < version("5.48.0"));
        assert!(version("9.4") < version("12.2.0"));
        assert!(version("0.9") < version("0.70.0.0"));
        assert_eq!(version("0.70"), version("0.70.0.0"));
    }
}
