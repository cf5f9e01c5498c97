//! System packages.

use std::process::{Command, Stdio};

use mattock_toolbox::{Get, Row, Status, Toolbox, tool};

use crate::error::Error;
use crate::process::run_logged;
use crate::progress::Progress;

/// Installs the packages of tools that were not found at all. `true` if any was installed.
///
/// A user who may not install is told the exact command; whether that is an error is for the
/// caller to judge by what the tools are needed for.
pub(super) fn install_missing(toolbox: &Toolbox, rows: &[Row]) -> Result<bool, Error> {
    let packages = missing_packages(toolbox, rows);
    if packages.is_empty() {
        return Ok(false);
    }
    let Some(rights) = Rights::of_this_user() else {
        eprintln!("setup: please run: sudo apt-get install {}", packages.join(" "));
        return Ok(false);
    };
    let step = Progress::start(format!("setup: installing {} with apt", packages.join(", ")));
    let log = toolbox.folder().join("log/apt.log");
    run_logged(rights.apt_get().arg("update"), &log)?;
    let install = ["install", "--yes", "--no-install-recommends"];
    run_logged(rights.apt_get().args(install).args(&packages), &log)?;
    step.done();
    Ok(true)
}

fn missing_packages(toolbox: &Toolbox, rows: &[Row]) -> Vec<&'static str> {
    let mut packages = packages_of(rows);
    // Debian's Python comes without the module that makes environments.
    if toolbox.python().is_err() && !python_makes_environments(toolbox) {
        packages.push("python3-venv");
    }
    packages
}

/// The packages of the tools that are not there at all. An old or broken version is the user's
/// to judge: apt would only say that it is installed.
fn packages_of(rows: &[Row]) -> Vec<&'static str> {
    let absent = rows.iter().filter(|row| row.status != Status::Ok && row.path.is_none());
    let get = absent.filter_map(|row| tool(row.name).map(|tool| tool.get));
    get.filter_map(|get| match get {
        Get::Apt(package) => Some(package),
        Get::Rustup | Get::Pip(_) | Get::Hand(_) => None,
    })
    .collect()
}

fn python_makes_environments(toolbox: &Toolbox) -> bool {
    toolbox
        .find_named("python3")
        .is_ok_and(|python| quiet(Command::new(python.path).args(["-c", "import ensurepip, venv"])))
}

/// How this user may install packages.
enum Rights {
    Root,
    Sudo,
}

impl Rights {
    fn of_this_user() -> Option<Self> {
        if !quiet(Command::new("apt-get").arg("--version")) {
            return None;
        }
        let id = Command::new("id").arg("-u").output().ok()?;
        if id.stdout.trim_ascii() == b"0" {
            return Some(Self::Root);
        }
        quiet(Command::new("sudo").args(["--non-interactive", "true"])).then_some(Self::Sudo)
    }

    fn apt_get(&self) -> Command {
        // Through `env`, since sudo drops variables.
        let mut command = match self {
            Self::Root => Command::new("env"),
            Self::Sudo => {
                let mut sudo = Command::new("sudo");
                sudo.args(["--non-interactive", "env"]);
                sudo
            }
        };
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    }
}

fn quiet(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, status: Status, path: Option<&str>) -> Row {
        Row {
            name,
            purpose: "",
            status,
            version: None,
            minimum: None,
            path: path.map(Into::into),
            source: None,
            required_for: &[],
            used_for: &[],
            problem: None,
            hint: None,
        }
    }

    #[test]
    fn apt_is_asked_for_what_is_absent_and_nothing_else() {
        let rows = [
            row("cargo", Status::Missing, None),
            row("g++", Status::Ok, Some("/usr/bin/g++")),
            row("verilator", Status::Covered, None),
            row("iverilog", Status::TooOld, Some("/usr/bin/iverilog")),
            row("zlib", Status::Missing, None),
            row("yosys", Status::Missing, None),
        ];
        assert_eq!(packages_of(&rows), ["verilator", "zlib1g-dev"]);
    }
}
