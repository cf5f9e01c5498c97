//! The one rounding of an exact sum.

use super::leading_zeros;
use mattock_spec::format::Float;
use rtl_gen::{Builder, Module, Sig, any, bit, bits, case, cat, mux, uint};

/// Rounds a fixed-point sum to a float format, one a cycle; integers pass.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `sum` | in | bits(`window` + flags) | two's complement; above it NaN, plus, minus infinity when `flags` |
/// | `exponent` | in | uint(exponent bits of `to`) | biased exponent of the weight of the sum's lowest bit |
/// | `is_int` | in | bit | the low 32 bits are the result |
/// | `mode` | in | uint(3) | [`Round::MODES`]: RNE, RZ, RU, RD, RNA, stochastic |
/// | `random` | in | bits(16) | for stochastic rounding |
/// | `saturate` | in | bit | infinities become the largest finite number |
/// | `result` | out | bits(32) | [`Round::LATENCY`] cycles later |
///
/// Every non-zero value of the window must be a normal number of `to`, which spares subnormals and overflow: true of binary32
/// and products of formats up to 8 bits and of f16 (2^-48 to 2^49). Zero is +0, rounding down -0. NaN, or infinities of both
/// signs, give the canonical quiet NaN. `exponent`, `is_int`, `mode` and `saturate` hold still while sums are in flight.
///
/// Stages: magnitude; leading zeros; shift by eights; by ones; decision; sum and selection.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Bits of the sum without flags.
    pub window: u32,
    /// Whether flags stand above the sum.
    pub flags: bool,
    /// The result's format.
    pub to: Float,
}

impl Round {
    /// Cycles from `sum` to `result`.
    pub const LATENCY: u32 = 6;

    /// Values of `mode`.
    pub const MODES: [&'static str; 6] = ["rne", "rz", "ru", "rd", "rna", "stochastic"];
}

impl Module for Round {
    fn name(&self) -> String {
        let (p, e) = (self.to.mantissa_bits(), self.to.exponent_bits());
        format!("round_w{}{}_e{e}m{p}", self.window, if self.flags { "s" } else { "" })
    }

    fn check(&self) -> Result<(), String> {
        if !(32..=128).contains(&self.window) || self.to.bits() != 32 {
            return Err(format!("a window of {} bits; 32 to 128 are rounded to f32", self.window));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Rounds an exact sum to a float, one a cycle.");
        let (w, to) = (self.window, self.to);
        let (p, e_bits) = (to.mantissa_bits() + 1, to.exponent_bits());
        let word = m.input("sum", bits(w + if self.flags { 3 } else { 0 }));
        let base = m.input("exponent", uint(e_bits));
        let integer = m.input("is_int", bit());
        let mode = m.input("mode", uint(3));
        let random = m.delay("random", m.input("random", bits(16)), 4);
        let saturate = m.input("saturate", bit());
        let is = |i: i128| mode.is(i);

        // 1: magnitude.
        let sum = word.slice(w - 1, 0).as_s();
        let negative = sum.msb();
        let magnitude = negative.mux(sum.lit(0).sub_wrap(sum), sum);
        let magnitude = m.reg("s1_magnitude", magnitude.as_bits());
        let sign_4 = m.delay("sign", negative, 4);
        let sign = m.reg("sign_5", sign_4);
        let low = m.delay("low", word.slice(31, 0), 5);
        let flags = self.flags.then(|| [0, 1, 2].map(|i| word.bit(w + i)));
        let flags = flags.map(|[minus, plus, nan]| {
            let nan = nan | (plus & minus);
            [minus, plus, nan]
        });

        // 2: leading zeros.
        let (count, empty) = leading_zeros(m, magnitude);
        let zero = m.delay("zero", empty, 4);
        let (count, value) = (m.reg("s2_count", count), m.reg("s2_value", magnitude));

        // 3 and 4: the leading 1 to the top; the exponent.
        let levels = count.width();
        let coarse = m.reg("s3_value", shift_left(value, 3.min(levels)..levels, count));
        let fine =
            m.reg("s4_value", shift_left(coarse, 0..3.min(levels), m.reg("s3_count", count)));
        let top = m.lit(uint(e_bits), i128::from(w) - 1).add_wrap(base);
        let exponent = m.delay("exponent", top.sub_wrap(count.resize(e_bits)), 3);

        // 5: which neighbour. F is the first 16 bits of what is dropped.
        let padded = match w {
            w if w < p + 17 => cat(&[fine, m.lit(bits(p + 17 - w), 0)]),
            _ => fine,
        };
        let n = padded.width();
        let kept = padded.slice(n - 1, n - p);
        let dropped = padded.slice(n - p - 1, n - p - 16);
        let guard = dropped.bit(15);
        let rest = dropped.slice(14, 0).red_or() | padded.slice(n - p - 17, 0).red_or();
        let carry = (dropped.as_u() + random.as_u()).msb();
        let inexact = guard | rest;
        let up = case(
            mode,
            &[
                (0, guard & (rest | kept.bit(0))),
                (2, inexact & !sign_4),
                (3, inexact & sign_4),
                (4, guard),
                (5, carry),
            ],
            m.low(),
        );
        let (kept, up) = (m.reg("s5_kept", kept), m.reg("s5_up", up));

        // 6: the significand's leading 1 adds 1 to the exponent field, a carry out of it another.
        let below = exponent.sub_wrap(exponent.lit(1));
        let high = cat(&[below, m.lit(bits(p - 1), 0)]).as_u();
        let rounded =
            high.add_wrap(kept.as_u().zext(high.width())).add_wrap(up.as_u().zext(high.width()));
        let none = m.lit(bits(to.bits() - 1), 0);
        let finite = cat(&[mux(zero, is(3), sign), mux(zero, none, rounded.as_bits())]);
        let value = match flags {
            None => {
                m.unused("saturate");
                finite
            }
            Some(flags) => {
                let [minus, plus, nan] =
                    [("minus", flags[0]), ("plus", flags[1]), ("nan", flags[2])]
                        .map(|(n, f)| m.delay(n, f, 5));
                let code = |code: u32| m.lit(bits(to.bits() - 1), code.into());
                let largest = code(to.max_code());
                let infinity = code(to.infinity_code().unwrap_or(to.max_code()));
                let infinite = cat(&[minus, saturate.mux(largest, infinity)]);
                let quiet = cat(&[m.low(), code(to.nan_code().unwrap_or(0))]);
                nan.mux(quiet, any(&[plus, minus]).mux(infinite, finite))
            }
        };
        m.output("result", m.reg("s6_result", integer.mux(low, value)));
    }
}

/// `x << count`, the bits `levels` of the count applied, largest first, in the same width.
fn shift_left<'m>(x: Sig<'m>, levels: std::ops::Range<u32>, count: Sig<'m>) -> Sig<'m> {
    levels.rev().fold(x, |x, level| match 1 << level {
        shift if shift >= x.width() => x,
        shift => count
            .bit(level)
            .mux(cat(&[x.slice(x.width() - 1 - shift, 0), x.lit(0).slice(shift - 1, 0)]), x),
    })
}
