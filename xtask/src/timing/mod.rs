//! `cargo xtask timing`: area and clock rate of a module on ECP5.
//!
//! yosys (`synth_lattice -family ecp5 -noflatten -nowidelut`) and nextpnr-ecp5 for an LFE5U-85F,
//! package CABGA756, speed grade 6. `-noflatten` maps each distinct module once; `-nowidelut`
//! keeps LUT counts comparable. The module sits in a harness of registers ([`harness`]), whose
//! cells are not counted. LUT = LUT4 + 2 CCU2C + 6 DPR16X4.

mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use fpga_boards::report::{Cells, CriticalPath, TimedClock, Timing};
use mattock_toolbox::Toolbox;
use serde::Serialize;

use crate::error::Error;
use crate::process::{run_logged, workspace};
use crate::progress::{Progress, seconds};
use crate::verilog::{copy_verilog, module_name};

const DEVICE: [&str; 5] = ["--85k", "--package", "CABGA756", "--speed", "6"];

/// What to place and route.
#[derive(Args)]
pub(crate) struct Options {
    /// A folder of Verilog files
    #[arg(long)]
    dir: PathBuf,
    /// Its top module
    #[arg(long, value_parser = module_name)]
    top: String,
    /// Clock rate to ask for, in MHz
    #[arg(long, default_value_t = 200)]
    freq: u32,
    /// Seed of the placer
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// A clock input, may be repeated; default: inputs named clk, clk_* or *_clk
    #[arg(long)]
    clock: Vec<String>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// The result, also written to `target/timing/<top>/result.json`.
#[derive(Serialize)]
struct Outcome {
    top: String,
    device: String,
    asked_mhz: u32,
    seed: u32,
    lut: u64,
    lut4: u64,
    ccu2c: u64,
    dpr16x4: u64,
    ff: u64,
    dsp: u64,
    ebr: u64,
    /// Of the slowest clock.
    fmax_mhz: f64,
    clocks: Vec<Clock>,
    synthesis_seconds: f64,
    place_and_route_seconds: f64,
}

/// A clock, and whether the path that limits it says anything about the module.
#[derive(Serialize)]
struct Clock {
    #[serde(flatten)]
    clock: TimedClock,
    /// Neither end of the slowest path is in the module.
    in_harness: bool,
}

impl From<TimedClock> for Clock {
    fn from(clock: TimedClock) -> Self {
        let of_module = |pin: &str| pin.starts_with(&format!("{}.", harness::INSTANCE));
        let outside = |path: &CriticalPath| !of_module(&path.from) && !of_module(&path.to);
        Self { in_harness: clock.critical_path.as_ref().is_some_and(outside), clock }
    }
}

/// Runs the flow and prints a table, or one line of JSON.
pub(crate) fn timing(toolbox: &Toolbox, options: &Options) -> Result<(), Error> {
    let work = workspace().join("target/timing").join(&options.top);
    let mut files = copy_verilog(&options.dir, &work)?;

    let step = Progress::start(format!("timing: synthesis of {}", options.top));
    let start = Instant::now();
    let ports = ports(toolbox, &work, &options.top, &files)?;
    let text = harness::verilog(&options.top, &ports, &options.clock)
        .map_err(|error| Error::Other(format!("timing: {}: {error}", options.top)))?;
    let path = work.join(format!("{}.v", harness::NAME));
    fs::write(&path, text).map_err(Error::file(&path))?;
    files.push(format!("{}.v", harness::NAME));
    let cells = synthesise(toolbox, &work, &files)?;
    let synthesis = start.elapsed();
    step.done();

    let step = Progress::start(format!("timing: place and route of {}", options.top));
    let start = Instant::now();
    let clocks = place_and_route(toolbox, &work, options)?;
    let routing = start.elapsed();
    step.done();

    let count = |kind: &str| cells.count(|cell| cell == kind);
    let (lut4, ccu2c, dpr16x4) = (count("LUT4"), count("CCU2C"), count("TRELLIS_DPR16X4"));
    let outcome = Outcome {
        top: options.top.clone(),
        device: "LFE5U-85F CABGA756 speed grade 6".into(),
        asked_mhz: options.freq,
        seed: options.seed,
        lut: lut4 + 2 * ccu2c + 6 * dpr16x4,
        lut4,
        ccu2c,
        dpr16x4,
        ff: count("TRELLIS_FF"),
        dsp: count("MULT18X18D"),
        ebr: cells.count(|kind| matches!(kind, "DP16KD" | "PDPW16KD")),
        fmax_mhz: clocks.iter().map(|clock| clock.clock.fmax_mhz).fold(f64::INFINITY, f64::min),
        clocks,
        synthesis_seconds: synthesis.as_secs_f64(),
        place_and_route_seconds: routing.as_secs_f64(),
    };
    let json = serde_json::to_string(&outcome).map_err(|e| Error::format("timing result", e))?;
    let path = work.join("result.json");
    fs::write(&path, &json).map_err(Error::file(&path))?;
    if options.json {
        println!("{json}");
    } else {
        print(&outcome);
        println!(
            "synthesis {}, place and route {}; {}",
            seconds(synthesis),
            seconds(routing),
            path.display()
        );
    }
    Ok(())
}

fn ports(
    toolbox: &Toolbox,
    work: &Path,
    top: &str,
    files: &[String],
) -> Result<Vec<harness::Port>, Error> {
    // Without `-check`: cells of ECP5 have no module here.
    let script = format!(
        "read_verilog {}; hierarchy -top {top}; tee -q -o ports.txt portlist {top}",
        files.join(" ")
    );
    yosys(toolbox, work, &script, "ports.log")?;
    let path = work.join("ports.txt");
    let text = fs::read_to_string(&path).map_err(Error::file(&path))?;
    harness::parse_ports(&text).map_err(|line| Error::format(path.display().to_string(), line))
}

/// Maps the harness and returns the cells of the module inside it.
fn synthesise(toolbox: &Toolbox, work: &Path, files: &[String]) -> Result<Cells, Error> {
    let script = format!(
        "read_verilog {}; synth_lattice -family ecp5 -noflatten -nowidelut -top {}; flatten; \
         clean -purge; tee -o cells.json stat -json c:*{}.*; write_json netlist.json",
        files.join(" "),
        harness::NAME,
        harness::INSTANCE,
    );
    yosys(toolbox, work, &script, "synthesis.log")?;
    Ok(Cells::read(&work.join("cells.json"))?)
}

fn yosys(toolbox: &Toolbox, work: &Path, script: &str, log: &str) -> Result<(), Error> {
    let mut command = toolbox.yosys()?;
    run_logged(command.args(["-p", script]).current_dir(work), &work.join(log)).map(drop)
}

fn place_and_route(toolbox: &Toolbox, work: &Path, options: &Options) -> Result<Vec<Clock>, Error> {
    let mut command = toolbox.nextpnr_ecp5()?;
    command.current_dir(work).args(DEVICE);
    command.args(["--freq", &options.freq.to_string(), "--seed", &options.seed.to_string()]);
    // A missed clock rate is a result, not an error.
    command.args(["--timing-allow-fail", "--json", "netlist.json", "--report", "report.json"]);
    run_logged(&mut command, &work.join("nextpnr.log"))?;
    let timing = Timing::read(&work.join("report.json"))?;
    Ok(timing.clocks.into_iter().map(Clock::from).collect())
}

fn print(outcome: &Outcome) {
    let Outcome { lut, lut4, ccu2c, dpr16x4, ff, dsp, ebr, .. } = outcome;
    println!(
        "{} on {}, asked {} MHz, seed {}",
        outcome.top, outcome.device, outcome.asked_mhz, outcome.seed
    );
    println!("  LUT    {lut:>8}   = {lut4} LUT4 + 2 x {ccu2c} CCU2C + 6 x {dpr16x4} DPR16X4");
    println!("  FF     {ff:>8}");
    println!("  DSP    {dsp:>8}   MULT18X18D");
    println!("  EBR    {ebr:>8}   DP16KD");
    for Clock { clock, in_harness } in &outcome.clocks {
        println!("  Fmax   {:>8.1}   MHz, {}", clock.fmax_mhz, clock.name);
        let Some(path) = &clock.critical_path else { continue };
        println!("    from {}", path.from);
        println!("    to   {}", path.to);
        println!(
            "    {:.2} ns logic, {:.2} ns routing, by {}",
            path.logic_ns,
            path.routing_ns,
            path.nets.join(" > ")
        );
        if *in_harness {
            println!("    this path is in the harness: the module is faster than what is printed");
        }
    }
}
