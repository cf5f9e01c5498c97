//! How fast a simulated card runs: `cargo run --release -p mattock-testbench --example card_speed -- CONFIG interpreter|verilator`
//!
//! Prints clock cycles per second of wall time, idle and in a dense product.

use mattock::dense::{Elements, GemmCall, Operand, Order};
use mattock::{Card, Error, transport::Transport};
use mattock_spec::CardConfig;
use mattock_testbench::sim::{SimCard, SimOptions, SimulatorKind};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "bench16".into());
    let kind = match args.next().as_deref() {
        Some("interpreter") => SimulatorKind::Interpreter,
        _ => SimulatorKind::Verilator,
    };
    let options = SimOptions::new(kind, "target/verilated");
    let mut card = SimCard::open(&CardConfig::reference(&name)?, &options)?;
    let idle = 20_000;
    let start = Instant::now();
    card.run(idle)?;
    let rate = idle as f64 / start.elapsed().as_secs_f64();
    println!("{name}, {}: {rate:.0} cycles/s idle", kind.name());

    let at = card.description();
    let mut card = Card::open_with(Box::new(card))?;
    let n = 128;
    let ones = vec![1i8; n * n];
    let view = Operand { elements: Elements::I8(&ones), order: Order::Row, ld: n };
    let call = GemmCall { m: n, n, k: n, a: view, b: view, order: Order::Row, resident: true };
    let start = Instant::now();
    let (_, stats) = match card.gemm(&call) {
        // Smaller cards hold no operands of this size.
        Err(Error::OutOfMemory { .. }) => card.gemm(&GemmCall { resident: false, ..call })?,
        result => result?,
    };
    let rate = stats.cycles as f64 / start.elapsed().as_secs_f64();
    let peak = card.capabilities().gemm.map_or(0, |g| u64::from(g.rows * g.cols));
    let utilization = stats.macs as f64 / (peak * stats.compute_cycles) as f64;
    println!("{at}: {rate:.0} cycles/s in 128x128x128, {stats:?}, utilization {utilization:.4}");
    Ok(())
}
