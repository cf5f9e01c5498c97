//! Running other programs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::error::Error;

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// The cargo that started us, in the workspace.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace());
    command
}

/// git, in the workspace.
pub(crate) fn git() -> Command {
    let mut command = Command::new("git");
    command.current_dir(workspace());
    command
}

/// Runs a command and lets it print.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(cannot_start(command))?;
    check(command, status, "")
}

/// Runs a command and returns what it prints on standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String, Error> {
    let output = command.stdin(Stdio::null()).output().map_err(cannot_start(command))?;
    check(command, output.status, &String::from_utf8_lossy(&output.stderr))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command silently. What it prints on both streams goes to the file `log`, and is returned.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> Result<String, Error> {
    let (status, text) = run_recorded(command, log)?;
    check(command, status, &text)?;
    Ok(text)
}

/// As [`run_logged`], for programs whose failure is a result: they also tell their status.
pub(crate) fn run_recorded(
    command: &mut Command,
    log: &Path,
) -> Result<(ExitStatus, String), Error> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).map_err(Error::file(folder))?;
    }
    let file = File::create(log).map_err(Error::file(log))?;
    let second = file.try_clone().map_err(Error::file(log))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(second)
        .status()
        .map_err(cannot_start(command))?;
    let text = fs::read(log).map_err(Error::file(log))?;
    Ok((status, String::from_utf8_lossy(&text).into_owned()))
}

/// Runs a command, lets it print, and hands each line of its standard output to `line`.
pub(crate) fn run_watched(command: &mut Command, mut line: impl FnMut(&str)) -> Result<(), Error> {
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(cannot_start(command))?;
    if let Some(stdout) = child.stdout.take() {
        // Lines are bytes: a test may print what is not UTF-8.
        for text in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&text);
            println!("{text}");
            line(&text);
        }
    }
    let status = child.wait().map_err(cannot_start(command))?;
    check(command, status, "")
}

/// A command as a person would type it.
pub(crate) fn spelled(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    words.join(" ")
}

fn cannot_start(command: &Command) -> impl FnOnce(std::io::Error) -> Error {
    let command = spelled(command);
    move |source| Error::Start { command, source }
}

fn check(command: &Command, status: ExitStatus, output: &str) -> Result<(), Error> {
    if status.success() {
        return Ok(());
    }
    let lines: Vec<&str> = output.lines().collect();
    let last = &lines[lines.len().saturating_sub(15)..];
    let tail: String = last.iter().flat_map(|line| ["\n    ", line]).collect();
    Err(Error::Failed { command: spelled(command), status, tail })
}
