//! `mattock serve --pty`: a simulated serial card behind a pseudo-terminal, its line bit by bit.
//!
//! ```text
//! $ mattock serve --config tiny --pty &
//! $ mattock gemm --card uart:/dev/pts/3
//! ```

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mattock_spec::config::UartConfig;
use mattock_spec::serial::MIN_CLOCKS_PER_BIT;
use mattock_testbench::sim::PtyCard;
use serde::Serialize;

use crate::card::Chosen;
use crate::design::elaborate;
use crate::error::Failure;
use crate::output::Output;
use crate::simulation::{SimulatorKind, card_simulator};

/// What `--json` prints when programs may open the terminal; the keys are stable.
#[derive(Serialize)]
struct Report {
    config: String,
    card: String,
    clocks_per_bit: u32,
    simulator: &'static str,
}

/// Serves until interrupted. Whatever rate the card is for, its bits are as short as they may be: 8 clocks.
///
/// # Errors
/// The card has no serial port, cannot be simulated, or there is no pseudo-terminal to be had.
pub(crate) fn run(
    chosen: &Chosen,
    kind: SimulatorKind,
    trace: Option<&Path>,
    output: Output,
) -> Result<(), Failure> {
    let mut fast = chosen.clone();
    if fast.config.uart.is_none() {
        let value = format!("{:?}, a card without a serial port", chosen.origin);
        return Err(Failure::argument("serve", "--config", value)
            .allowed("a card with `host = \"uart\"`, such as tiny")
            .next("leave `--pty` out, or choose another card"));
    }
    let clocks_per_bit = MIN_CLOCKS_PER_BIT.max(chosen.config.clock_mhz.div_ceil(25));
    let baud = chosen.config.clock_mhz * 1_000_000 / clocks_per_bit;
    fast.config.uart = Some(UartConfig { baud });
    let design = elaborate(&fast, output)?;
    let model = card_simulator(chosen, &design, kind, trace, output)?;
    let failed = |error: &dyn std::fmt::Display| Failure::new("serve", error);
    let mut card = PtyCard::new(model, clocks_per_bit.into()).map_err(|error| failed(&error))?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopper = stop.clone();
    // So that waveforms are whole.
    ctrlc::set_handler(move || stopper.store(true, Ordering::Relaxed))
        .map_err(|error| failed(&error))?;
    let report = Report {
        config: chosen.origin.clone(),
        card: format!("uart:{}", card.path()),
        clocks_per_bit,
        simulator: kind.name(),
    };
    output.result(&report, || {
        format!("sim:{} ({}) is at {}\n", report.config, report.simulator, report.card)
    });
    card.run(&stop, &AtomicU64::new(0)).map_err(|error| failed(&error))
}
