//! EHXPLLL of the ECP5 (Lattice FPGA-DS-02012, "sysCLOCK PLL timing", and FPGA-TN-02200).

use super::{Pll, Range};

pub(super) const PRIMITIVE: &str = "EHXPLLL";
const INPUT: Range = 8.0..=400.0;
const COMPARE: Range = 3.125..=400.0;
const VCO: Range = 400.0..=800.0;
const OUTPUT: Range = 3.125..=400.0;

/// Every setting whose output is fed back, so that output and input keep their phase.
pub(super) fn candidates(input_mhz: f64) -> Vec<Pll> {
    let mut found = Vec::new();
    for reference in (1..=128u32).filter(|_| INPUT.contains(&input_mhz)) {
        let compare = input_mhz / f64::from(reference);
        for feedback in (1..=80u32).filter(|_| COMPARE.contains(&compare)) {
            let output = compare * f64::from(feedback);
            if !OUTPUT.contains(&output) {
                continue;
            }
            // The slowest oscillator that can be divided to the output is also the one that draws least.
            let divider = (VCO.start() / output).ceil();
            if divider <= 128.0 && VCO.contains(&(output * divider)) {
                found.push(setting(input_mhz, reference, feedback, divider as u32));
            }
        }
    }
    found
}

fn setting(input_mhz: f64, reference: u32, feedback: u32, divider: u32) -> Pll {
    let compare_mhz = input_mhz / f64::from(reference);
    let output_mhz = compare_mhz * f64::from(feedback);
    let text = |word: &str| format!("\"{word}\"");
    Pll {
        primitive: PRIMITIVE,
        input_mhz,
        output_mhz,
        compare_mhz,
        vco_mhz: output_mhz * f64::from(divider),
        parameters: vec![
            ("CLKI_DIV", reference.to_string()),
            ("CLKFB_DIV", feedback.to_string()),
            ("CLKOP_DIV", divider.to_string()),
            // Half a turn of the divider: the edges line up after the feedback.
            ("CLKOP_CPHASE", (divider / 2).to_string()),
            ("CLKOP_FPHASE", "0".into()),
            ("CLKOP_ENABLE", text("ENABLED")),
            ("FEEDBK_PATH", text("CLKOP")),
            ("OUTDIVIDER_MUXA", text("DIVA")),
            ("PLLRST_ENA", text("DISABLED")),
            ("STDBY_ENABLE", text("DISABLED")),
            ("DPHASE_SOURCE", text("DISABLED")),
            ("INTFB_WAKE", text("DISABLED")),
        ],
        instance: |pll| {
            pll.instantiate(&[
                ("CLKI", "clk_in"),
                ("CLKFB", "clk"),
                ("CLKOP", "clk"),
                ("LOCK", "locked"),
                ("RST", "1'b0"),
                ("STDBY", "1'b0"),
                ("PHASESEL0", "1'b0"),
                ("PHASESEL1", "1'b0"),
                ("PHASEDIR", "1'b0"),
                ("PHASESTEP", "1'b0"),
                ("PHASELOADREG", "1'b0"),
                ("PLLWAKESYNC", "1'b0"),
                ("ENCLKOP", "1'b0"),
            ])
        },
    }
}
