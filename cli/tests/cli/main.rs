//! The program as its users see it: help texts, messages, JSON keys, files written.

mod boards;
mod errors;
mod files;
mod help;
mod json;
mod products;
mod quantize;
mod report;
mod served;
mod synth;

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder to run `mattock` in.
struct Session(TempDir);

impl Session {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// Names of the files in the folder, sorted.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs `mattock` with the words of `line`.
    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_mattock"))
            .args(line.split_whitespace())
            .current_dir(self.path())
            .env_remove("COLUMNS")
            .env("NO_COLOR", "1")
            .output()
            .unwrap()
    }

    /// A transcript: the command, what it prints on both streams, how it exits.
    fn transcript(&self, line: &str) -> String {
        let output = self.run(line);
        // A panic exits with 101; a signal gives no code at all.
        let code = output.status.code().unwrap();
        assert!(code <= 2, "{line}: exit {code}: {}", String::from_utf8_lossy(&output.stderr));
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        format!("$ mattock {line}\n{out}{err}[exit {code}]\n\n")
    }

    /// The one JSON object that a command prints.
    fn json(&self, line: &str) -> serde_json::Value {
        let text = String::from_utf8(self.run(line).stdout).unwrap();
        assert_eq!(text.lines().count(), 1, "{line}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}
