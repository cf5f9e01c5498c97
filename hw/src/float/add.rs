//! Adder.

use super::{CANONICAL_NAN, leading_zeros, round, shift_right_jam, unpack};
use rtl_gen::{Builder, Module, Sig, any, bit, bits, cat, uint};

/// Sum of two binary32 numbers, or of two 32-bit integers modulo 2^32; or one of the two operands.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `enable` | in | bit | if it `holds`: 0 holds the whole pipeline |
/// | `is_float` | in | bit | 1: binary32, 0: integer; belongs to the operands of its cycle |
/// | `pick` | in | bit | if there is a [`Choice`]: the result is that operand and not the sum; of its cycle |
/// | `least` | in | bit | for [`Choice::Extreme`]: with `pick`, the lesser operand and not the greater; of its cycle |
/// | `a`, `b` | in | bits(32) | operands |
/// | `sum` | out | bits(32) | the result, `latency` cycles later |
///
/// Latency `latency`, throughput one sum a cycle, no reset. Round to nearest even,
/// subnormals kept; `x + (-0)` is `x` for every `x` that is not a NaN. Of the lesser and the greater, -0 is less than +0,
/// and a NaN gives way to a number.
///
/// A choice costs the sum's integer path one multiplexer: the comparison and the exchange are those of the float sum.
///
/// The work is cut into eight steps (compare; swap; align; add; count zeros; shift; round; choose), the
/// latency says after which of them registers stand. From 6 up, no stage holds more than one carry
/// chain or one shifter; the last register stands at `sum`.
#[derive(Clone, Copy, Debug)]
pub struct Add {
    /// Cycles from operands to sum, 3 to 8.
    pub latency: u32,
    /// Which operand may stand for the sum.
    pub choice: Choice,
    /// Whether there is an `enable`; else it never stalls.
    pub holds: bool,
}

impl Add {
    /// A plain adder.
    pub const fn plain(latency: u32) -> Self {
        Add { latency, choice: Choice::None, holds: false }
    }
}

/// Which operand an adder may give instead of the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// None.
    None,
    /// `b`.
    Second,
    /// The lesser or the greater.
    Extreme,
}

/// The steps with a register after them, by latency from 3.
const CUTS: [&[u32]; 6] = [
    &[3, 5, 8],
    &[3, 4, 6, 8],
    &[2, 3, 4, 6, 8],
    &[1, 3, 4, 5, 6, 8],
    &[1, 2, 3, 4, 5, 6, 8],
    &[1, 2, 3, 4, 5, 6, 7, 8],
];

/// Puts registers after the steps that have one.
struct Steps<'m> {
    m: &'m Builder,
    cuts: &'static [u32],
    enable: Option<Sig<'m>>,
}

impl<'m> Steps<'m> {
    fn after<const N: usize>(
        &self,
        step: u32,
        names: [&str; N],
        values: [Sig<'m>; N],
    ) -> [Sig<'m>; N] {
        if !self.cuts.contains(&step) {
            return values;
        }
        std::array::from_fn(|i| {
            let name = format!("s{step}_{}", names[i]);
            match self.enable {
                None => self.m.reg(&name, values[i]),
                Some(enable) => self.m.reg_when(&name, enable, values[i]),
            }
        })
    }
}

impl Module for Add {
    fn name(&self) -> String {
        let choice = match self.choice {
            Choice::None => "",
            Choice::Second => "_second",
            Choice::Extreme => "_extreme",
        };
        format!("float_add_l{}{choice}{}", self.latency, if self.holds { "_holds" } else { "" })
    }

    fn check(&self) -> Result<(), String> {
        match self.latency {
            3..=8 => Ok(()),
            other => Err(format!("adder latency {other} is outside 3 to 8")),
        }
    }

    fn build(&self, m: &Builder) {
        m.doc("Adder for binary32 and 32-bit integers, one sum a cycle.");
        let enable = self.holds.then(|| m.input("enable", bit()));
        let steps = Steps { m, cuts: CUTS[self.latency as usize - 3], enable };
        let float = m.input("is_float", bit());
        let (a, b) = (m.input("a", bits(32)), m.input("b", bits(32)));

        // 1: which operand is larger, and both differences of the exponents.
        let (fa, fb) = (unpack(a), unpack(b));
        let b_larger = a.slice(30, 0).as_u().lt(b.slice(30, 0).as_u());
        let a_above = fa.exponent.sub_wrap(fb.exponent);
        let b_above = fb.exponent.sub_wrap(fa.exponent);
        let differ = fa.sign ^ fb.sign;
        let nan = any(&[fa.nan, fb.nan, fa.infinite & fb.infinite & differ]);
        let infinite = fa.infinite | fb.infinite;
        let integer = a.as_u().add_wrap(b.as_u()).as_bits();
        let (pick, takes_b) = match self.choice {
            Choice::None => (None, b_larger),
            Choice::Second => {
                let pick = m.input("pick", bit());
                (Some(pick), b_larger | pick)
            }
            Choice::Extreme => {
                let (pick, least) = (m.input("pick", bit()), m.input("least", bit()));
                // Of one sign, magnitudes decide; those of negative floats the other way round.
                let a_less = differ.mux(fa.sign, b_larger ^ (fa.sign & float));
                let by_order = a_less ^ least;
                let by_nan = float.mux(fa.nan | (!fb.nan & by_order), by_order);
                (Some(pick), pick.mux(by_nan, b_larger))
            }
        };
        // An operand takes the integers' way.
        let float = pick.map_or(float, |pick| float & !pick);
        let [a, b, takes_b, a_above, b_above, nan, infinite, integer, float] = steps.after(
            1,
            ["a", "b", "takes_b", "a_above", "b_above", "nan", "infinite", "integer", "is_float"],
            [a, b, takes_b, a_above, b_above, nan, infinite, integer, float],
        );
        let pick = pick.map(|pick| steps.after(1, ["pick"], [pick])[0]);

        // 2: the larger operand is x.
        let chosen = takes_b.mux(b, a);
        let (fx, fy) = (unpack(chosen), unpack(takes_b.mux(a, b)));
        let above = takes_b.mux(b_above, a_above);
        let integer = pick.map_or(integer, |pick| pick.mux(chosen, integer));
        let [sign, exponent, x, y, above, subtract, nan, infinite, integer, float] = steps.after(
            2,
            [
                "sign", "exponent", "x", "y", "above", "subtract", "nan", "infinite", "integer",
                "is_float",
            ],
            [
                fx.sign,
                fx.exponent,
                fx.significand,
                fy.significand,
                above,
                fx.sign ^ fy.sign,
                nan,
                infinite,
                integer,
                float,
            ],
        );

        // 3: y in the weight of x, with three bits below; of what is lost only "some" matters.
        let y = cat(&[y, m.lit(bits(3), 0)]);
        let far = above.slice(7, 5).red_or();
        let gone = y.red_or().as_u().zext(27).as_bits();
        let aligned = far.mux(gone, shift_right_jam(y, above, 0..5));
        let [sign, exponent, x, y, subtract, nan, infinite, integer, float] = steps.after(
            3,
            ["sign", "exponent", "x", "y", "subtract", "nan", "infinite", "integer", "is_float"],
            [sign, exponent, x, aligned, subtract, nan, infinite, integer, float],
        );

        // 4: x + y or x - y, never negative. The extra low bit carries the 1 of the two's complement.
        let minuend = cat(&[m.low(), x, m.lit(bits(3), 0), subtract]).as_u();
        let other = cat(&[subtract, y ^ subtract.rep(27), subtract]).as_u();
        let total = minuend.add_wrap(other).slice(28, 1);
        // A 1 where the shift to the left has to stop, because the exponent has reached 1.
        let limit = m.lit(uint(28), 1 << 27).shr(exponent).as_bits();
        let [sign, exponent, total, limit, subtract, nan, infinite, integer, float] = steps.after(
            4,
            [
                "sign", "exponent", "total", "limit", "subtract", "nan", "infinite", "integer",
                "is_float",
            ],
            [sign, exponent, total, limit, subtract, nan, infinite, integer, float],
        );

        // 5: how far to shift.
        let (shift, _) = leading_zeros(m, total | limit);
        let zero = !total.red_or();
        let sign = sign & !(zero & subtract);
        let [sign, exponent, total, shift, zero, nan, infinite, integer, float] = steps.after(
            5,
            [
                "sign", "exponent", "total", "shift", "zero", "nan", "infinite", "integer",
                "is_float",
            ],
            [sign, exponent, total, shift, zero, nan, infinite, integer, float],
        );

        // 6: shift to the left.
        let total = total.as_u().shl(shift).as_bits();
        let exponent = exponent.sub_wrap(shift.zext(8));
        let [sign, exponent, total, zero, nan, infinite, integer, float] = steps.after(
            6,
            ["sign", "exponent", "total", "zero", "nan", "infinite", "integer", "is_float"],
            [sign, exponent, total, zero, nan, infinite, integer, float],
        );

        // 7: round to nearest, ties to even.
        let up = total.bit(3) & (total.bit(4) | total.slice(2, 0).red_or());
        let rounded = round(exponent, total.slice(27, 4), up);
        let [sign, rounded, zero, nan, infinite, integer, float] = steps.after(
            7,
            ["sign", "rounded", "zero", "nan", "infinite", "integer", "is_float"],
            [sign, rounded, zero, nan, infinite, integer, float],
        );

        // 8: special results.
        let overflow = rounded.bit(31) | rounded.slice(30, 23).red_and();
        let magnitude = zero.mux(
            m.lit(bits(31), 0),
            (infinite | overflow).mux(m.lit(bits(31), 0x7f80_0000), rounded.slice(30, 0)),
        );
        let special = nan.mux(m.lit(bits(32), CANONICAL_NAN as i128), cat(&[sign, magnitude]));
        let [sum] = steps.after(8, ["sum"], [float.mux(special, integer)]);
        m.output("sum", sum);
    }
}
