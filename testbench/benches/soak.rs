//! Random commands with random faults on cards in Verilator: `cargo xtask bench soak [COMMANDS] [SEED]` (10,000 by
//! default, half of them on a card whose command logic runs on its own processor).

use mattock_spec::CardConfig;
use mattock_testbench::sim::{SimOptions, SimulatorKind};
use mattock_testbench::soak::soak;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).filter_map(|a| a.parse().ok());
    let (commands, seed) = (numbers.next().unwrap_or(10_000u64), numbers.next().unwrap_or(2026));
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let options = SimOptions::new(SimulatorKind::Verilator, cache);
    let mut good = true;
    for (name, share) in [("small", commands.div_ceil(2)), ("small_riscv", commands / 2)] {
        let Ok(config) = CardConfig::reference(name) else { return ExitCode::FAILURE };
        let progress = |done| {
            if done % 500 == 0 {
                eprintln!("{name}: {done} of {share} commands");
            }
        };
        match soak(&config, &options, share, seed, progress) {
            Ok(report) => {
                println!("{name}, seed {seed}: {report}");
                good &= report.is_good();
            }
            Err(error) => {
                println!("{name}: {error}");
                good = false;
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
