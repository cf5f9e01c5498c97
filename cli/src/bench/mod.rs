//! `mattock bench`: measured tables of what this generator makes.

mod area;
mod cost;
mod mapped;
mod pe;
mod product;
mod quantize;
mod spgemm;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::error::Failure;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Cycles and area of every array and PE that go together
    Pe(pe::Options),
    /// Area and clock of the designs with a goal, and whether it is met
    Area(area::Options),
    /// Area and clock foretold without tools, beside what they measured
    Cost(cost::Options),
    /// Sparse products on variants of a card, in the cycle model or in Verilator
    Spgemm(spgemm::Options),
    /// Digits read with weights quantised in every way, products on cards
    Quantize(quantize::Options),
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    match &options.what {
        What::Pe(options) => pe::run(options, output),
        What::Area(options) => area::run(options, output),
        What::Cost(options) => cost::run(options, output).map(|()| ExitCode::SUCCESS),
        What::Spgemm(options) => spgemm::run(options, output),
        What::Quantize(options) => quantize::run(options, output),
    }
}
