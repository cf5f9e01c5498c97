//! Runs a tool, keeps all it says in a log, and picks the lines a person needs first.

use std::{
    fs::OpenOptions,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use crate::error::BuildError;

/// Lines of a tool's message that go into an error; the log has the rest.
const MESSAGE_LINES: usize = 12;

/// What a tool did.
pub(crate) struct Ran {
    pub(crate) success: bool,
    pub(crate) text: String,
}

/// Runs `command` and appends its command line and output to `log`.
pub(crate) fn run(command: &mut Command, log: &Path) -> Result<Ran, BuildError> {
    let program = command.get_program().to_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|source| BuildError::Io {
        doing: "starting",
        path: program.into(),
        source,
    })?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text += &String::from_utf8_lossy(&output.stderr);
    let entry = format!("$ {command:?}\n{text}[{}]\n", output.status);
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .and_then(|mut file| file.write_all(entry.as_bytes()))
        .map_err(|source| BuildError::Io { doing: "writing", path: log.to_owned(), source })?;
    if text.trim().is_empty() {
        text = format!("it said nothing and ended with {}", output.status);
    }
    Ok(Ran { success: output.status.success(), text })
}

/// The first lines of `text`, from the first that reports something.
pub(crate) fn message(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let reports = |line: &&str| line.contains("error") || line.starts_with('%');
    let start = lines.iter().position(reports).unwrap_or(0);
    lines[start..].iter().take(MESSAGE_LINES).copied().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_starts_at_the_first_report_and_is_short() {
        let mut text = String::from("In file included from shim.cpp:3:\nx.h:1: error: no\n");
        text += &"note\n".repeat(40);
        assert!(message(&text).starts_with("x.h:1: error: no\nnote"));
        assert_eq!(message(&text).lines().count(), MESSAGE_LINES);
        assert_eq!(message("plain\ntext"), "plain\ntext");
    }
}
