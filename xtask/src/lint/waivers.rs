//! The accepted warnings.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::Finding;
use crate::error::Error;

/// The rows of the waiver file, and which of them were needed.
pub(super) struct Waivers(Vec<(Waiver, bool)>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    waiver: Vec<Waiver>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiver {
    tool: String,
    #[serde(default)]
    rule: String,
    #[serde(default)]
    file: String,
    #[serde(default)]
    text: String,
    reason: String,
}

impl Waivers {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(Error::file(path))?;
        Self::parse(&text).map_err(|error| Error::format(path.display().to_string(), error))
    }

    /// Rules of ours that are never a matter of taste.
    const NEVER: [&str; 7] = ["dsp", "empty", "error", "failed", "implicit-net", "latch", "ram"];

    fn parse(text: &str) -> Result<Self, String> {
        let document: Document = toml::from_str(text).map_err(|error| error.to_string())?;
        for waiver in &document.waiver {
            if waiver.reason.trim().is_empty() {
                return Err(format!("a waiver needs a reason: {waiver}"));
            }
            // A tool's name alone would silence the tool.
            if waiver.rule.is_empty() && waiver.text.is_empty() {
                return Err(format!("a waiver needs a `rule` or a `text`: {waiver}"));
            }
        }
        Ok(Self(document.waiver.into_iter().map(|waiver| (waiver, false)).collect()))
    }

    /// Whether some row accepts the finding; for some rules none may. Every row that does counts as needed.
    pub(super) fn waive(&mut self, finding: &Finding) -> bool {
        if Self::NEVER.contains(&finding.rule.as_str()) {
            return false;
        }
        let mut waived = false;
        for (waiver, used) in &mut self.0 {
            if waiver.accepts(finding) {
                (*used, waived) = (true, true);
            }
        }
        waived
    }

    /// Rows that accepted nothing.
    pub(super) fn unused(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter(|(_, used)| !used).map(|(waiver, _)| waiver.to_string())
    }
}

impl Waiver {
    fn accepts(&self, finding: &Finding) -> bool {
        self.tool == finding.tool
            && (self.rule.is_empty() || self.rule == finding.rule)
            && finding.place.contains(&self.file)
            && finding.message.contains(&self.text)
    }
}

impl std::fmt::Display for Waiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "tool {:?}, rule {:?}, file {:?}, text {:?}",
            self.tool, self.rule, self.file, self.text
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &str, place: &str) -> Finding {
        Finding {
            tool: "verilator",
            rule: rule.into(),
            place: place.into(),
            message: "bits 3:0".into(),
        }
    }

    #[test]
    fn a_row_accepts_only_what_it_names() {
        let text =
            "[[waiver]]\ntool = 'verilator'\nrule = 'UNUSEDSIGNAL'\nfile = 'fifo_'\nreason = 'r'\n";
        let mut waivers = Waivers::parse(text).unwrap();
        assert!(!waivers.waive(&finding("WIDTH", "fifo_8.v:3")));
        assert!(!waivers.waive(&finding("UNUSEDSIGNAL", "ram.v:3")));
        assert_eq!(waivers.unused().count(), 1);
        assert!(waivers.waive(&finding("UNUSEDSIGNAL", "fifo_8.v:3")));
        assert_eq!(waivers.unused().count(), 0);
    }

    #[test]
    fn a_latch_cannot_be_waived() {
        let text = "[[waiver]]\ntool = 'verilator'\ntext = 'bits'\nreason = 'r'\n";
        let mut waivers = Waivers::parse(text).unwrap();
        assert!(waivers.waive(&finding("WIDTH", "ram.v:3")));
        assert!(!waivers.waive(&finding("latch", "ram.v:3")));
    }

    #[test]
    fn a_row_without_reason_or_without_limits_is_refused() {
        let errors = [
            "[[waiver]]\ntool = 'yosys'\nrule = 'X'\nreason = ' '\n",
            "[[waiver]]\ntool = 'yosys'\nfile = 'a.v'\nreason = 'r'\n",
            "[[waiver]]\ntool = 'yosys'\nrules = 'X'\nreason = 'r'\n",
        ];
        let errors = errors.map(|text| Waivers::parse(text).err().unwrap());
        insta::assert_snapshot!(errors.join("\n"));
    }
}
