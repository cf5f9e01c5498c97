//! Integers: two's complement `i1..i32` and unsigned `u1..u32`.

use super::exact::Parts;
use super::{Rounding, Value};

/// An integer of 1 to 32 bits. Operands have up to 16; wider ones are accumulators and results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Int {
    bits: u8,
    signed: bool,
}

impl Int {
    /// # Panics
    /// When `bits` is outside 1..=32; a build error in a constant.
    pub const fn new(bits: u8, signed: bool) -> Int {
        assert!(bits >= 1 && bits <= 32, "integer formats have 1 to 32 bits");
        Int { bits, signed }
    }

    /// Width of a code.
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// Two's complement?
    pub const fn is_signed(self) -> bool {
        self.signed
    }

    /// Smallest value.
    pub const fn min(self) -> i64 {
        if self.signed { -(1 << (self.bits - 1)) } else { 0 }
    }

    /// Largest value.
    pub const fn max(self) -> i64 {
        (1 << (self.bits - self.signed as u8)) - 1
    }

    pub(super) fn name(self) -> &'static str {
        if self.signed { SIGNED[self.bits as usize - 1] } else { UNSIGNED[self.bits as usize - 1] }
    }

    pub(super) fn decode(self, code: u32) -> i64 {
        let spare = 64 - u32::from(self.bits);
        let top = u64::from(code) << spare;
        if self.signed { top as i64 >> spare } else { (top >> spare) as i64 }
    }

    pub(super) fn encode(self, value: Value, rounding: Rounding, saturate: bool) -> u32 {
        let mask = (1u64 << self.bits) - 1;
        let limit = |negative| if negative { self.min() } else { self.max() } as u64 & mask;
        let code = match Parts::of(value) {
            Parts::Nan | Parts::Zero { .. } => 0,
            Parts::Infinite { negative } => limit(negative),
            Parts::Finite(x) => {
                let magnitude = x.round(0, rounding);
                // Below 2^63 the magnitude is exact; from there on it has wrapped.
                let outside = x.leading() >= 63 || {
                    let rounded = if x.negative { -(magnitude as i64) } else { magnitude as i64 };
                    !(self.min()..=self.max()).contains(&rounded)
                };
                if saturate && outside {
                    limit(x.negative)
                } else if x.negative {
                    magnitude.wrapping_neg() & mask
                } else {
                    magnitude & mask
                }
            }
        };
        code as u32
    }
}

#[rustfmt::skip]
const SIGNED: [&str; 32] = [
    "i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8", "i9", "i10", "i11", "i12", "i13", "i14",
    "i15", "i16", "i17", "i18", "i19", "i20", "i21", "i22", "i23", "i24", "i25", "i26",
    "i27", "i28", "i29", "i30", "i31", "i32"
];
#[rustfmt::skip]
const UNSIGNED: [&str; 32] = [
    "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9", "u10", "u11", "u12", "u13", "u14",
    "u15", "u16", "u17", "u18", "u19", "u20", "u21", "u22", "u23", "u24", "u25", "u26",
    "u27", "u28", "u29", "u30", "u31", "u32"
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_widths() {
        for bits in 1..=32 {
            assert_eq!(Int::new(bits, true).name(), format!("i{bits}"));
            assert_eq!(Int::new(bits, false).name(), format!("u{bits}"));
        }
    }

    #[test]
    fn overflow_saturates_or_wraps_and_ties_follow_the_mode() {
        let i8 = Int::new(8, true);
        let of = |v: f64, r| i8.decode(i8.encode(Value::Float(v), r, true));
        assert_eq!(of(2.5, Rounding::Rne), 2);
        assert_eq!(of(2.5, Rounding::Rna), 3);
        assert_eq!(of(-2.5, Rounding::Rna), -3);
        assert_eq!(of(-2.5, Rounding::Rd), -3);
        assert_eq!(of(-2.5, Rounding::Ru), -2);
        assert_eq!(of(1e-300, Rounding::Ru), 1);
        assert_eq!(of(1e300, Rounding::Rne), 127);
        assert_eq!(of(127.5, Rounding::Rne), 127);
        assert_eq!(of(f64::NEG_INFINITY, Rounding::Rne), -128);
        assert_eq!(of(f64::NAN, Rounding::Rne), 0);
        let wrap = |v: i64| i8.decode(i8.encode(Value::Int(v), Rounding::Rne, false));
        for v in [-1000, -129, -128, -1, 0, 127, 128, 255, 256, 300, i64::MAX, i64::MIN] {
            assert_eq!(wrap(v), i64::from(v as i8), "{v}");
        }
        let u4 = Int::new(4, false);
        assert_eq!(u4.encode(Value::Int(-3), Rounding::Rne, true), 0);
        assert_eq!(u4.encode(Value::Int(99), Rounding::Rne, true), 15);
        let i32 = Int::new(32, true);
        assert_eq!(
            i32.decode(i32.encode(Value::Float(-2147483648.0), Rounding::Rz, false)),
            -2147483648
        );
    }
}
