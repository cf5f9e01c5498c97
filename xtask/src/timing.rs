//! `cargo xtask timing`: area and clock rate of a module on ECP5, as [`fpga_boards::measure`] finds them.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use fpga_boards::measure::{self, LogicPath, Mapping, StudiedClock, Study};
use mattock_toolbox::Toolbox;
use serde::Serialize;

use crate::error::Error;
use crate::process::workspace;
use crate::progress::{Progress, seconds};
use crate::verilog::{module_name, read_verilog};

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
    /// Only map, and list so many of the longest paths between registers, in LUT levels
    #[arg(long, value_name = "COUNT")]
    paths: Option<usize>,
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
    clocks: Vec<StudiedClock>,
    synthesis_seconds: f64,
    place_and_route_seconds: f64,
}

/// Runs the flow and prints a table, or one line of JSON.
pub(crate) fn timing(toolbox: &Toolbox, options: &Options) -> Result<(), Error> {
    let work = workspace().join("target/timing").join(&options.top);
    let files = read_verilog(&options.dir)?;

    let step = Progress::start(format!("timing: synthesis of {}", options.top));
    let start = Instant::now();
    let ports = measure::ports(toolbox, &options.top, &files, &work)?;
    let study = Study::new(Mapping::Ecp5, (&options.top, &ports), &files, &options.clock, &work)?;
    let cells = study.cells(toolbox, |_, _| ())?;
    let synthesis = start.elapsed();
    step.done();
    if let Some(count) = options.paths {
        return list_paths(&study.paths(count)?, options.json);
    }

    let step = Progress::start(format!("timing: place and route of {}", options.top));
    let start = Instant::now();
    let clocks = study.clocks(toolbox, (options.freq, options.seed), |_, _| ())?;
    let routing = start.elapsed();
    step.done();

    let count = |kind: &str| cells.count(|cell| cell == kind);
    let (lut4, ccu2c, dpr16x4) = (count("LUT4"), count("CCU2C"), count("TRELLIS_DPR16X4"));
    let outcome = Outcome {
        top: options.top.clone(),
        device: Mapping::Ecp5.part().into(),
        asked_mhz: options.freq,
        seed: options.seed,
        lut: lut4 + 2 * ccu2c + 6 * dpr16x4,
        lut4,
        ccu2c,
        dpr16x4,
        ff: count("TRELLIS_FF"),
        dsp: count("MULT18X18D"),
        ebr: cells.area().bram,
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

fn list_paths(paths: &[LogicPath], json: bool) -> Result<(), Error> {
    if json {
        let line = serde_json::to_string(paths).map_err(|e| Error::format("paths", e))?;
        println!("{line}");
    } else {
        paths.iter().for_each(|path| println!("{path}"));
    }
    Ok(())
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
    for StudiedClock { clock, in_harness } in &outcome.clocks {
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
