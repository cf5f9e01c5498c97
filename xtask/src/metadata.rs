//! What cargo knows of the workspace.

use serde::Deserialize;

use crate::error::Error;
use crate::process::{capture, cargo};

/// The packages of the workspace.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) targets: Vec<Target>,
}

/// A library, program, test or benchmark of a package.
#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

impl Metadata {
    /// Asks cargo.
    pub(crate) fn read() -> Result<Self, Error> {
        let text = capture(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        serde_json::from_str(&text).map_err(|error| Error::format("cargo metadata", error))
    }

    /// The command-line package, which other chores run.
    ///
    /// # Errors
    /// When the workspace has none.
    pub(crate) fn command_line(&self) -> Result<&Package, Error> {
        self.packages.iter().find(|package| package.name == "mattock-cli").ok_or_else(|| {
            Error::Other(
                "this workspace has no package `mattock-cli`, which has the `mattock` program"
                    .into(),
            )
        })
    }

    /// Every benchmark: the package and the target's name.
    pub(crate) fn benchmarks(&self) -> Vec<(&str, &str)> {
        let mut found = Vec::new();
        for package in &self.packages {
            let benches =
                package.targets.iter().filter(|t| t.kind.iter().any(|kind| kind == "bench"));
            found.extend(benches.map(|target| (package.name.as_str(), target.name.as_str())));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_is_read() {
        let metadata = Metadata::read().unwrap();
        assert!(metadata.packages.iter().any(|package| package.name == env!("CARGO_PKG_NAME")));
    }

    #[test]
    fn benchmarks_are_found_by_kind() {
        let text = r#"{"packages":[{"name":"engine","targets":[
            {"name":"engine","kind":["lib"]},{"name":"speed","kind":["bench"]}]}]}"#;
        let metadata: Metadata = serde_json::from_str(text).unwrap();
        assert_eq!(metadata.benchmarks(), [("engine", "speed")]);
        assert!(metadata.command_line().is_err());
    }
}
