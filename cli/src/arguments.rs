//! What can be typed.

use clap::{Parser, Subcommand};

use crate::{
    bench, bind, boards, check, completions, demo, doctor, explore, export, gemm, r#gen, graph,
    new, program, quantize, regs, report, selftest, serve, sim, sparse, spgemm, synth,
};

/// Generate, simulate and drive Mattock matrix cards.
#[derive(Debug, Parser)]
#[command(name = "mattock", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Print one JSON object on one line
    #[arg(long, global = true, display_order = 100)]
    pub(crate) json: bool,
    /// Print nothing but what was asked for
    #[arg(short, long, global = true, display_order = 101)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented card configuration to begin with
    New(new::Options),
    /// Check a card configuration and say what the card would be
    Check(check::Options),
    /// Generate the Verilog of a card
    Gen(r#gen::Options),
    /// Simulate a card and check its registers
    Sim(sim::Options),
    /// Multiply random dense matrices on a card and check the result
    Gemm(gemm::Options),
    /// Quantise NumPy weights for products on a card
    Quantize(quantize::Options),
    /// Multiply sparse matrices from files on a card and check the result
    Spgemm(spgemm::Options),
    /// Add, multiply and sample sparse matrices on a card and check the result
    Sparse(sparse::Options),
    /// Run graph algorithms on a card as sparse products and check the answers
    Graph(graph::Options),
    /// Measure what this generator makes, side by side
    Bench(bench::Options),
    /// Make a card's bitstream for a board
    Synth(synth::Options),
    /// Find the best card of a board for a workload, by estimates
    Explore(explore::Options),
    /// Write one page about a card: blocks, roofline, area, timing, traffic, waveform
    Report(report::Options),
    /// List the boards, or show one
    Boards(boards::Options),
    /// Get a bitstream onto a board
    Program(program::Options),
    /// Package a card for FuseSoC, IP-XACT or Vivado
    Export(export::Options),
    /// Test a card and the way to it, piece by piece
    Selftest(selftest::Options),
    /// Make a simulated card a PCI device of other processes
    Serve(serve::Options),
    /// Give a PCI card to user space (as root)
    Bind(bind::Options),
    /// Give a PCI card back to its driver (as root)
    Unbind(bind::Options),
    /// Run both engines on real data and check every result
    Demo(demo::Options),
    /// List the outside tools, or with `pci` look at every link to a PCI card
    Doctor(doctor::Options),
    /// Print the register manual, the C header or the register table
    Regs(regs::Options),
    /// Print a completion script for a shell
    Completions(completions::Options),
}

/// Reads a whole number that a `T` holds; what is allowed is told with the limits of `T`.
pub(crate) fn whole<T: TryFrom<u64> + Bounded>(text: &str) -> Result<T, String> {
    let number = text.parse::<u64>().ok().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("a whole number from 0 to {}", T::MOST))
}

/// An unsigned integer type with its largest value.
pub(crate) trait Bounded {
    /// The largest value.
    const MOST: u64;
}

impl Bounded for u32 {
    const MOST: u64 = u32::MAX as u64;
}

impl Bounded for u64 {
    const MOST: u64 = u64::MAX;
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
