//! The project's Python environment and the WebAssembly tools in it.

use std::fs;
use std::path::Path;
use std::process::Command;

use mattock_toolbox::{Job, REQUIREMENTS, SYNTH_REQUIREMENTS, Source, TOOLS, Toolbox};

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
    run_logged(&mut pip(toolbox, "requirements.txt")?, &log)?;
    fs::write(&stamp, content).map_err(Error::file(&stamp))?;
    step.done();
    Ok(true)
}

/// Adds `xtask/requirements-synth.txt` to the environment, unless that was done. `true` if it was not.
pub(super) fn install_synth(toolbox: &Toolbox) -> Result<bool, Error> {
    let stamp = toolbox.venv().join("installed-synth");
    if is_current(&stamp, SYNTH_REQUIREMENTS) {
        return Ok(false);
    }
    let step = Progress::start("setup: installing place and route for iCE40 and Gowin");
    let log = toolbox.folder().join("log/python-synth.log");
    run_logged(&mut pip(toolbox, "requirements-synth.txt")?, &log)?;
    fs::write(&stamp, SYNTH_REQUIREMENTS).map_err(Error::file(&stamp))?;
    step.done();
    Ok(true)
}

/// `pip install` of one of our lists.
fn pip(toolbox: &Toolbox, list: &str) -> Result<Command, Error> {
    let mut pip = Command::new(toolbox.python()?);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
    // Wheels only: a source build of scipy would take an hour and then fail.
    // Nothing but the list: what a package merely asks for (a gigabyte of torch, in one case) stays out.
    pip.args(["--only-binary", ":all:", "--no-deps", "-r"]);
    pip.arg(workspace().join("xtask").join(list));
    Ok(pip)
}

/// Lets the WebAssembly tools that the jobs need compile themselves once; about a minute. `true` if they had to.
pub(super) fn warm_up(toolbox: &Toolbox, jobs: &[Job]) -> Result<bool, Error> {
    let cache = toolbox.yowasp_cache();
    let stamp = cache.join("compiled");
    let content = stamp_content(toolbox);
    if !is_current(&stamp, &content) {
        if cache.exists() {
            fs::remove_dir_all(&cache).map_err(Error::file(&cache))?;
        }
        fs::create_dir_all(&cache).map_err(Error::file(&cache))?;
        fs::write(&stamp, &content).map_err(Error::file(&stamp))?;
    }
    let mut compiled = false;
    for tool in TOOLS.iter().filter(|tool| tool.required_for.iter().any(|job| jobs.contains(job))) {
        let stamp = cache.join(tool.name).with_extension("compiled");
        let Ok(found) = toolbox.find(tool) else { continue };
        // A program of the machine has nothing to compile.
        let file = found.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let packaged = found.source == Source::ToolFolder && file.starts_with("yowasp-");
        if !packaged || is_current(&stamp, &found.version.to_string()) {
            continue;
        }
        let step = Progress::start(format!("setup: compiling {} for its first use", tool.name));
        let log = toolbox.folder().join("log").join(tool.name).with_extension("log");
        let mut command = toolbox.program(tool.name)?;
        run_logged(command.arg("--version").current_dir(toolbox.folder()), &log)?;
        fs::write(&stamp, found.version.to_string()).map_err(Error::file(&stamp))?;
        step.done();
        compiled = true;
    }
    Ok(compiled)
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
