//! The project's Python environment and the WebAssembly tools in it.

use std::fs;
use std::path::Path;
use std::process::Command;

use mattock_toolbox::{REQUIREMENTS, Source, Toolbox};

use crate::error::Error;
use crate::process::{run_logged, workspace};
use crate::progress::Progress;

/// Makes the environment and installs `xtask/requirements.txt`, unless that was done.
/// `true` if anything was installed.
pub(super) fn install(toolbox: &Toolbox) -> Result<bool, Error> {
    let venv = toolbox.venv();
    let stamp = venv.join("installed");
    let content = stamp_content(toolbox);
    if toolbox.python().is_ok() && is_current(&stamp, &content) {
        return Ok(false);
    }
    let python = toolbox.find_named("python3")?;
    let log = toolbox.folder().join("log/python.log");
    let step = Progress::start(format!("setup: installing Python packages in {}", venv.display()));
    // From nothing, so that a package no longer listed does not linger.
    run_logged(Command::new(&python.path).args(["-m", "venv", "--clear"]).arg(&venv), &log)?;
    let mut pip = Command::new(toolbox.python()?);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
    // Wheels only: a source build of scipy would take an hour and then fail.
    pip.args(["--only-binary", ":all:", "-r"]);
    run_logged(pip.arg(workspace().join("xtask/requirements.txt")), &log)?;
    fs::write(&stamp, content).map_err(Error::file(&stamp))?;
    step.done();
    Ok(true)
}

/// Lets the WebAssembly tools compile themselves once; about a minute. `true` if they had to.
pub(super) fn warm_up(toolbox: &Toolbox) -> Result<bool, Error> {
    let cache = toolbox.yowasp_cache();
    let stamp = cache.join("compiled");
    let content = stamp_content(toolbox);
    if is_current(&stamp, &content) {
        return Ok(false);
    }
    if cache.exists() {
        fs::remove_dir_all(&cache).map_err(Error::file(&cache))?;
    }
    fs::create_dir_all(&cache).map_err(Error::file(&cache))?;
    for (name, command) in [
        ("yosys", toolbox.yosys()),
        ("nextpnr-ecp5", toolbox.nextpnr_ecp5()),
        ("ecppack", toolbox.ecppack()),
    ] {
        // A program of the machine has nothing to compile.
        if toolbox.find_named(name)?.source != Source::ToolFolder {
            continue;
        }
        let step = Progress::start(format!("setup: compiling {name} for its first use"));
        let log = toolbox.folder().join("log").join(name).with_extension("log");
        run_logged(command?.arg("--version").current_dir(toolbox.folder()), &log)?;
        step.done();
    }
    fs::write(&stamp, content).map_err(Error::file(&stamp))?;
    Ok(true)
}

/// What the environment was made from. Its programs hold its absolute path, so a moved folder is remade;
/// one that several checkouts reach by links is the same folder for all of them.
fn stamp_content(toolbox: &Toolbox) -> String {
    let folder = toolbox.folder().canonicalize().unwrap_or_else(|_| toolbox.folder().to_owned());
    format!("{}\n{REQUIREMENTS}", folder.join("venv").display())
}

fn is_current(stamp: &Path, content: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|text| text == content)
}
