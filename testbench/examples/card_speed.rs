//! How fast a simulated card runs: `cargo run --release -p mattock-testbench --example card_speed -- CONFIG interpreter|verilator`
//!
//! Prints clock cycles per second of wall time, idle and in a dense product.

use mattock::{ContextOptions, Error, GemmOptions, View, ViewMut};
use mattock_spec::CardConfig;
use mattock_testbench::sim::{SimCard, SimOptions, SimulatorKind, open_device};
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

    let device = open_device(&CardConfig::reference(&name)?, &options)?;
    let card = device.context(ContextOptions::default())?;
    let n = 128;
    let (ones, mut c) = (vec![1i8; n * n], vec![0i32; n * n]);
    let mut multiply = |resident| {
        let options = GemmOptions { resident, ..GemmOptions::default() };
        let (view, to) = (View::<i8>::rows(&ones, n, n)?, ViewMut::<i32>::rows(&mut c, n, n)?);
        card.gemm(&options, 1, view, view, 0, to)?.wait()
    };
    let start = Instant::now();
    let stats = match multiply(true) {
        // Smaller cards hold no operands of this size.
        Err(Error::OutOfMemory { .. }) => multiply(false)?,
        result => result?,
    };
    let rate = stats.cycles as f64 / start.elapsed().as_secs_f64();
    let peak = card.capabilities().gemm.map_or(0, |g| u64::from(g.rows * g.cols));
    let utilization = stats.macs as f64 / (peak * stats.compute_cycles) as f64;
    println!(
        "{}: {rate:.0} cycles/s in 128x128x128, {stats:?}, utilization {utilization:.4}",
        device.description()
    );
    Ok(())
}
