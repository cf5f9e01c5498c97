//! `cargo xtask lint`: other people's tools read our generated Verilog.
//!
//! Verilator (each version of the machine) with every warning on, Icarus as Verilog-2005, and
//! yosys: no warning that `xtask/lint-waivers.toml` does not name, no latch, no implicit net,
//! something left after synthesis, and the expected number of DSP and RAM blocks. Yosys matters:
//! it reduced a wrong array to nothing that the other two accepted.

mod designs;
mod simulators;
mod waivers;
mod yosys;

use std::path::{PathBuf, absolute};

use clap::Args;
use mattock_toolbox::Toolbox;

use crate::error::Error;
use crate::generated::run_words;
use crate::process::workspace;
use crate::progress::Progress;
use crate::verilog::{copy_verilog, module_name};
use designs::Design;
use waivers::Waivers;

/// What to read. Without a folder: every row of `xtask/lint-designs.toml`.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// A folder of Verilog files
    #[arg(long, requires = "top")]
    dir: Option<PathBuf>,
    /// Its top module
    #[arg(long, requires = "dir", value_parser = module_name)]
    top: Option<String>,
    /// Number of DSP blocks (MULT18X18D) that yosys must infer
    #[arg(long, requires = "dir")]
    dsp: Option<u64>,
    /// Number of block RAMs (DP16KD) that yosys must infer
    #[arg(long, requires = "dir")]
    ram: Option<u64>,
}

/// One complaint of a tool.
#[derive(Clone, Debug, PartialEq)]
struct Finding {
    tool: &'static str,
    /// The tool's name of the rule, where it has one.
    rule: String,
    /// `file:line` or as much of it as the tool says.
    place: String,
    message: String,
}

/// Lints the chosen designs and prints every finding that is not waived.
pub(crate) fn lint(toolbox: &Toolbox, options: &Options) -> Result<(), Error> {
    let mut waivers = Waivers::read(&workspace().join("xtask/lint-waivers.toml"))?;
    let (designs, all) = match (&options.dir, &options.top) {
        (Some(dir), Some(top)) => {
            // As typed: relative to where the command was typed.
            let dir = absolute(dir).map_err(Error::file(dir))?;
            let design =
                Design { dir, make: None, top: top.clone(), dsp: options.dsp, ram: options.ram };
            (vec![design], false)
        }
        _ => (designs::read(&workspace())?, true),
    };
    let mut failures = 0;
    for design in &designs {
        let step = Progress::start(format!("lint: {} ({})", design.dir.display(), design.top));
        let findings = read_design(toolbox, design)?;
        step.done();
        for finding in findings.iter().filter(|finding| !waivers.waive(finding)) {
            println!("{finding}");
            failures += 1;
        }
    }
    // A folder given by hand need not meet every waiver.
    for unused in waivers.unused().filter(|_| all) {
        println!("xtask/lint-waivers.toml: this row matches nothing: {unused}");
        failures += 1;
    }
    println!("{} design(s) read, {failures} problem(s)", designs.len());
    if failures == 0 {
        Ok(())
    } else {
        Err(Error::Other(format!("lint: {failures} problem(s), listed above")))
    }
}

fn read_design(toolbox: &Toolbox, design: &Design) -> Result<Vec<Finding>, Error> {
    if let Some(command) = &design.make {
        run_words(&workspace(), command)?;
    }
    let work = workspace().join("target/lint").join(&design.top);
    let files = copy_verilog(&workspace().join(&design.dir), &work)?;
    let mut findings = simulators::verilator(toolbox, &work, &design.top, &files)?;
    findings.extend(simulators::icarus(toolbox, &work, &design.top, &files)?);
    findings.extend(yosys::read(toolbox, &work, design, &files)?);
    Ok(findings)
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tool, rule, place, message } = self;
        let rule = if rule.is_empty() { String::new() } else { format!(" {rule}") };
        write!(f, "{place}: {tool}{rule}: {message}")
    }
}
