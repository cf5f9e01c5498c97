//! MMCME2_BASE of the AMD 7 series at speed grade -1 (DS181, UG472), for boards with a serial port.

use super::{Pll, Range};

pub(super) const PRIMITIVE: &str = "MMCME2_BASE";
const INPUT: Range = 10.0..=800.0;
const COMPARE: Range = 10.0..=450.0;
const VCO: Range = 600.0..=1200.0;
const OUTPUT: Range = 4.69..=800.0;

/// Every setting with whole dividers.
pub(super) fn candidates(input_mhz: f64) -> Vec<Pll> {
    let mut found = Vec::new();
    for input in (1..=106u32).filter(|_| INPUT.contains(&input_mhz)) {
        let compare = input_mhz / f64::from(input);
        for multiply in (2..=64u32).filter(|_| COMPARE.contains(&compare)) {
            let vco = compare * f64::from(multiply);
            for divide in (1..=128u32).filter(|_| VCO.contains(&vco)) {
                if OUTPUT.contains(&(vco / f64::from(divide))) {
                    found.push(setting(input_mhz, input, multiply, divide));
                }
            }
        }
    }
    found
}

fn setting(input_mhz: f64, input: u32, multiply: u32, divide: u32) -> Pll {
    let compare_mhz = input_mhz / f64::from(input);
    let vco_mhz = compare_mhz * f64::from(multiply);
    Pll {
        primitive: PRIMITIVE,
        input_mhz,
        output_mhz: vco_mhz / f64::from(divide),
        compare_mhz,
        vco_mhz,
        parameters: vec![
            ("CLKIN1_PERIOD", format!("{:.3}", 1e3 / input_mhz)),
            ("DIVCLK_DIVIDE", input.to_string()),
            ("CLKFBOUT_MULT_F", format!("{multiply}.0")),
            ("CLKOUT0_DIVIDE_F", format!("{divide}.0")),
        ],
        instance: |pll| {
            let primitive = pll.instantiate(&[
                ("CLKIN1", "clk_in"),
                ("CLKFBIN", "feedback"),
                ("CLKFBOUT", "feedback"),
                ("CLKOUT0", "clk_made"),
                ("LOCKED", "locked"),
                ("PWRDWN", "1'b0"),
                ("RST", "1'b0"),
            ]);
            format!(
                "  wire feedback, clk_made;\n{primitive}  BUFG clk_buffer (.I(clk_made), .O(clk));\n"
            )
        },
    }
}
