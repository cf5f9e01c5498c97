//! Verilator and Icarus as readers.

use std::path::Path;
use std::process::Command;

use mattock_toolbox::Toolbox;

use super::Finding;
use crate::error::Error;
use crate::process::{run_recorded, spelled};

/// `verilator --lint-only -Wall` with every Verilator of the machine.
pub(super) fn verilator(
    toolbox: &Toolbox,
    work: &Path,
    top: &str,
    files: &[String],
) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for verilator in toolbox.verilators().iter() {
        let mut command = verilator.command();
        command.args(["--lint-only", "-Wall", "-Wno-fatal", "--top-module", top]);
        findings.extend(read(command.args(files), work, "verilator", verilator_line)?);
    }
    if findings.is_empty() && toolbox.verilators().iter().count() == 0 {
        toolbox.find_named("verilator")?;
    }
    // Two versions that say the same say it once.
    let mut unique: Vec<Finding> = Vec::new();
    for finding in findings {
        if !unique.contains(&finding) {
            unique.push(finding);
        }
    }
    Ok(unique)
}

/// `iverilog -g2005 -Wall`, without output.
pub(super) fn icarus(
    toolbox: &Toolbox,
    work: &Path,
    top: &str,
    files: &[String],
) -> Result<Vec<Finding>, Error> {
    let mut command = toolbox.iverilog()?;
    command.args(["-g2005", "-Wall", "-t", "null", "-s", top]).args(files);
    read(&mut command, work, "iverilog", icarus_line)
}

/// Runs a reader. One that fails without a finding is a finding itself.
fn read(
    command: &mut Command,
    work: &Path,
    tool: &'static str,
    line: impl Fn(&str) -> Option<Finding>,
) -> Result<Vec<Finding>, Error> {
    let log = work.join(tool).with_extension("log");
    let (status, text) = run_recorded(command.current_dir(work), &log)?;
    let findings: Vec<Finding> = text.lines().filter_map(line).collect();
    if findings.is_empty() && !status.success() {
        let message = format!("{} failed ({status}): {}", spelled(command), text.trim());
        return Ok(vec![Finding { tool, rule: "failed".into(), place: String::new(), message }]);
    }
    Ok(findings)
}

/// `%Warning-WIDTHTRUNC: pe.v:12:14: Operator ASSIGN expects ...`, or `%Error...`.
fn verilator_line(line: &str) -> Option<Finding> {
    let complaint = line.strip_prefix("%Warning-").or_else(|| line.strip_prefix("%Error"))?;
    let (rule, rest) = complaint.split_once(": ")?;
    let mut parts = rest.splitn(4, ':');
    let (place, message) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(row), Some(_column), Some(message)) if row.parse::<u32>().is_ok() => {
            (format!("{file}:{row}"), message.trim().to_owned())
        }
        _ => (String::new(), rest.to_owned()),
    };
    let rule = if line.starts_with("%Error") { "error" } else { rule }.to_owned();
    Some(Finding { tool: "verilator", rule, place, message })
}

/// `pe.v:12: warning: ...`; every line that Icarus prints is a complaint.
fn icarus_line(line: &str) -> Option<Finding> {
    if line.trim().is_empty() {
        return None;
    }
    let mut parts = line.splitn(3, ':');
    let (place, message) = match (parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(row), Some(message)) if row.parse::<u32>().is_ok() => {
            (format!("{file}:{row}"), message.trim().to_owned())
        }
        _ => (String::new(), line.to_owned()),
    };
    Some(Finding { tool: "iverilog", rule: String::new(), place, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_read() {
        let text = "%Warning-WIDTHTRUNC: pe.v:12:14: Operator ASSIGN expects 4 bits";
        assert_eq!(
            verilator_line(text).unwrap().to_string(),
            "pe.v:12: verilator WIDTHTRUNC: Operator ASSIGN expects 4 bits"
        );
        let text = "%Error: Cannot find file: pe.v";
        assert_eq!(
            verilator_line(text).unwrap().to_string(),
            ": verilator error: Cannot find file: pe.v"
        );
        assert_eq!(verilator_line("                   12 |   assign x = y;"), None);
        let text = "pe.v:3: warning: implicit definition of wire 'x'.";
        assert_eq!(
            icarus_line(text).unwrap().to_string(),
            "pe.v:3: iverilog: warning: implicit definition of wire 'x'."
        );
    }
}
