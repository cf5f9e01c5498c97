//! PLL settings, computed: the output nearest to the rate asked for within the limits of the data sheet.
//!
//! One file per primitive. All of them search every divider setting, which is at most some ten
//! thousand, so that the nearest clock is the nearest there is.

mod ecp5;
mod gowin;
mod ice40;
mod xilinx;

use crate::error::BoardError;
use crate::{Board, Family};

/// How far the clock made may be from the one asked for. A serial port adds it to the error of its
/// divisor; nothing else on a card depends on the exact rate.
const TOLERANCE: f64 = 0.005;

/// A PLL with its settings.
#[derive(Clone, Debug)]
pub struct Pll {
    /// The primitive.
    pub primitive: &'static str,
    /// Input rate.
    pub input_mhz: f64,
    /// Output rate.
    pub output_mhz: f64,
    /// Rate at which the phases are compared.
    pub compare_mhz: f64,
    /// Rate of the oscillator inside.
    pub vco_mhz: f64,
    /// Dividers and what else the primitive wants, as Verilog parameters.
    pub parameters: Vec<(&'static str, String)>,
    instance: fn(&Pll) -> String,
}

impl Pll {
    /// Verilog that makes the wires `clk` and `locked` of the wire `clk_in`.
    pub fn verilog(&self) -> String {
        (self.instance)(self)
    }

    /// `PRIMITIVE #(parameters) pll (connections);`
    fn instantiate(&self, connections: &[(&str, &str)]) -> String {
        let join = |lines: Vec<String>| lines.join(",\n    ");
        let parameters = self.parameters.iter().map(|(name, value)| format!(".{name}({value})"));
        let ports = connections.iter().map(|(port, wire)| format!(".{port}({wire})"));
        format!(
            "  {} #(\n    {}\n  ) pll (\n    {}\n  );\n",
            self.primitive,
            join(parameters.collect()),
            join(ports.collect())
        )
    }
}

/// A range of rates in MHz.
type Range = std::ops::RangeInclusive<f64>;

/// The PLL that makes `asked_mhz` on a board; `None` when that is the rate of its oscillator.
///
/// # Errors
/// [`BoardError::Clock`] with the nearest rate, when it is more than 0.5 % away.
pub fn pll(board: &Board, asked_mhz: f64) -> Result<Option<Pll>, BoardError> {
    let input_mhz = board.clock()?.mhz;
    if (asked_mhz - input_mhz).abs() < 1e-6 {
        return Ok(None);
    }
    let (primitive, candidates) = match board.fpga.family {
        Family::Ecp5 => (ecp5::PRIMITIVE, ecp5::candidates(input_mhz)),
        Family::Ice40 => (ice40::PRIMITIVE, ice40::candidates(input_mhz)),
        Family::Gowin => (gowin::PRIMITIVE, gowin::candidates(input_mhz, board)),
        Family::Xilinx7 => (xilinx::PRIMITIVE, xilinx::candidates(input_mhz)),
        Family::XilinxUs | Family::XilinxUsp | Family::Other => ("clock generator", Vec::new()),
    };
    let distance = |pll: &Pll| (pll.output_mhz - asked_mhz).abs();
    // Of equals the one that compares most often, which jitters least, and then the fastest inside.
    let best = candidates.into_iter().min_by(|a, b| {
        let key = |pll: &Pll| ((distance(pll) * 1e6).round(), -pll.compare_mhz, -pll.vco_mhz);
        key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal)
    });
    match best {
        Some(pll) if distance(&pll) <= TOLERANCE * asked_mhz => Ok(Some(pll)),
        best => Err(BoardError::Clock {
            board: board.id,
            pll: primitive,
            input_mhz,
            asked_mhz,
            nearest_mhz: best.map(|pll| pll.output_mhz),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BOARDS, board};

    #[test]
    fn settings_of_the_rates_in_use() {
        let mut text = String::new();
        for (id, mhz) in [
            ("ulx3s_85f", 50.0),
            ("versa_ecp5_5g", 80.0),
            ("ecp5_evn", 60.0),
            ("icebreaker", 18.0),
            ("tang_nano_9k", 40.5),
            ("tang_nano_20k", 54.0),
            ("arty_a7_100t", 80.0),
        ] {
            let pll = pll(board(id).unwrap(), mhz).unwrap().unwrap();
            text += &format!(
                "// {id}: {} MHz asked, {:.4} made, compared at {:.3}, {:.1} inside\n{}\n",
                mhz,
                pll.output_mhz,
                pll.compare_mhz,
                pll.vco_mhz,
                pll.verilog()
            );
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_rate_out_of_reach_names_the_nearest() {
        let asked = [
            ("icebreaker", 13.0),
            ("ulx3s_85f", 450.0),
            ("tang_nano_9k", 700.0),
            ("kcu105", 100.0),
        ];
        let errors = asked.map(|(id, mhz)| pll(board(id).unwrap(), mhz).unwrap_err().to_string());
        insta::assert_snapshot!(errors.join("\n"));
    }

    /// The dividers give the rate that is claimed, and every rate is within the data sheet's limits.
    #[test]
    fn every_setting_is_sound() {
        for board in BOARDS.iter().filter(|board| board.fpga.toolchain.is_open()) {
            let clock = board.clock().unwrap().mhz;
            for asked in (0..60).map(|i| 3.0 + 3.5 * f64::from(i)) {
                let Ok(Some(pll)) = pll(board, asked) else { continue };
                let number = |name: &str| -> f64 {
                    let found = pll.parameters.iter().find(|(n, _)| *n == name);
                    let text = &found.unwrap().1;
                    let digits = text.strip_prefix("4'b").or(text.strip_prefix("7'b"));
                    let digits = digits.or(text.strip_prefix("3'b"));
                    digits.map_or_else(
                        || text.parse().unwrap(),
                        |bits| u32::from_str_radix(bits, 2).unwrap().into(),
                    )
                };
                let (output, vco) = match board.fpga.family {
                    Family::Ecp5 => {
                        let output = clock * number("CLKFB_DIV") / number("CLKI_DIV");
                        (output, output * number("CLKOP_DIV"))
                    }
                    Family::Ice40 => {
                        let vco = clock * (number("DIVF") + 1.0) / (number("DIVR") + 1.0);
                        (vco / number("DIVQ").exp2(), vco)
                    }
                    _ => {
                        let output =
                            clock * (number("FBDIV_SEL") + 1.0) / (number("IDIV_SEL") + 1.0);
                        (output, output * number("ODIV_SEL"))
                    }
                };
                assert!((output - pll.output_mhz).abs() < 1e-6, "{}: {asked}: {pll:?}", board.id);
                assert!((vco - pll.vco_mhz).abs() < 1e-6, "{}: {asked}: {pll:?}", board.id);
                assert!((output - asked).abs() <= TOLERANCE * asked, "{}: {asked}", board.id);
                assert!(pll.vco_mhz >= 400.0 - 1e-9 && pll.vco_mhz <= 1250.0 + 1e-9);
            }
        }
    }
}
