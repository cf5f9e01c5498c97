//! Multiplier.

use super::{CANONICAL_NAN, leading_zeros, round, shift_right_jam, unpack};
use rtl_gen::{Builder, Module, Sig, any, bit, bits, cat, sint, uint};

/// Product of two binary32 numbers, or the low 32 bits of a product of integers.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `enable` | in | bit | 0 holds the whole pipeline |
/// | `is_float` | in | bit | 1: binary32, 0: integer; belongs to the operands of its cycle |
/// | `a`, `b` | in | bits(32) | operands |
/// | `instead`, `other` | in | bit, bits(32) | if `bypass`: take `other` for the product, one enabled cycle later |
/// | `product` | out | bits(32) | their product, [`Multiply::LATENCY`] enabled cycles later |
///
/// Latency 7, throughput one product a cycle, no reset. Round to nearest even, subnormals kept on
/// both sides.
///
/// Both number types share four 16 x 16 products, each between two registers, which is what a DSP
/// block holds. A product with a subnormal operand is shifted left by the leading zeros of that
/// operand, counted beside the multiplication; one below the normal range is shifted right. Both
/// are one shift to the right from the leftmost position.
#[derive(Clone, Copy, Debug)]
pub struct Multiply {
    /// Whether another result may take the product's last register.
    pub bypass: bool,
}

impl Multiply {
    /// Enabled cycles from operands to product.
    pub const LATENCY: u32 = 7;
}

impl Module for Multiply {
    fn name(&self) -> String {
        if self.bypass { "float_multiply_bypass".into() } else { "float_multiply".into() }
    }

    fn build(&self, m: &Builder) {
        m.doc("Multiplier for binary32 and 32-bit integers, one product a cycle.");
        let (enable, float) = (m.input("enable", bit()), m.input("is_float", bit()));
        let (a, b) = (m.input("a", bits(32)), m.input("b", bits(32)));
        let reg = |name: &str, value| m.reg_when(name, enable, value);
        let stages = |name: &str, from: u32, to: u32, value| {
            (from..=to).fold(value, |v, i| reg(&format!("s{i}_{name}"), v))
        };

        // 1: operands.
        let (fa, fb) = (unpack(a), unpack(b));
        let u = reg("s1_u", float.mux(fa.significand.zext(32), a.as_u()));
        let v = reg("s1_v", float.mux(fb.significand.zext(32), b.as_u()));
        let (ea, eb) = (reg("s1_ea", fa.exponent), reg("s1_eb", fb.exponent));
        let a_subnormal = reg("s1_a_subnormal", fa.subnormal);
        let nan = any(&[fa.nan, fb.nan, fa.infinite & fb.zero, fb.infinite & fa.zero]);
        let float = stages("is_float", 1, 6, float);
        let sign = stages("sign", 1, 6, fa.sign ^ fb.sign);
        let nan = stages("nan", 1, 6, nan);
        let infinite = stages("infinite", 1, 6, fa.infinite | fb.infinite);
        let zero = stages("zero", 1, 6, fa.zero | fb.zero);

        // 2: partial products; weight of the product; leading zeros of the subnormal operand. (Of
        // two subnormal operands nothing remains but "more than zero", whatever the count.)
        let low = reg("s2_low", half(u, 0) * half(v, 0));
        let middle_a = reg("s2_middle_a", half(u, 0) * half(v, 1));
        let middle_b = reg("s2_middle_b", half(u, 1) * half(v, 0));
        let high = reg("s2_high", half(u, 1) * half(v, 1));
        let (zeros, _) = leading_zeros(m, a_subnormal.mux(u, v).trunc(24));
        let zeros = reg("s2_zeros", zeros);
        let weight = (number((ea + eb).as_u()) - m.lit(sint(11), 127)).trunc(11);
        let weight = reg("s2_weight", weight);

        // 3: the middle products together; the candidates for exponent and shift.
        let middle = reg("s3_middle", middle_a + middle_b);
        let outer = reg("s3_outer", cat(&[high.trunc(16), low]).as_u());
        let exponent = reg("s3_exponent", (weight - number(zeros)).trunc(11));
        let normal_shift = m.lit(uint(6), 24).sub_wrap(zeros.zext(6));
        let normal_shift = reg("s3_normal_shift", normal_shift);
        let below = (m.lit(sint(11), 25) - weight).trunc(11);
        let below = reg("s3_below", below);

        // 4: the product; how far to shift it, counted from 24 places to the left.
        let upper = outer.slice(47, 16).as_u().add_wrap(middle.trunc(32));
        let product = reg("s4_product", cat(&[upper, outer.slice(15, 0)]));
        let normal = !exponent.msb() & exponent.red_or();
        let far = below.slice(10, 6).red_or();
        let below = far.mux(m.lit(uint(6), 63), below.slice(5, 0).as_u());
        let shift = reg("s4_shift", normal.mux(normal_shift, below));
        let base = normal.gate(exponent.sub_wrap(exponent.lit(1)).slice(9, 0));
        let base = stages("base", 4, 6, base);
        let integer = stages("integer", 5, 6, product.slice(31, 0));

        // 5 and 6: the shift, coarse then fine. Bits that cannot reach the result any more are
        // folded into one.
        let widest = cat(&[product, m.lit(bits(24), 0)]);
        let coarse = shift_right_jam(widest, shift, 3..6);
        let coarse = cat(&[coarse.slice(54, 22), coarse.slice(21, 0).red_or()]);
        let (coarse, shift) = (reg("s5_coarse", coarse), reg("s5_shift", shift.trunc(3)));
        let fine = reg("s6_fine", shift_right_jam(coarse, shift, 0..3).slice(26, 0));

        // 7: the leading 1 is in one of the two top bits, or below them in a subnormal result.
        let carry = fine.bit(26);
        let kept = carry.mux(fine.slice(26, 3), fine.slice(25, 2));
        let guard = carry.mux(fine.bit(2), fine.bit(1));
        let sticky = fine.bit(0) | (carry & fine.bit(1));
        let base = base.as_u().add_wrap(carry.as_u().zext(10));
        let rounded = round(base, kept, guard & (kept.bit(0) | sticky));
        let overflow = rounded.slice(33, 31).red_or() | rounded.slice(30, 23).red_and();
        let magnitude = zero.mux(
            m.lit(bits(31), 0),
            (infinite | overflow).mux(m.lit(bits(31), 0x7f80_0000), rounded.slice(30, 0)),
        );
        let special = nan.mux(m.lit(bits(32), CANONICAL_NAN as i128), cat(&[sign, magnitude]));
        let product = float.mux(special, integer);
        let result = if self.bypass {
            m.input("instead", bit()).mux(m.input("other", bits(32)), product)
        } else {
            product
        };
        m.output("product", reg("s7_product", result));
    }
}

/// Half `i` of a 32-bit number.
fn half(x: Sig<'_>, i: u32) -> Sig<'_> {
    x.lane(i, 16).as_u()
}

/// An unsigned number as `sint(11)`.
fn number(x: Sig<'_>) -> Sig<'_> {
    x.zext(11).as_s()
}
