//! The `mattock` program: the only place that joins hardware, simulation and driver.
//!
//! Each command is one module of its name. All of them take `--json` (one object on one line of
//! standard output, with stable keys) and `-q`, say what takes longer than two seconds, fail with a
//! [`Failure`](error::Failure), and exit with 0 only when the result is right.

mod arguments;
mod batch;
mod bench;
mod bind;
mod board;
mod boards;
mod card;
mod check;
mod completions;
mod demo;
mod design;
mod doctor;
mod doctor_pci;
mod epilogue;
mod error;
mod estimate;
mod explore;
mod export;
mod files;
mod gemm;
mod r#gen;
mod graph;
mod live;
mod matrix_file;
mod new;
mod output;
mod plan;
mod program;
mod progress;
mod quantize;
mod quantized;
mod regs;
mod report;
mod selftest;
mod serve;
mod serve_pty;
mod session;
mod sim;
mod simulation;
mod sparse;
mod spgemm;
mod synth;
mod synthetic;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::error::Failure;
use crate::output::Output;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let arguments = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(error) => {
            let Some(failure) = usage::failure(&error) else {
                // Help and version; or help for want of a command, which is a mistake.
                let _ = error.print();
                return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
            };
            // The command line is not understood, so this is only as good a guess as it can be.
            return fail(&failure, words.iter().any(|word| word == "--json"));
        }
    };
    let output = Output { json: arguments.json, quiet: arguments.quiet };
    match run(arguments.command, output) {
        Ok(code) => code,
        Err(failure) => fail(&failure, output.json),
    }
}

fn run(command: Command, output: Output) -> Result<ExitCode, Failure> {
    match command {
        Command::New(options) => new::run(&options, output)?,
        Command::Check(options) => check::run(&options, output)?,
        Command::Gen(options) => r#gen::run(&options, output)?,
        Command::Sim(options) => return sim::run(&options, output),
        Command::Gemm(options) => return gemm::run(&options, output),
        Command::Sparse(options) => return sparse::run(&options, output),
        Command::Spgemm(options) => return spgemm::run(&options, output),
        Command::Graph(options) => return graph::run(&options, output),
        Command::Bench(options) => return bench::run(&options, output),
        Command::Synth(options) => synth::run(&options, output)?,
        Command::Explore(options) => return explore::run(&options, output),
        Command::Report(options) => return report::run(&options, output),
        Command::Boards(options) => boards::run(&options, output)?,
        Command::Program(options) => program::run(&options, output)?,
        Command::Quantize(options) => quantize::run(&options, output)?,
        Command::Export(options) => export::run(&options, output)?,
        Command::Demo(options) => return demo::run(&options, output),
        Command::Selftest(options) => return selftest::run(&options, output),
        Command::Serve(options) => serve::run(&options, output)?,
        Command::Bind(options) => bind::run(&options, true, output)?,
        Command::Unbind(options) => bind::run(&options, false, output)?,
        Command::Doctor(options) => return doctor::run(&options, output),
        Command::Regs(options) => regs::run(&options, output)?,
        Command::Completions(options) => completions::run(&options, output),
    }
    Ok(ExitCode::SUCCESS)
}

fn fail(failure: &Failure, json: bool) -> ExitCode {
    if json {
        output::print(&(failure.json() + "\n"));
    } else {
        eprintln!("{}", failure.text());
    }
    ExitCode::from(failure.exit_code())
}
