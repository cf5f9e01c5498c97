//! Vivado constraints.

use crate::Pcie;
use crate::error::BoardError;
use crate::top::Top;

/// Pins and clock of a board with a serial port.
pub(super) fn serial(top: &Top) -> String {
    let mut text = String::new();
    for placed in &top.pins {
        if let Some(name) = &placed.pin {
            text += &pin(&placed.port, name, Some(&placed.io));
        }
    }
    text + &clock(&top.clock_port, top.oscillator_mhz)
}

/// Pins and reference clock of a PCIe connector, as `build.tcl` names the ports of its block design.
pub(super) fn pcie(board: &'static str, pcie: &Pcie) -> Result<String, BoardError> {
    let io = pcie.perst_io.as_ref();
    let io = io.ok_or(BoardError::Lacks { board, what: "I/O standard of the PCIe reset" })?;
    let mut text = pin("perst_n", &pcie.perst_n, Some(io));
    text +=
        "set_property PULLUP true [get_ports perst_n]\nset_false_path -from [get_ports perst_n]\n";
    text += &pin("refclk_clk_p[0]", &pcie.refclk_p, None);
    text += &pin("refclk_clk_n[0]", &pcie.refclk_n, None);
    text += &clock("refclk_clk_p[0]", pcie.refclk_mhz);
    for (port, pins) in
        [("rxp", &pcie.rx_p), ("rxn", &pcie.rx_n), ("txp", &pcie.tx_p), ("txn", &pcie.tx_n)]
    {
        for (lane, name) in pins.iter().enumerate() {
            text += &pin(&format!("pcie_{port}[{lane}]"), name, None);
        }
    }
    Ok(text)
}

/// Serial transceivers have a place but no I/O standard.
fn pin(port: &str, pin: &str, io: Option<&String>) -> String {
    let io = io.map_or(String::new(), |io| format!(" IOSTANDARD {io}"));
    format!("set_property -dict {{PACKAGE_PIN {pin}{io}}} [get_ports {{{port}}}]\n")
}

fn clock(port: &str, mhz: f64) -> String {
    let (name, period) = (port.trim_end_matches("[0]"), 1e3 / mhz);
    format!("create_clock -name {name} -period {period:.3} [get_ports {{{port}}}]\n")
}
