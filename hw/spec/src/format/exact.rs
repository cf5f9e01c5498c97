//! Exact intermediate values and the one rounding decision every format shares.

use super::{Rounding, Value};
use core::cmp::Ordering;

/// A finite non-zero number, `significand * 2^exponent`, with bit 63 of the significand set.
#[derive(Clone, Copy)]
pub(super) struct Exact {
    pub(super) negative: bool,
    pub(super) significand: u64,
    pub(super) exponent: i32,
}

/// A number taken apart.
pub(super) enum Parts {
    Nan,
    Infinite { negative: bool },
    Zero { negative: bool },
    Finite(Exact),
}

impl Parts {
    pub(super) fn of(value: Value) -> Parts {
        match value {
            Value::Int(0) => Parts::Zero { negative: false },
            Value::Int(i) => Parts::Finite(Exact::normalised(i < 0, i.unsigned_abs(), 0)),
            Value::Float(f) => {
                let negative = f.is_sign_negative();
                let (field, fraction) =
                    ((f.to_bits() >> 52 & 0x7ff) as i32, f.to_bits() & ((1 << 52) - 1));
                match (field, fraction) {
                    (0x7ff, 0) => Parts::Infinite { negative },
                    (0x7ff, _) => Parts::Nan,
                    (0, 0) => Parts::Zero { negative },
                    (0, _) => Parts::Finite(Exact::normalised(negative, fraction, -1074)),
                    _ => {
                        Parts::Finite(Exact::normalised(negative, fraction | 1 << 52, field - 1075))
                    }
                }
            }
        }
    }
}

impl Exact {
    fn normalised(negative: bool, significand: u64, exponent: i32) -> Exact {
        let shift = significand.leading_zeros();
        Exact { negative, significand: significand << shift, exponent: exponent - shift as i32 }
    }

    /// Exponent of the leading bit: the magnitude is in `[2^n, 2^(n+1))`.
    pub(super) fn leading(&self) -> i32 {
        self.exponent + 63
    }

    /// The magnitude in units of `2^unit`: integer part (wrapped to 64 bits), and how the dropped
    /// rest compares with half a unit (`None`: nothing was dropped).
    pub(super) fn split(&self, unit: i32) -> (u64, Option<Ordering>) {
        let shift = unit - self.exponent; // bits to drop
        if shift <= 0 {
            return (self.significand.checked_shl(shift.unsigned_abs()).unwrap_or(0), None);
        }
        if shift > 64 {
            return (0, Some(Ordering::Less));
        }
        let whole = self.significand.checked_shr(shift as u32).unwrap_or(0);
        let rest =
            if shift == 64 { self.significand } else { self.significand & ((1 << shift) - 1) };
        (whole, (rest != 0).then(|| rest.cmp(&(1 << (shift - 1)))))
    }

    /// The magnitude in units of `2^unit`, rounded to an integer (wrapped to 64 bits).
    pub(super) fn round(&self, unit: i32, rounding: Rounding) -> u64 {
        let (whole, rest) = self.split(unit);
        whole.wrapping_add(u64::from(away_from_zero(rounding, self.negative, whole & 1 == 1, rest)))
    }
}

/// Whether a magnitude is rounded up, given how its dropped rest compares with one half.
pub(super) fn away_from_zero(
    rounding: Rounding,
    negative: bool,
    odd: bool,
    rest: Option<Ordering>,
) -> bool {
    let Some(rest) = rest else { return false };
    match rounding {
        Rounding::Rne => rest.is_gt() || (rest.is_eq() && odd),
        Rounding::Rna => rest.is_ge(),
        Rounding::Rz => false,
        Rounding::Ru => !negative,
        Rounding::Rd => negative,
    }
}
