//! The state of every tool, for `mattock doctor`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::{Found, Job, Missing, Source, TOOLS, Tool, Toolbox, Version};

/// One line of `mattock doctor`.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The tool.
    pub name: &'static str,
    /// What the project does with it.
    pub purpose: &'static str,
    /// The verdict.
    pub status: Status,
    /// Its version, when one was found.
    pub version: Option<Version>,
    /// The oldest version that works.
    pub minimum: Option<Version>,
    /// Where it is.
    pub path: Option<PathBuf>,
    /// How it was found.
    pub source: Option<Source>,
    /// Jobs that cannot be done without it.
    pub required_for: &'static [Job],
    /// Jobs that do more with it.
    pub used_for: &'static [Job],
    /// What is wrong and what to type, when something is.
    pub problem: Option<String>,
    /// What to type to get it, when it is not ready.
    pub hint: Option<String>,
}

/// The verdict on one tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// There and new enough.
    Ok,
    /// Not ready, but its alternative is: nothing is prevented.
    Covered,
    /// Not found.
    Missing,
    /// Found, but older than what works.
    TooOld,
    /// Found, but it does not tell its version.
    Broken,
}

impl Row {
    /// Whether `job` cannot be done because of this tool.
    pub fn prevents(&self, job: Job) -> bool {
        !matches!(self.status, Status::Ok | Status::Covered) && self.required_for.contains(&job)
    }
}

impl Toolbox {
    /// The state of every tool, in the order of the table.
    pub fn report(&self) -> Vec<Row> {
        let states: BTreeMap<&str, Result<Found, Missing>> =
            TOOLS.iter().map(|tool| (tool.name, self.find(tool))).collect();
        let covered = |tool: &Tool| tool.alternative.is_some_and(|name| states[name].is_ok());
        TOOLS.iter().map(|tool| row(tool, &states[tool.name], covered(tool))).collect()
    }
}

fn row(tool: &Tool, state: &Result<Found, Missing>, covered: bool) -> Row {
    let mut row = Row {
        name: tool.name,
        purpose: tool.purpose,
        status: Status::Ok,
        version: None,
        minimum: tool.minimum(),
        path: None,
        source: None,
        required_for: tool.required_for,
        used_for: tool.used_for,
        problem: None,
        hint: None,
    };
    match state {
        Ok(found) => {
            row.version = Some(found.version.clone());
            row.path = Some(found.path.clone());
            row.source = Some(found.source);
        }
        Err(missing) => {
            row.status = match missing {
                _ if covered => Status::Covered,
                Missing::NotFound { .. } | Missing::Unknown { .. } => Status::Missing,
                Missing::TooOld { .. } => Status::TooOld,
                Missing::Broken { .. } => Status::Broken,
            };
            if let Missing::TooOld { version, .. } = missing {
                row.version = Some(version.clone());
            }
            if let Missing::TooOld { path, .. } | Missing::Broken { path, .. } = missing {
                row.path = Some(path.clone());
            }
            row.problem = Some(missing.to_string());
            row.hint = missing.get().map(|get| get.to_string());
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn an_empty_machine_prevents_every_job() {
        let nowhere = Path::new("/nonexistent");
        let rows = Toolbox::with(nowhere, nowhere, |_| None).report();
        assert_eq!(rows.len(), TOOLS.len());
        for job in [Job::Build, Job::Simulate, Job::Trace, Job::Test, Job::Lint, Job::Timing] {
            assert!(rows.iter().any(|row| row.prevents(job)), "{job}");
        }
        let verilator = rows.iter().find(|row| row.name == "verilator");
        insta::assert_snapshot!(serde_json::to_string_pretty(&verilator).unwrap());
    }

    #[test]
    fn an_alternative_covers_a_missing_tool() {
        let tool = crate::tool("verilator").unwrap();
        let missing = Missing::Unknown { tool: "verilator" };
        assert!(row(tool, &Err(missing.clone()), false).prevents(Job::Simulate));
        assert!(!row(tool, &Err(missing), true).prevents(Job::Simulate));
    }
}
