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
    let cards = [("small", commands.div_ceil(2)), ("small_riscv", commands / 2)];
    // Side by side, each on a thread of its own.
    let runs = cards.map(|(name, share)| {
        let options = options.clone();
        std::thread::spawn(move || {
            let config = CardConfig::reference(name).map_err(|e| e.to_string())?;
            let progress = |done| {
                if done % 500 == 0 {
                    eprintln!("{name}: {done} of {share} commands");
                }
            };
            let report = soak(&config, &options, share, seed, progress);
            let report = report.map_err(|e| e.to_string())?;
            println!("{name}, seed {seed}: {report}");
            Ok::<bool, String>(report.is_good())
        })
    });
    let mut good = true;
    for ((name, _), run) in cards.iter().zip(runs) {
        let result = run.join().unwrap_or_else(|_| Err("the run panicked".into()));
        good &= result.unwrap_or_else(|error| {
            println!("{name}: {error}");
            false
        });
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
