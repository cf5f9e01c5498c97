//! From a configuration to a simulated card.

use super::verilated::{VerilateError, Verilated};
use super::{MemoryOptions, SdramChip, SimCard, ThreadedCard, WithSdram};
use mattock::Device;
use mattock_hw::top::CardError;
use mattock_spec::CardConfig;
use rtl_gen::Interpreter;
use rtl_gen::sim::Simulator;
use std::path::PathBuf;
use verilator_rs::{ToolError, Toolchain};

/// What runs the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SimulatorKind {
    /// rtl-gen's interpreter: starts at once.
    Interpreter,
    /// Verilator: compiles first, then runs many times faster.
    Verilator,
}

impl SimulatorKind {
    /// Lower-case name, as in reports.
    pub const fn name(self) -> &'static str {
        match self {
            SimulatorKind::Interpreter => "interpreter",
            SimulatorKind::Verilator => "verilator",
        }
    }
}

/// Why a card cannot be simulated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The card cannot be generated.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The interpreter cannot run it.
    #[error(transparent)]
    Interpreter(#[from] rtl_gen::sim::SimError),
    /// Verilator or a compiler is missing.
    #[error(transparent)]
    Tools(#[from] ToolError),
    /// Verilator cannot build it.
    #[error(transparent)]
    Verilate(#[from] VerilateError),
    /// There is no thread for it.
    #[error("no thread for the simulation: {0}")]
    Thread(std::io::Error),
    /// The driver refuses it.
    #[error(transparent)]
    Driver(#[from] mattock::Error),
}

/// How to simulate a card.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// What runs the design.
    pub simulator: SimulatorKind,
    /// Its memory.
    pub memory: MemoryOptions,
    /// Folder of compiled models; kept between runs.
    pub cache: PathBuf,
    /// The tools; searched for when `None`.
    pub tools: Option<Toolchain>,
}

impl SimOptions {
    /// Simulation by `simulator` with the default memory, models kept in `cache`.
    pub fn new(simulator: SimulatorKind, cache: impl Into<PathBuf>) -> Self {
        let memory = MemoryOptions::default();
        SimOptions { simulator, memory, cache: cache.into(), tools: None }
    }
}

/// Simulates the card of a configuration and opens it.
///
/// # Errors
/// [`OpenError`].
pub fn open_device(config: &CardConfig, options: &SimOptions) -> Result<Device, OpenError> {
    let (config, options) = (config.clone(), options.clone());
    let card = ThreadedCard::spawn(move || SimCard::open(&config, &options))?;
    Ok(Device::open_with(Box::new(card))?)
}

/// The simulation of a card with the chips that stand beside it on a board.
pub fn with_chips(config: &CardConfig, sim: Box<dyn Simulator>) -> Box<dyn Simulator> {
    match config.sdram {
        Some(chip) => Box::new(WithSdram::new(sim, SdramChip::new(chip, config.clock_mhz))),
        None => sim,
    }
}

impl SimCard {
    /// Generates the card of a configuration and starts it; its address is `sim:<name>`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(config: &CardConfig, options: &SimOptions) -> Result<SimCard, OpenError> {
        let design = mattock_hw::bench_card(config)?;
        let sim: Box<dyn Simulator> = match options.simulator {
            SimulatorKind::Interpreter => Box::new(Interpreter::new(&design)?),
            SimulatorKind::Verilator => {
                let tools = match &options.tools {
                    Some(tools) => tools.clone(),
                    None => Toolchain::find()?,
                };
                Box::new(Verilated::new(&design, &tools, &options.cache)?)
            }
        };
        let sim = with_chips(config, sim);
        Ok(SimCard::new(sim, &format!("sim:{}", config.name), &options.memory))
    }
}
