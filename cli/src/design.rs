//! From a chosen card to its hardware.

use mattock_testbench::sim::foreign_sources;
use rtl_gen::{Design, VerilogFile};

use crate::card::Chosen;
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;
use mattock_hw::top::CardError;
use mattock_spec::CardConfig;

/// Builds and checks the card's design.
///
/// # Errors
/// The configuration asks for what this version does not build.
pub(crate) fn elaborate(chosen: &Chosen, output: Output) -> Result<Design, Failure> {
    built(chosen, output, mattock_hw::card)
}

/// As [`elaborate`], with the host port that simulations use: bytes instead of bits at a serial port.
///
/// # Errors
/// As [`elaborate`].
pub(crate) fn elaborate_bench(chosen: &Chosen, output: Output) -> Result<Design, Failure> {
    built(chosen, output, mattock_hw::bench_card)
}

/// Verilog files of modules that are not ours, such as the processor of a card with `control = "riscv"`.
///
/// # Errors
/// The package they come in is not installed.
pub(crate) fn foreign(asked: &str, design: &Design) -> Result<Vec<VerilogFile>, Failure> {
    foreign_sources(design)
        .map_err(|error| Failure::new(asked, error).next("run `cargo xtask setup`"))
}

fn built(
    chosen: &Chosen,
    output: Output,
    build: fn(&CardConfig) -> Result<Design, CardError>,
) -> Result<Design, Failure> {
    let _progress = Progress::start(output, format!("elaborating {}", chosen.origin));
    build(&chosen.config).map_err(|error| match error {
        CardError::Config(error) => Failure::config(&error, &chosen.origin, ""),
        other => {
            Failure::new("card", other).next("choose another card, or change its configuration")
        }
    })
}
