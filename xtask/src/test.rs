//! `cargo xtask test`: every test and check, one after the other, all of them even if one fails.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use mattock_toolbox::Toolbox;

use crate::error::Error;
use crate::guest::{self, Guest};
use crate::process::{cargo, run, run_watched};
use crate::progress::seconds;
use crate::{firmware, generated, lint};

/// A part of the tests with a long form.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Suite {
    /// The dense reference model against outside libraries: all codes of pairs up to 8 bits, over ten million sums
    Numerics,
    /// A Linux guest in QEMU drives a simulated card, and QEMU's own `edu`, through vfio-pci as an ordinary user
    Guest,
    /// The buses of every reference card against cocotbext-axi on Icarus
    Cocotb,
    /// Proofs about the cells, with longer runs of what is proved up to a bound
    Formal,
}

/// Runs the long form of a suite and prints its table.
pub(crate) fn suite(toolbox: &Toolbox, suite: Suite) -> Result<(), Error> {
    if let Suite::Guest = suite {
        let (counts, result) = guest_step(toolbox);
        result?;
        return match counts.failed {
            0 => Ok(()),
            failed => Err(Error::Other(format!("{failed} tests of the guest failed"))),
        };
    }
    let (name, variable) = match suite {
        Suite::Cocotb => ("cocotb", "MATTOCK_COCOTB"),
        Suite::Formal => ("formal", "MATTOCK_FORMAL"),
        _ => ("numerics", "MATTOCK_NUMERICS"),
    };
    let mut command = cargo();
    command.args(["test", "--package", "mattock-testbench", "--test", name]);
    run(command.args(["--", "--nocapture"]).env(variable, "full"))
}

/// Runs every step, prints a table of them and, as the last line, `N passed, N failed`: each
/// test counts, and each of the other steps counts as one.
pub(crate) fn test(toolbox: &Toolbox) -> Result<ExitCode, Error> {
    let mut tally = Tally::default();
    tally.check("format", || run(cargo().args(["fmt", "--all", "--check"])));
    tally.check("clippy", || {
        let lints = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
        run(cargo().args(lints))
    });
    tally.step("tests", || {
        let mut counts = Counts::default();
        let mut command = cargo();
        toolbox.export_verilators(&mut command);
        let result = run_watched(command.args(["test", "--workspace", "--no-fail-fast"]), |line| {
            counts.add_line(line)
        });
        (counts, result)
    });
    tally.step("guest", || guest_step(toolbox));
    tally.check("documentation", || {
        let document = ["doc", "--workspace", "--no-deps"];
        run(cargo().args(document).env("RUSTDOCFLAGS", "--deny warnings"))
    });
    tally.check("generated files", generated::check);
    tally.check("program of cards' processor", || {
        firmware::firmware(&firmware::Options { check: true })
    });
    tally.check("lint of generated Verilog", || lint::lint(toolbox, &lint::Options::default()));
    Ok(tally.summary())
}

/// The guest test. One that cannot be run is told loudly and counts for nothing.
fn guest_step(toolbox: &Toolbox) -> (Counts, Result<(), Error>) {
    match guest::guest(toolbox) {
        Ok(Guest::Ran(counts)) => (counts, Ok(())),
        Ok(Guest::Skipped(why)) => {
            println!("SKIPPED: the guest test was NOT run: {why}");
            (Counts::default(), Ok(()))
        }
        Err(error) => (Counts::default(), Err(error)),
    }
}

/// Tests that were run.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
}

impl Counts {
    /// Adds a result line of the Rust test runner:
    /// `test result: ok. 14 passed; 0 failed; 0 ignored; ...`.
    fn add_line(&mut self, line: &str) {
        let Some((_, counts)) =
            line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split("; ") {
            match count.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[derive(Default)]
struct Tally {
    steps: Vec<(&'static str, Counts, Duration)>,
}

impl Tally {
    /// A step that passes or fails as a whole.
    fn check(&mut self, name: &'static str, action: impl FnOnce() -> Result<(), Error>) {
        self.step(name, || {
            let result = action();
            (Counts { passed: u32::from(result.is_ok()), failed: 0 }, result)
        });
    }

    /// A step that counts for itself. One that fails has at least one failure, whatever it counted:
    /// a test that does not compile is not counted by anyone.
    fn step(&mut self, name: &'static str, action: impl FnOnce() -> (Counts, Result<(), Error>)) {
        println!("\n=== {name}");
        let start = Instant::now();
        let (mut counts, result) = action();
        if let Err(error) = &result {
            counts.failed = counts.failed.max(1);
            println!("error: {error}");
        }
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("=== {name}: {verdict}, {}", seconds(start.elapsed()));
        self.steps.push((name, counts, start.elapsed()));
    }

    fn summary(&self) -> ExitCode {
        println!();
        let mut total = Counts::default();
        for (name, counts, time) in &self.steps {
            let verdict = if counts.failed == 0 { "ok" } else { "FAILED" };
            let Counts { passed, failed } = counts;
            println!(
                "{name:<28} {verdict:<8} {passed:>6} passed {failed:>4} failed {:>10}",
                seconds(*time)
            );
            total.passed += passed;
            total.failed += failed;
        }
        println!("{} passed, {} failed", total.passed, total.failed);
        if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_added_up() {
        let mut counts = Counts::default();
        counts.add_line("test result: ok. 14 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.06s");
        counts.add_line("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.06s");
        counts.add_line("test result_lines_are_added_up ... ok");
        assert_eq!(counts, Counts { passed: 17, failed: 2 });
    }

    #[test]
    fn a_step_that_fails_counts_even_if_no_test_ran() {
        let mut tally = Tally::default();
        tally.step("tests", || (Counts::default(), Err(Error::Other("did not compile".into()))));
        tally.check("format", || Ok(()));
        let counts: Vec<Counts> = tally.steps.iter().map(|(_, counts, _)| *counts).collect();
        assert_eq!(counts, [Counts { passed: 0, failed: 1 }, Counts { passed: 1, failed: 0 }]);
    }
}
