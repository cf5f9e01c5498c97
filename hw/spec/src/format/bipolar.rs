//! Bipolar integers `b1..b8`: bit `i` of a code weighs `+2^i` when set and `-2^i` when clear.
//!
//! All bit planes are alike, so bit-serial hardware needs no special sign plane. The values are the
//! odd numbers from `-(2^n - 1)` to `2^n - 1`: `value = 2*code - (2^n - 1)`. There is no zero.

use super::exact::Parts;
use super::{Rounding, Value};
use core::cmp::Ordering;

/// A bipolar integer of 1 to 8 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bipolar {
    bits: u8,
}

impl Bipolar {
    /// # Panics
    /// When `bits` is outside 1..=8; a build error in a constant.
    pub const fn new(bits: u8) -> Bipolar {
        assert!(bits >= 1 && bits <= 8, "bipolar formats have 1 to 8 bits");
        Bipolar { bits }
    }

    /// Width of a code.
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// Largest value; the smallest is its negative.
    pub const fn max(self) -> i64 {
        (1 << self.bits) - 1
    }

    pub(super) fn name(self) -> &'static str {
        ["b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8"][self.bits as usize - 1]
    }

    pub(super) fn decode(self, code: u32) -> i64 {
        2 * i64::from(code & self.max() as u32) - self.max()
    }

    /// Values out of range become the nearest end: there is no other sensible code. Zero is a tie
    /// between -1 and +1 that the directed modes `Rz` and `Ru` break upward and `Rd` downward.
    pub(super) fn encode(self, value: Value, rounding: Rounding) -> u32 {
        let top = self.max() as u32; // code of the largest value
        let (negative, floor, rest) = match Parts::of(value) {
            Parts::Nan => return top / 2 + 1,
            Parts::Infinite { negative } => return if negative { 0 } else { top },
            Parts::Zero { .. } => (false, 0, None),
            Parts::Finite(x) if x.leading() >= 9 => return if x.negative { 0 } else { top },
            Parts::Finite(x) => {
                let (whole, rest) = x.split(0);
                let whole = whole as i64;
                (
                    x.negative,
                    if x.negative { -whole - i64::from(rest.is_some()) } else { whole },
                    rest,
                )
            }
        };
        if floor < -self.max() {
            return 0;
        }
        if floor >= self.max() {
            return top;
        }
        // Codes are two apart in value, so halfway is one above the lower neighbour.
        let above_lowest = (floor + self.max()) as u32;
        let (lower, compare) = match (above_lowest % 2, rest) {
            (0, None) => return above_lowest / 2,
            (0, Some(_)) => (above_lowest / 2, Ordering::Less),
            (_, None) => (above_lowest / 2, Ordering::Equal),
            (_, Some(_)) => (above_lowest / 2, Ordering::Greater),
        };
        let up = match rounding {
            Rounding::Rne => compare.is_gt() || (compare.is_eq() && lower % 2 == 1),
            Rounding::Rna => compare.is_gt() || (compare.is_eq() && !negative),
            Rounding::Rz => negative || floor == 0 && rest.is_none(),
            Rounding::Ru => true,
            Rounding::Rd => false,
        };
        lower + u32::from(up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sums_of_signed_powers_of_two() {
        for bits in 1..=8u8 {
            let format = Bipolar::new(bits);
            for code in 0..1u32 << bits {
                let sum: i64 =
                    (0..bits).map(|i| if code >> i & 1 == 1 { 1 << i } else { -(1 << i) }).sum();
                assert_eq!(format.decode(code), sum);
            }
        }
    }

    #[test]
    fn encode_picks_the_neighbour_the_mode_asks_for() {
        let b2 = Bipolar::new(2); // -3 -1 1 3
        let of = |v: f64, r| b2.decode(b2.encode(Value::Float(v), r));
        for (v, rd, ru, rz, rna, rne) in [
            (2.0, 1, 3, 1, 3, 1),
            (-2.0, -3, -1, -1, -3, -3),
            (0.0, -1, 1, 1, 1, 1),
            (1e-300, -1, 1, -1, 1, 1),
            (-1e-300, -1, 1, 1, -1, -1),
            (2.5, 1, 3, 1, 3, 3),
            (9.0, 3, 3, 3, 3, 3),
            (-1e300, -3, -3, -3, -3, -3),
            (f64::INFINITY, 3, 3, 3, 3, 3),
            (f64::NAN, 1, 1, 1, 1, 1),
        ] {
            let got = [Rounding::Rd, Rounding::Ru, Rounding::Rz, Rounding::Rna, Rounding::Rne]
                .map(|r| of(v, r));
            assert_eq!(got, [rd, ru, rz, rna, rne], "{v}");
        }
    }
}
