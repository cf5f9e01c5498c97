//! Chores of the workspace, run as `cargo xtask <command>`.
//!
//! On a machine with Rust, Python 3 and a C++ compiler two commands are enough:
//! `cargo xtask demo` and `cargo xtask test`. Both set up what they need first.

mod bench;
mod demo;
mod error;
mod firmware;
mod generated;
mod guest;
mod lint;
mod metadata;
mod process;
mod progress;
mod setup;
mod test;
mod timing;
mod verilog;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mattock_toolbox::{Job, Toolbox};

use crate::error::Error;

/// Chores of the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Find or install the outside tools (quick and silent when they are there)
    Setup,
    /// Set up, then run both engines on real data and check every result
    Demo {
        /// Arguments handed to `mattock demo`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Set up, then run every test and check, or the long form of one suite
    Test {
        /// The suite whose long form is run instead
        suite: Option<test::Suite>,
    },
    /// Run one benchmark by name, or list them
    Bench {
        /// Name of a bench target of the workspace
        name: Option<String>,
        /// Arguments handed to the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Regenerate the committed generated files and fail if one was stale
    Generated,
    /// Build the program of cards' own processor, or compare it with the committed image
    Firmware(firmware::Options),
    /// Read generated Verilog with Verilator, Icarus and yosys
    Lint(lint::Options),
    /// Area and clock rate of a Verilog module on ECP5, by yosys and nextpnr
    Timing(timing::Options),
}

fn main() -> ExitCode {
    let toolbox = Toolbox::open();
    match run(&toolbox, Arguments::parse().chore) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(toolbox: &Toolbox, chore: Chore) -> Result<ExitCode, Error> {
    match chore {
        Chore::Setup => setup::setup(toolbox, setup::ALL_JOBS)?,
        Chore::Demo { arguments } => {
            setup::setup(toolbox, &[Job::Build, Job::Simulate])?;
            demo::demo(toolbox, &arguments)?;
        }
        Chore::Test { suite: None } => {
            setup::setup(toolbox, setup::TEST_JOBS)?;
            return test::test(toolbox);
        }
        Chore::Test { suite: Some(suite) } => {
            setup::setup(toolbox, &[Job::Build, Job::Test])?;
            test::suite(toolbox, suite)?;
        }
        Chore::Bench { name, arguments } => {
            setup::setup(toolbox, &[Job::Build, Job::Simulate])?;
            bench::bench(toolbox, name.as_deref(), &arguments)?;
        }
        Chore::Generated => generated::check()?,
        Chore::Firmware(options) => firmware::firmware(&options)?,
        Chore::Lint(options) => {
            setup::setup(toolbox, &[Job::Lint])?;
            lint::lint(toolbox, &options)?;
        }
        Chore::Timing(options) => {
            setup::setup(toolbox, &[Job::Timing])?;
            timing::timing(toolbox, &options)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn help_text() {
        let mut command = Arguments::command().term_width(100);
        insta::assert_snapshot!(command.render_long_help());
    }

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
