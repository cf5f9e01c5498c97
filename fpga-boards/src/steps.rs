//! One program of a flow at a time, run only when what it reads has changed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mattock_toolbox::Toolbox;
use sha2::{Digest, Sha256};

use crate::build::BuildError;
use crate::flow::Step;

/// Runs a step in the folder `work`, or finds it done; whether it was. `tell` is told which as it begins; what
/// it returns lives as long as the step.
///
/// # Errors
/// The tool is missing, fails, or does not leave what it should; its output is gone then.
pub(crate) fn run<T>(
    step: &Step,
    toolbox: &Toolbox,
    work: &Path,
    tell: &mut impl FnMut(&Step, bool) -> T,
) -> Result<bool, BuildError> {
    let key = key(step, toolbox, work)?;
    let done = is_done(step, work, &key);
    let _told = tell(step, done);
    if !done {
        start(step, toolbox, work, &key)?;
    }
    Ok(done)
}

/// The system refuses something at a path.
pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::File { path, source }
}

/// Writes a text, unless it is there already: what reads the file need not run again.
pub(crate) fn write_if_changed(path: &Path, text: &str) -> Result<(), BuildError> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text).map_err(file(path))
}

/// Digest of all that a step's output depends on: the tool, its arguments, what it reads.
fn key(step: &Step, toolbox: &Toolbox, work: &Path) -> Result<String, BuildError> {
    let found = toolbox.find_named(step.tool)?;
    let mut digest = Sha256::new();
    let mut add = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    add(step.tool.as_bytes());
    add(found.version.to_string().as_bytes());
    step.args.iter().for_each(|word| add(word.as_bytes()));
    for name in &step.reads {
        let path = work.join(name);
        add(&fs::read(&path).map_err(file(&path))?);
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn stamp(step: &Step, work: &Path) -> PathBuf {
    work.join(step.what.replace(' ', "-")).with_extension("key")
}

fn is_done(step: &Step, work: &Path, key: &str) -> bool {
    fs::read_to_string(stamp(step, work)).is_ok_and(|done| done == key)
        && step.writes.iter().all(|name| work.join(name).is_file())
}

fn start(step: &Step, toolbox: &Toolbox, work: &Path, key: &str) -> Result<(), BuildError> {
    let stamp = stamp(step, work);
    for stale in step.writes.iter().map(|name| work.join(name)).chain([stamp.clone()]) {
        match fs::remove_file(&stale) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(file(&stale)(error));
            }
            _ => {}
        }
    }
    let log = stamp.with_extension("log");
    let output = File::create(&log).map_err(file(&log))?;
    let errors = output.try_clone().map_err(file(&log))?;
    let mut command: Command = toolbox.program(step.tool)?;
    let status = command
        .args(&step.args)
        .current_dir(work)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .status()
        .map_err(file(Path::new(command.get_program())))?;
    if !status.success() {
        step.writes.iter().for_each(|name| {
            let _ = fs::remove_file(work.join(name));
        });
        let said = reason(&fs::read(&log).unwrap_or_default());
        let (what, tool) = (step.what, step.tool);
        return Err(BuildError::Failed { what, tool, status, said, log });
    }
    if let Some(missing) = step.writes.iter().find(|name| !work.join(name).is_file()) {
        let (what, tool) = (step.what, step.tool);
        return Err(BuildError::Nothing { what, tool, file: missing, log });
    }
    fs::write(&stamp, key).map_err(file(&stamp))
}

/// The line of a log that says what went wrong: the last one that speaks of an error, else the last.
fn reason(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let error = lines.iter().rev().find(|line| line.contains("ERROR") || line.contains("Error"));
    error.or(lines.last()).map_or(String::new(), |line| (*line).to_owned())
}
