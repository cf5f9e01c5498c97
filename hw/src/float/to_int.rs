//! From binary32 to an integer.

use super::{shift_right_jam, unpack};
use rtl_gen::{Builder, Module, bits, cat, sint, uint};

/// A binary32 number as a 32-bit integer, to nearest, ties to even, one a cycle.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `number` | in | bits(32) | binary32 |
/// | `value` | out | sint(32) | [`ToInt::LATENCY`] cycles later; past the ends saturated, of NaN 0 |
///
/// Stages: distance; shift by eights; by ones; rounding and sign. No reset.
#[derive(Clone, Copy, Debug)]
pub struct ToInt;

impl ToInt {
    /// Cycles from `number` to `integer`.
    pub const LATENCY: u32 = 4;
}

impl Module for ToInt {
    fn name(&self) -> String {
        "float_to_int".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("A binary32 number as a 32-bit integer, to nearest even, saturating.");
        let f = unpack(m.input("number", bits(32)));

        // 1: the significand stands where numbers from 2^30 on have it; smaller ones are that many places to the right.
        let highest = m.lit(uint(8), 127 + 30);
        let above = f.exponent.gt(highest);
        let places = highest.sub_wrap(f.exponent);
        let places = places.slice(7, 6).red_or().mux(m.lit(uint(6), 63), places.trunc(6));
        let places = m.reg("s1_places", above.mux(places.lit(0), places));
        let significand = m.reg("s1_significand", f.nan.mux(f.significand.lit(0), f.significand));
        let sign = m.delay("sign", f.sign, 3);
        let above = m.delay("above", above & !f.nan, 3);

        // 2 and 3: two bits below the integer, the lower one for all that is shifted out.
        let widest = cat(&[significand, m.lit(bits(9), 0)]);
        let coarse = m.reg("s2_value", shift_right_jam(widest, places, 3..6));
        let places = m.reg("s2_places", places.trunc(3));
        let fine = m.reg("s3_value", shift_right_jam(coarse, places, 0..3));

        // 4: a carry cannot leave 31 bits, for the largest of them have no fraction.
        let kept = fine.slice(32, 2).as_u();
        let up = fine.bit(1) & (fine.bit(0) | kept.bit(0));
        let magnitude = kept.add_wrap(up.as_u().zext(31)).zext(32).as_s();
        let value = sign.mux(magnitude.lit(0).sub_wrap(magnitude), magnitude);
        let end = sign.mux(m.lit(sint(32), i32::MIN.into()), m.lit(sint(32), i32::MAX.into()));
        m.output("value", m.reg("s4_value", above.mux(end, value)));
    }
}
