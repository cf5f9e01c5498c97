//! TFLite's two ways from a sum to an integer.

use rtl_gen::{Builder, Module, Sig, bit, bits, cat, mux, sint, uint};

/// A 32-bit sum times `multiplier * 2^(shift - 31)`, one a cycle.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `sum` | in | bits(32) | integer |
/// | `multiplier`, `shift` | in | uint(31), sint(6) | of the sum of its cycle; `shift` from -31 to 30 |
/// | `double` | in | bit | round twice, as gemmlowp does; holds still while sums are in flight |
/// | `result` | out | bits(32) | integer, [`FixedPoint::LATENCY`] cycles later |
///
/// On magnitudes the conventions are one: `(P + half - negative) >> places` is nearest with ties up, where P is the
/// magnitude of the product. Rounding once, `places` is `31 - shift`, at least 1. Rounding twice it is 31, of the sum shifted left if
/// `shift` is positive; then half of `2^-shift` is added and shifted out, which is ties away from zero.
///
/// Stages: left shift; magnitude; four 16 x 16 products; their sum in two; half; two of shifting; half; two of shifting; sign.
#[derive(Clone, Copy, Debug)]
pub struct FixedPoint;

impl FixedPoint {
    /// Cycles from `sum` to `result`.
    pub const LATENCY: u32 = 12;
}

impl Module for FixedPoint {
    fn name(&self) -> String {
        "fixed_point".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("A sum times a fixed-point factor, rounded once or twice.");
        let sum = m.input("sum", bits(32)).as_u();
        let multiplier = m.input("multiplier", uint(31));
        let shift = m.input("shift", sint(6));
        let double = m.input("double", bit());

        // 1: to the left, wrapping. Places of the first and of the second shift to the right.
        let left = (double & !shift.msb()).mux(shift.trunc(5).as_u(), m.lit(uint(5), 0));
        let shifted = m.reg("s1_sum", sum.shl(left));
        let once = m.lit(sint(7), 31).sub_wrap(shift.sext(7)).trunc(6).as_u();
        let once = mux(once.is(0), once.lit(1), once);
        let places = m.reg("s1_places", mux(double, once.lit(31), once));
        let right = m.lit(sint(7), 0).sub_wrap(shift.sext(7)).trunc(5).as_u();
        let right = m.reg("s1_right", (double & shift.msb()).mux(right, right.lit(0)));
        let multiplier = m.delay("multiplier", multiplier, 2).zext(32);

        // 2: the magnitude. 3: partial products. 4 and 5: their sum.
        let negative = shifted.msb();
        let magnitude = negative.mux(shifted.lit(0).sub_wrap(shifted), shifted);
        let magnitude = m.reg("s2_magnitude", magnitude);
        let part = |name: &str, i, j| m.reg(name, half(magnitude, i) * half(multiplier, j));
        let low = part("s3_low", 0, 0);
        let high = part("s3_high", 1, 1);
        let middle = m.reg("s4_middle", part("s3_middle_a", 0, 1) + part("s3_middle_b", 1, 0));
        let outer = m.reg("s4_outer", cat(&[high, low]).as_u());
        let upper = outer.slice(63, 16).as_u().add_wrap(middle.zext(48));
        let product = m.reg("s5_product", cat(&[upper, outer.slice(15, 0)]).as_u());

        // 6: half a unit, less one where ties go the other way. 7 and 8: the first shift.
        let places = m.delay("places", places, 3);
        let unit = m.lit(uint(64), 1).shl(places.dec());
        let less = m.delay("negative_4", negative, 3).as_u().zext(64);
        let add = m.reg("s5_half", unit.sub_wrap(less));
        let places = m.reg("s5_places", places);
        let nudged = m.reg("s6_value", product.add_wrap(add));
        let places = m.reg("s6_places", places);
        let coarse = m.reg("s7_value", shift_right(nudged, places, 3..6));
        let fine = m.reg("s8_value", shift_right(coarse, m.reg("s7_places", places), 0..3));

        // 9: half of the second shift. 10 and 11: that shift. Rounded twice, the value has at most 31 bits.
        let right = m.delay("right", right, 7);
        let unit = m.lit(uint(32), 1).shl(right).shr_k(1).zext(64);
        let twice = m.reg("s9_value", fine.add_wrap(unit));
        let right = m.reg("s9_right", right);
        let coarse = m.reg("s10_value", shift_right(twice, right, 3..5));
        let fine = m.reg("s11_value", shift_right(coarse, m.reg("s10_right", right), 0..3));

        // 12: the sign; what is too large saturates.
        let negative = m.delay("negative_11", negative, 10);
        let too_large = fine.slice(63, 31).red_or();
        let value = fine.trunc(32);
        let signed = negative.mux(value.lit(0).sub_wrap(value), value);
        let end = negative.mux(value.lit(1 << 31), value.lit((1 << 31) - 1));
        m.output("result", m.reg("s12_result", too_large.mux(end, signed).as_bits()));
    }
}

/// Half `i` of a 32-bit number.
fn half(x: Sig<'_>, i: u32) -> Sig<'_> {
    x.lane(i, 16).as_u()
}

/// `x >> amount` in the same width, the bits `levels` of the amount applied.
fn shift_right<'m>(x: Sig<'m>, amount: Sig<'m>, levels: std::ops::Range<u32>) -> Sig<'m> {
    let width = x.width();
    levels.rev().fold(x, |x, level| amount.bit(level).mux(x.shr_k(1 << level).zext(width), x))
}
