//! Fused multiply-add.

use super::operand::product_specials;
use super::{CANONICAL_NAN, Operand, leading_zeros, round, shift_right_jam, unpack};
use crate::cells::BlockMultiplier;
use mattock_spec::format::Float;
use rtl_gen::{Builder, Module, Sig, bit, bits, case, cat, mux, sint, uint};

/// `sum = a * b + addend` in binary32 with one rounding, one a cycle.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `a`, `b` | in | bits | [`Operand`] words |
/// | `addend` | in | bits(32) | binary32, [`product_latency`](Self::product_latency) cycles after `a` and `b` |
/// | `hold` | in | bit | with `addend`: no product, the sum is the addend |
/// | `mode` | in | uint(3) | rounding, as of [`Round`](super::Round) without the stochastic one |
/// | `saturate` | in | bit | infinities become the largest finite number |
/// | `sum` | out | bits(32) | [`Fma::LATENCY`] cycles after `addend` |
///
/// No reset. Subnormals are kept on all sides, zeros have the signs of IEEE 754 6.3, every NaN is the canonical one. `mode` and
/// `saturate` hold still while sums are in flight.
///
/// Of factors so large that no product is subnormal, or so small that 2^24 of them cannot overflow, the addend must be what a sum of such
/// products can be: what would be needed for others is left out.
///
/// The product waits for nothing, so that a chain `addend = sum` has only the addition in its loop: [`LATENCY`](Self::LATENCY) chains
/// take turns. Operands are normalised before ([`Decode`](super::Decode)): a product's leading 1 is in one of its two top bits, and the addition is
/// that of two numbers of `max(24, product bits)` bits. A product below the subnormals' range is shifted there before it meets the addend, its lost bits
/// kept as one; three bits below the significand are enough for one correct rounding behind both shifts.
///
/// Stages of the product: block multiplier (two); sum of the parts (two) where it takes four blocks; normalisation; shift into the range
/// (two) where a product can be below it. Of the sum: compare; swap; align; add; count zeros; shift; round; choose.
#[derive(Clone, Copy, Debug)]
pub struct Fma {
    /// First factor.
    pub a: Operand,
    /// Second factor.
    pub b: Operand,
}

/// Most terms of a sum, log2: products of operands so small that as many cannot overflow need no check for it.
const LOG2_TERMS: i32 = 24;

/// A product on its way to the addition.
#[derive(Clone, Copy)]
struct Product<'m> {
    sign: Sig<'m>,
    /// As a biased exponent of binary32, with a bit more where it can be larger.
    exponent: Sig<'m>,
    significand: Sig<'m>,
    nan: Sig<'m>,
    infinite: Sig<'m>,
}

impl Fma {
    /// Cycles from the addend to the sum.
    pub const LATENCY: u32 = 8;

    fn product_bits(&self) -> u32 {
        self.a.significand + self.b.significand
    }

    /// Bits in the addition: significand and three below.
    fn width(&self) -> u32 {
        self.product_bits().max(24) + 3
    }

    /// Whether a factor takes two blocks.
    fn is_wide(&self) -> bool {
        self.a.significand.max(self.b.significand) > 17
    }

    /// Whether products can be smaller than normal numbers of binary32. If not, neither can sums: they are multiples of the
    /// smallest product.
    pub(super) fn is_deep(&self) -> bool {
        self.a.lowest + self.b.lowest < 1 - Float::F32.bias()
    }

    fn highest(&self) -> i32 {
        self.a.highest + self.b.highest + 1
    }

    pub(super) fn can_overflow(&self) -> bool {
        self.highest() + LOG2_TERMS > Float::F32.bias()
    }

    /// Cycles from the factors to the addend.
    pub fn product_latency(&self) -> u32 {
        let parts = if self.is_wide() { 2 } else { 0 };
        let range = if self.is_deep() { 2 } else { 0 };
        BlockMultiplier::LATENCY + parts + 1 + range
    }

    /// The product of the significands, and how many cycles later.
    fn multiply<'m>(&self, m: &'m Builder, a: Sig<'m>, b: Sig<'m>) -> Sig<'m> {
        let block = |name: &str, a: Sig<'m>, b: Sig<'m>| {
            let cell = BlockMultiplier { a_bits: a.width() + 1, b_bits: b.width() + 1 };
            let product = m.inst(name, &cell).set("a", a.zext(a.width() + 1).as_s());
            product.set("b", b.zext(b.width() + 1).as_s());
            product.get("product").slice(a.width() + b.width() - 1, 0).as_u()
        };
        if !self.is_wide() {
            return block("multiplier", a, b);
        }
        // Halves of 12 bits each.
        let halves = |x: Sig<'m>| {
            let x = x.zext(24);
            [x.slice(11, 0).as_u(), x.slice(23, 12).as_u()]
        };
        let ([a_low, a_high], [b_low, b_high]) = (halves(a), halves(b));
        let low = block("multiplier_low", a_low, b_low);
        let middle = block("multiplier_middle_a", a_high, b_low)
            + block("multiplier_middle_b", a_low, b_high);
        let high = block("multiplier_high", a_high, b_high);
        let middle = m.reg("middle", middle);
        let outer = m.reg("outer", cat(&[high, low]));
        let upper = outer.slice(47, 12).as_u().add_wrap(middle.zext(36));
        let product = m.reg("parts", cat(&[upper.as_bits(), outer.slice(11, 0)]));
        product.slice(self.product_bits() - 1, 0).as_u()
    }

    /// The product, normalised and in the range of the sums' exponents.
    fn product<'m>(&self, m: &'m Builder) -> Product<'m> {
        let word =
            |name: &str, operand: Operand| operand.split(m.input(name, bits(operand.bits())));
        let (a, b) = (word("a", self.a), word("b", self.b));
        let (w, total) = (self.product_bits(), self.product_latency());
        let late = |name: &str, value: Sig<'m>| m.delay(name, value, total);
        let sign = late("product_sign", a.sign ^ b.sign);
        let (nan, infinite) = product_specials(m, &a, &b);
        let (nan, infinite) = (late("product_nan", nan), late("product_infinite", infinite));

        let product = self.multiply(m, a.significand, b.significand);
        let until = BlockMultiplier::LATENCY + if self.is_wide() { 2 } else { 0 };
        // Of the bit below the top.
        let ty = sint(11);
        let number = |x: Sig<'m>| x.zext(11).as_s();
        let bias = Float::F32.bias() + self.a.lowest + self.b.lowest;
        let base = m.reg("weight", (number(a.exponent) + number(b.exponent)).trunc(11));
        let base = m.delay("base", base.add_wrap(m.lit(ty, bias.into())), until - 1);

        let top = product.msb();
        let some = top | product.bit(w - 2);
        let significand = top.mux(product.as_bits(), cat(&[product.slice(w - 2, 0), m.low()]));
        let exponent = some.gate(base.add_wrap(number(top.as_u())));
        let (significand, exponent) = (m.reg("normal", significand), m.reg("exponent", exponent));
        let below = self.width() - w;
        let wide = cat(&[significand, m.lit(bits(below), 0)]);
        let bits_of_exponent = self.exponent_bits();
        if !self.is_deep() {
            let exponent = exponent.as_u().trunc(bits_of_exponent);
            return Product { sign, exponent, significand: wide, nan, infinite };
        }
        // Below 1 the exponent stays 1 and the significand moves.
        let small = (exponent.msb() | !exponent.red_or()).named("is_small");
        let places = m.lit(ty, 1).sub_wrap(exponent);
        let levels = self.levels();
        let far = small & places.slice(10, levels).red_or();
        let places = small.gate(places.slice(levels - 1, 0));
        let lost = wide.red_or().as_u().zext(self.width()).as_bits();
        let coarse = far.mux(lost, shift_right_jam(wide, places, 3..levels));
        let coarse = m.reg("coarse", coarse);
        // All ones: what is far is one bit already, which stays where it is.
        let places = m.reg("places", (!far).gate(places.slice(2, 0)));
        let fine = m.reg("fine", shift_right_jam(coarse, places, 0..3));
        let kept = small.mux(exponent.lit(1), exponent).as_u().trunc(bits_of_exponent);
        let exponent = m.delay("in_range", kept, 2);
        Product { sign, exponent, significand: fine, nan, infinite }
    }

    /// Bits of a shift across the addition's width.
    fn levels(&self) -> u32 {
        self.width().ilog2() + 1
    }

    fn exponent_bits(&self) -> u32 {
        if self.highest() > Float::F32.bias() { 9 } else { 8 }
    }
}

impl Module for Fma {
    fn name(&self) -> String {
        let text = |o: Operand| {
            let lowest = o.lowest.unsigned_abs();
            format!(
                "p{}x{lowest}to{}{}",
                o.significand,
                o.highest,
                if o.specials { "s" } else { "" }
            )
        };
        format!("float_fma_{}_{}", text(self.a), text(self.b))
    }

    fn check(&self) -> Result<(), String> {
        for operand in [self.a, self.b] {
            if operand.significand > 24 || operand.lowest < -149 || operand.highest > 127 {
                return Err("factors of a multiply-add have binary32's range at most".into());
            }
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Fused multiply-add in binary32 with one rounding, one a cycle.");
        let p = self.product(m);
        let c = m.input("addend", bits(32));
        let hold = m.input("hold", bit());
        let mode = m.input("mode", uint(3));
        let saturate = m.input("saturate", bit());
        let (width, e_bits, levels) = (self.width(), self.exponent_bits(), self.levels());
        let [toward_zero, up, down] = [1, 2, 3].map(|i| mode.is(i));

        // 1: which of product and addend is larger, and both differences of the exponents.
        let fc = unpack(c);
        let c_significand = cat(&[fc.significand, m.lit(bits(width - 24), 0)]);
        let c_exponent = fc.exponent.zext(e_bits);
        // Without a product a zero of the addend's sign is added.
        let p_sign = mux(hold, fc.sign, p.sign);
        let p_significand = (!hold).gate(p.significand);
        let p_key = cat(&[p.exponent, p.significand]).as_u();
        let p_larger = cat(&[c_exponent, c_significand]).as_u().lt(p_key) & !hold;
        let p_nan = p.nan & !hold;
        let p_infinite = p.infinite & !hold;
        let differ = p_sign ^ fc.sign;
        let nan = p_nan | fc.nan | (p_infinite & fc.infinite & differ);
        let infinite = p_infinite | fc.infinite;
        let s = |step: u32, name: &str, value| m.reg(&format!("s{step}_{name}"), value);
        let p_larger = s(1, "p_larger", p_larger);
        let p_above = s(1, "p_above", p.exponent.sub_wrap(c_exponent));
        let c_above = s(1, "c_above", c_exponent.sub_wrap(p.exponent));
        let (p_sign, c_sign) = (s(1, "p_sign", p_sign), s(1, "c_sign", fc.sign));
        let p_exponent = s(1, "p_exponent", p.exponent);
        let c_exponent = s(1, "c_exponent", c_exponent);
        let p_significand = s(1, "p_significand", p_significand);
        let c_significand = s(1, "c_significand", fc.significand.as_bits());
        let p_infinite = s(1, "p_infinite", p_infinite);
        let infinite = s(1, "infinite", infinite);
        let nan = m.delay("s1_nan", nan, 7);

        // 2: the larger one is x.
        let c_wide = cat(&[c_significand, m.lit(bits(width - 24), 0)]);
        let x = s(2, "x", p_larger.mux(p_significand, c_wide));
        let y = s(2, "y", p_larger.mux(c_wide, p_significand));
        let exponent = s(2, "exponent", p_larger.mux(p_exponent, c_exponent));
        let above = s(2, "above", p_larger.mux(p_above, c_above));
        let p_decides = infinite.mux(p_infinite, p_larger);
        let sign = s(2, "sign", p_decides.mux(p_sign, c_sign));
        // Infinities are told by their flag; their sign must not be taken for that of a difference.
        let subtract = s(2, "subtract", (p_sign ^ c_sign) & !infinite);
        let infinite = m.delay("s2_infinite", infinite, 6);

        // 3: y in the weight of x; of what is lost only "some" matters.
        let far = match levels < e_bits {
            true => above.slice(e_bits - 1, levels).red_or(),
            false => m.low(),
        };
        let gone = y.red_or().as_u().zext(width).as_bits();
        let aligned = s(3, "y", far.mux(gone, shift_right_jam(y, above, 0..levels)));
        let (x, subtract) = (s(3, "x", x), s(3, "subtract", subtract));
        let exponent = s(3, "exponent", exponent);

        // 4: x + y or x - y, never negative. The extra low bit carries the 1 of the two's complement.
        let minuend = cat(&[m.low(), x, subtract]).as_u();
        let other = cat(&[subtract, aligned ^ subtract.rep(width), subtract]).as_u();
        let total = s(4, "total", minuend.add_wrap(other).slice(width + 1, 1));
        // A 1 where the shift to the left has to stop, because the exponent has reached 1.
        let limit = self.is_deep().then(|| {
            let stop = m.lit(uint(width + 1), 1 << width).shr(exponent).as_bits();
            s(4, "limit", stop)
        });
        let subtract = s(4, "subtract", subtract);
        let exponent = s(4, "exponent", exponent);
        let sign = m.delay("s3_sign", sign, 2);

        // 5: how far to shift; the sign of an exact zero.
        let (shift, _) = leading_zeros(m, limit.map_or(total, |limit| total | limit));
        let none = !total.red_or();
        let shift = s(5, "shift", shift);
        let sign = s(5, "sign", (none & subtract).mux(down, sign));
        let zero = m.delay("s5_zero", none, 3);
        let (total, exponent) = (s(5, "total", total), s(5, "exponent", exponent));

        // 6: shift to the left.
        let total = s(6, "total", total.as_u().shl(shift).as_bits());
        let exponent = s(6, "exponent", exponent.sub_wrap(shift.resize(e_bits)));
        let sign = s(6, "sign", sign);

        // 7: which neighbour.
        let kept = total.slice(width, width - 23);
        let guard = total.bit(width - 24);
        let rest = total.slice(width - 25, 0).red_or();
        let inexact = guard | rest;
        let arms = [
            (0, guard & (rest | kept.bit(0))),
            (2, inexact & !sign),
            (3, inexact & sign),
            (4, guard),
        ];
        let rounded = s(7, "rounded", round(exponent, kept, case(mode, &arms, m.low())));
        let sign = s(7, "sign", sign);

        // 8: special results.
        let field = rounded.slice(e_bits + 23, 23);
        let largest = m.lit(bits(31), 0x7f7f_ffff);
        let infinity = m.lit(bits(31), 0x7f80_0000);
        let finite = mux(zero, m.lit(bits(31), 0), rounded.slice(30, 0));
        let finite = if self.can_overflow() {
            let overflow = field.slice(e_bits, 8).red_or() | field.slice(7, 0).red_and();
            let stays = saturate | toward_zero | mux(sign, up, down);
            mux(overflow & !zero, stays.mux(largest, infinity), finite)
        } else {
            finite
        };
        let magnitude = mux(infinite, saturate.mux(largest, infinity), finite);
        let quiet = m.lit(bits(32), CANONICAL_NAN.into());
        m.output("sum", s(8, "sum", nan.mux(quiet, cat(&[sign, magnitude]))));
    }
}
