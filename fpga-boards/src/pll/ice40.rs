//! SB_PLL40_PAD of the iCE40 UltraPlus (Lattice FPGA-TN-02052 and the family's data sheet).
//!
//! The PAD form, since the oscillators of our boards are on the PLL's own pin.

use super::{Pll, Range};

pub(super) const PRIMITIVE: &str = "SB_PLL40_PAD";
const INPUT: Range = 10.0..=133.0;
const COMPARE: Range = 10.0..=133.0;
const VCO: Range = 533.0..=1066.0;
const OUTPUT: Range = 16.0..=275.0;

/// Every setting of the simple feedback: the oscillator itself is fed back.
pub(super) fn candidates(input_mhz: f64) -> Vec<Pll> {
    let mut found = Vec::new();
    for divr in (0..16u32).filter(|_| INPUT.contains(&input_mhz)) {
        let compare = input_mhz / f64::from(divr + 1);
        for divf in (0..128u32).filter(|_| COMPARE.contains(&compare)) {
            let vco = compare * f64::from(divf + 1);
            for divq in (1..7u32).filter(|_| VCO.contains(&vco)) {
                let output = vco / f64::from(1u32 << divq);
                if OUTPUT.contains(&output) {
                    found.push(setting(input_mhz, divr, divf, divq));
                }
            }
        }
    }
    found
}

fn setting(input_mhz: f64, divr: u32, divf: u32, divq: u32) -> Pll {
    let compare_mhz = input_mhz / f64::from(divr + 1);
    let vco_mhz = compare_mhz * f64::from(divf + 1);
    // The loop filter follows the rate of comparison.
    let edges = [17.0, 26.0, 44.0, 66.0, 101.0];
    let filter = 1 + edges.iter().filter(|edge| compare_mhz >= **edge).count();
    Pll {
        primitive: PRIMITIVE,
        input_mhz,
        output_mhz: vco_mhz / f64::from(1u32 << divq),
        compare_mhz,
        vco_mhz,
        parameters: vec![
            ("FEEDBACK_PATH", "\"SIMPLE\"".into()),
            ("DIVR", format!("4'b{divr:04b}")),
            ("DIVF", format!("7'b{divf:07b}")),
            ("DIVQ", format!("3'b{divq:03b}")),
            ("FILTER_RANGE", format!("3'b{filter:03b}")),
        ],
        instance: |pll| {
            pll.instantiate(&[
                ("PACKAGEPIN", "clk_in"),
                ("PLLOUTGLOBAL", "clk"),
                ("LOCK", "locked"),
                ("RESETB", "1'b1"),
                ("BYPASS", "1'b0"),
            ])
        },
    }
}
