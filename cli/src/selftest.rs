//! `mattock selftest`: a card and the way to it, piece by piece.
//!
//! ```text
//! $ mattock selftest --card vfio-user:card.sock
//! ```

use std::process::ExitCode;

use clap::Args;
use mattock::Device;
use mattock::selftest::{Outcome, SelfCheck};
use serde::Serialize;

use crate::card::CardOptions;
use crate::error::Failure;
use crate::output::{Output, print};
use crate::progress::Progress;
use crate::session::Session;
use crate::simulation::{MemoryArgs, SimulatorKind};

/// Memory of a simulated card: what the largest check stages, many times.
const MEMORY: u64 = 8 << 20;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    card: CardOptions,
    /// What simulates the card
    #[arg(long, value_enum, default_value = "verilator")]
    simulator: SimulatorKind,
}

/// What `--json` prints; the keys are stable.
#[derive(Serialize)]
struct Report {
    card: String,
    ok: bool,
    checks: Vec<Line>,
}

/// One check.
#[derive(Serialize)]
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) verdict: &'static str,
    pub(crate) detail: String,
    pub(crate) milliseconds: u64,
}

impl Line {
    pub(crate) fn of(check: &SelfCheck) -> Self {
        let (verdict, detail) = match &check.outcome {
            Outcome::Passed(seen) => ("ok", seen),
            Outcome::Skipped(why) => ("skipped", why),
            Outcome::Failed(what) => ("FAILED", what),
        };
        let milliseconds = check.time.as_millis().try_into().unwrap_or(u64::MAX);
        Line { name: check.name, verdict, detail: detail.clone(), milliseconds }
    }

    /// For a person.
    pub(crate) fn text(&self) -> String {
        format!("{:<8} {:<16} {}\n", self.verdict, self.name, self.detail)
    }
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    let chosen = options.card.any("selftest")?;
    let session =
        Session::open(&chosen, options.simulator, MEMORY, &MemoryArgs::default(), output)?;
    let card = session.card();
    let checks = test(&card, output);
    let card = card.description().to_owned();
    let ok = checks.iter().all(|line| line.verdict != "FAILED");
    let verdict = format!("{card} is {}\n", if ok { "well" } else { "not well" });
    output.result(&Report { card, ok, checks }, || verdict);
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs all checks; each is told as it ends.
fn test(card: &Device, output: Output) -> Vec<Line> {
    let _progress = Progress::start(output, "testing");
    let mut lines = vec![];
    card.selftest(|check| {
        let line = Line::of(check);
        if !output.json && !output.quiet {
            print(&line.text());
        }
        lines.push(line);
    });
    lines
}
