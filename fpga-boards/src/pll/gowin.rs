//! rPLL of the Gowin GW1N and GW2A (Gowin UG286 and the data sheets DS117, DS226).

use super::{Pll, Range};
use crate::Board;

pub(super) const PRIMITIVE: &str = "rPLL";
/// Input and comparison.
const SLOW: Range = 3.0..=400.0;
const DIVIDERS: [u32; 11] = [2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128];

struct Limits {
    vco: Range,
    output: Range,
}

/// The limits of the die at the speed grade of our boards: C6/I5 of the GW1N, C8/I7 of the GW2A.
fn limits(board: &Board) -> Limits {
    match board.fpga.die.as_deref() {
        Some(die) if die.starts_with("GW2A") => {
            Limits { vco: 500.0..=1250.0, output: 3.90625..=625.0 }
        }
        _ => Limits { vco: 400.0..=1200.0, output: 3.125..=600.0 },
    }
}

/// Every setting with feedback from inside.
pub(super) fn candidates(input_mhz: f64, board: &Board) -> Vec<Pll> {
    let limits = limits(board);
    let mut found = Vec::new();
    for idiv in (0..64u32).filter(|_| SLOW.contains(&input_mhz)) {
        let compare = input_mhz / f64::from(idiv + 1);
        for fbdiv in (0..64u32).filter(|_| SLOW.contains(&compare)) {
            let output = compare * f64::from(fbdiv + 1);
            for odiv in DIVIDERS {
                if limits.output.contains(&output)
                    && limits.vco.contains(&(output * f64::from(odiv)))
                {
                    found.push(setting(input_mhz, [idiv, fbdiv, odiv], board));
                }
            }
        }
    }
    found
}

fn setting(input_mhz: f64, [idiv, fbdiv, odiv]: [u32; 3], board: &Board) -> Pll {
    let compare_mhz = input_mhz / f64::from(idiv + 1);
    let output_mhz = compare_mhz * f64::from(fbdiv + 1);
    let text = |word: &str| format!("\"{word}\"");
    Pll {
        primitive: PRIMITIVE,
        input_mhz,
        output_mhz,
        compare_mhz,
        vco_mhz: output_mhz * f64::from(odiv),
        parameters: vec![
            ("FCLKIN", text(&input_mhz.to_string())),
            ("DEVICE", text(&board.fpga.device)),
            ("IDIV_SEL", idiv.to_string()),
            ("FBDIV_SEL", fbdiv.to_string()),
            ("ODIV_SEL", odiv.to_string()),
            ("DYN_IDIV_SEL", text("false")),
            ("DYN_FBDIV_SEL", text("false")),
            ("DYN_ODIV_SEL", text("false")),
            ("PSDA_SEL", text("0000")),
            ("DUTYDA_SEL", text("1000")),
            ("DYN_DA_EN", text("false")),
            ("CLKFB_SEL", text("internal")),
            ("CLKOUT_BYPASS", text("false")),
            ("CLKOUTP_BYPASS", text("false")),
            ("CLKOUTD_BYPASS", text("false")),
            ("DYN_SDIV_SEL", "2".into()),
            ("CLKOUTD_SRC", text("CLKOUT")),
            ("CLKOUTD3_SRC", text("CLKOUT")),
        ],
        instance: |pll| {
            pll.instantiate(&[
                ("CLKIN", "clk_in"),
                ("CLKFB", "1'b0"),
                ("RESET", "1'b0"),
                ("RESET_P", "1'b0"),
                ("FBDSEL", "6'b0"),
                ("IDSEL", "6'b0"),
                ("ODSEL", "6'b0"),
                ("PSDA", "4'b0"),
                ("DUTYDA", "4'b0"),
                ("FDLY", "4'b0"),
                ("CLKOUT", "clk"),
                ("LOCK", "locked"),
            ])
        },
    }
}
