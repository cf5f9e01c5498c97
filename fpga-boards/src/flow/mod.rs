//! Tool flows, one file per toolchain: what the tools read, and the programs to run.

pub(crate) mod ecp5;
mod gowin;
mod ice40;

use crate::error::BoardError;
use crate::top::{TOP, Top, top};
use crate::{Board, Design, Toolchain, UartClock};

/// Choices of a build.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Seed of the placer.
    pub seed: u32,
}

/// Everything a toolchain needs: a folder of files, and the programs to run in it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Verilog, constraints and scripts, by name.
    pub files: Vec<(String, String)>,
    /// The programs, in order.
    pub steps: Vec<Step>,
    /// The netlist that synthesis leaves, for counting.
    pub netlist: &'static str,
    /// The report that place and route leaves.
    pub report: &'static str,
    /// The bitstream the last step leaves, under a name that does not look like one.
    pub bitstream: &'static str,
    /// How the names of such bitstreams end.
    pub extension: &'static str,
    /// Rate the design must reach, which is the rate its clock has on the board.
    pub clock_mhz: f64,
    /// Rate of the oscillator, for clocks that are it.
    pub oscillator_mhz: f64,
    /// What divides the clock to the serial rate.
    pub uart: UartClock,
}

/// One program to run.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does, for a person.
    pub what: &'static str,
    /// Name of the tool in the toolbox.
    pub tool: &'static str,
    /// Its arguments.
    pub args: Vec<String>,
    /// Files it reads.
    pub reads: Vec<String>,
    /// Files it leaves.
    pub writes: Vec<&'static str>,
}

/// The plan for a board with an open flow.
///
/// # Errors
/// The board has another flow, or the design does not go with the board.
pub fn plan(board: &Board, design: &Design, options: Options) -> Result<Plan, BoardError> {
    let flow = match board.fpga.toolchain {
        Toolchain::Ecp5 => ecp5::FLOW,
        Toolchain::Ice40 => ice40::FLOW,
        Toolchain::Gowin => gowin::FLOW,
        other => return Err(BoardError::Flow { board: board.id, tools: other.name() }),
    };
    let top = top(board, design)?;
    let mut files = design.files.clone();
    files.push((format!("{TOP}.v"), top.verilog.clone()));
    let verilog: Vec<String> = files
        .iter()
        .filter(|(name, _)| name.ends_with(".v"))
        .map(|(name, _)| name.clone())
        .collect();
    files.extend((flow.constraints)(board, &top));
    let steps = vec![
        yosys("synthesis", (flow.synthesis)(board, &verilog.join(" ")), verilog, vec![NETLIST]),
        (flow.place_and_route)(board, &top, options),
        (flow.pack)(board),
    ];
    Ok(Plan {
        files,
        steps,
        netlist: NETLIST,
        report: REPORT,
        bitstream: BITSTREAM,
        extension: flow.extension,
        clock_mhz: top.clock_mhz,
        oscillator_mhz: top.oscillator_mhz,
        uart: top.uart,
    })
}

/// A run of yosys. A net it finds with two drivers is an error: our modules have none, so a pass of its own made the second, and
/// one of the two is about to be dropped.
pub(crate) fn yosys(
    what: &'static str,
    script: String,
    reads: Vec<String>,
    writes: Vec<&'static str>,
) -> Step {
    let args = ["-e", "Driver-driver conflict", "-p", &script].map(String::from).to_vec();
    Step { what, tool: "yosys", args, reads, writes }
}

const NETLIST: &str = "netlist.json";
const REPORT: &str = "report.json";
const BITSTREAM: &str = "board.part";

/// What differs from toolchain to toolchain.
struct Flow {
    /// The yosys script for the files named.
    synthesis: fn(&Board, &str) -> String,
    /// Constraint files.
    constraints: fn(&Board, &Top) -> Vec<(String, String)>,
    place_and_route: fn(&Board, &Top, Options) -> Step,
    pack: fn(&Board) -> Step,
    /// How the names of its bitstreams end.
    extension: &'static str,
}

/// Arguments every nextpnr takes. A missed clock is judged by its report, which it else would not write.
fn nextpnr_arguments(top: &Top, options: Options) -> Vec<String> {
    let frequency = format!("{:.4}", top.clock_mhz);
    let seed = options.seed.max(1).to_string();
    let words = ["--json", NETLIST, "--report", REPORT, "--freq", &frequency, "--seed", &seed];
    words.iter().chain(&["--timing-allow-fail"]).map(|word| (*word).to_owned()).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The die of a board with an open flow; a test of the boards makes sure it is there.
fn die(board: &Board) -> &str {
    board.fpga.die.as_deref().unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;
