//! The committed layers from memory on `bench16`, in Verilator: `cargo xtask bench layers [LATENCY [LIST ...]]`.
//!
//! Every product is compared element by element. `of bound` is the measured cycles over
//! `1.03 * max(compute, bytes / bus) + 4 * latency`; the last two columns are the plan's errors.

use mattock::ContextOptions;
use mattock_spec::CardConfig;
use mattock_testbench::layers::{LISTS, Layer, list, run};
use mattock_testbench::sim::{SimOptions, SimulatorKind, open_device};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let latency = arguments.iter().find_map(|a| a.parse().ok()).unwrap_or(100);
    let lists: Vec<&str> = LISTS.into_iter().filter(|l| arguments.iter().any(|a| a == l)).collect();
    let lists = if lists.is_empty() { LISTS.to_vec() } else { lists };
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let mut options = SimOptions::new(SimulatorKind::Verilator, cache);
    (options.memory.bytes, options.memory.latency) = (128 << 20, latency);
    let card = CardConfig::reference("bench16").map_err(|e| e.to_string());
    let card = card.and_then(|c| open_device(&c, &options).map_err(|e| e.to_string()));
    let card = card.and_then(|d| d.context(ContextOptions::default()).map_err(|e| e.to_string()));
    let card = match card {
        Ok(card) => card,
        Err(error) => {
            eprintln!("bench layers: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!(
        "| layer | M, N, K | weights | cycles | of bound | bytes | cycles foretold | bytes foretold |"
    );
    println!("|---|---|---|--:|--:|--:|--:|--:|");
    let named = [[512; 3], [1024, 64, 1024], [64, 1024, 4096]].map(Layer::plain);
    let mut good = true;
    for layer in named.into_iter().chain(lists.into_iter().flat_map(list)) {
        let [m, n, k] = layer.shape;
        let (name, weights) = (&layer.name, if layer.int4_weights { "i4" } else { "i8" });
        match run(&card, &layer, latency, 1) {
            Ok(measured) => {
                let [cycles, bytes] = measured.errors().map(|e| 100.0 * e);
                let part = measured.cycles as f64 / measured.allowed as f64;
                println!(
                    "| {name} | {m}, {n}, {k} | {weights} | {} | {part:.3} | {} | {cycles:+.1} % | {bytes:+.1} % |",
                    measured.cycles, measured.bytes
                );
                good &= part <= 1.0 && cycles.abs() <= 3.0 && bytes.abs() <= 3.0;
            }
            Err(error) => {
                println!("| {name} | {m}, {n}, {k} | {error} |");
                good = false;
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
