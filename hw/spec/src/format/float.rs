//! Floating point: any sign + exponent + mantissa layout of up to 8 exponent and 23 mantissa bits. Every layout of 2 to 8
//! bits with at least one exponent bit is a row of the table.
//!
//! Sources: IEEE 754-2019 (f16, f32), OCP 8-bit Floating Point Specification 1.0 (e4m3, e5m2),
//! OCP Microscaling Formats 1.0 (e2m1, e2m3, e3m2). The exponent bias is `2^(e-1) - 1` in all.

use super::exact::{Exact, Parts, away_from_zero};
use super::{Rounding, Value};

/// Which codes are not finite numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Specials {
    /// The largest exponent holds infinities and NaNs.
    Ieee,
    /// No infinity; only the all-ones magnitude is NaN (OCP E4M3).
    OneNan,
    /// Every code is a finite number.
    Finite,
}

/// A binary floating-point format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Float {
    pub(super) name: &'static str,
    pub(super) wire: u8,
    exponent: u8,
    mantissa: u8,
    specials: Specials,
}

impl Float {
    /// OCP FP4: largest 6.
    pub const E2M1: Float = Float::row("e2m1", 0, 2, 1, Specials::Finite);
    /// OCP FP6: largest 7.5.
    pub const E2M3: Float = Float::row("e2m3", 1, 2, 3, Specials::Finite);
    /// OCP FP6: largest 28.
    pub const E3M2: Float = Float::row("e3m2", 2, 3, 2, Specials::Finite);
    /// OCP FP8: largest 448, no infinity.
    pub const E4M3: Float = Float::row("e4m3", 3, 4, 3, Specials::OneNan);
    /// OCP FP8: largest 57344.
    pub const E5M2: Float = Float::row("e5m2", 4, 5, 2, Specials::Ieee);
    /// IEEE binary16.
    pub const F16: Float = Float::row("f16", 5, 5, 10, Specials::Ieee);
    /// The upper half of a binary32.
    pub const BF16: Float = Float::row("bf16", 6, 8, 7, Specials::Ieee);
    /// IEEE binary32.
    pub const F32: Float = Float::row("f32", 7, 8, 23, Specials::Ieee);

    /// Every float format: the named ones, then every other ExMy of 2 to 8 bits. Those have neither infinity nor NaN, as
    /// the OCP formats of 4 and 6 bits.
    pub const ALL: [Float; 31] = [
        Float::E2M1,
        Float::E2M3,
        Float::E3M2,
        Float::E4M3,
        Float::E5M2,
        Float::F16,
        Float::BF16,
        Float::F32,
        Float::row("e1m0", 8, 1, 0, Specials::Finite),
        Float::row("e1m1", 9, 1, 1, Specials::Finite),
        Float::row("e1m2", 10, 1, 2, Specials::Finite),
        Float::row("e1m3", 11, 1, 3, Specials::Finite),
        Float::row("e1m4", 12, 1, 4, Specials::Finite),
        Float::row("e1m5", 13, 1, 5, Specials::Finite),
        Float::row("e1m6", 14, 1, 6, Specials::Finite),
        Float::row("e2m0", 15, 2, 0, Specials::Finite),
        Float::row("e2m2", 16, 2, 2, Specials::Finite),
        Float::row("e2m4", 17, 2, 4, Specials::Finite),
        Float::row("e2m5", 18, 2, 5, Specials::Finite),
        Float::row("e3m0", 19, 3, 0, Specials::Finite),
        Float::row("e3m1", 20, 3, 1, Specials::Finite),
        Float::row("e3m3", 21, 3, 3, Specials::Finite),
        Float::row("e3m4", 22, 3, 4, Specials::Finite),
        Float::row("e4m0", 23, 4, 0, Specials::Finite),
        Float::row("e4m1", 24, 4, 1, Specials::Finite),
        Float::row("e4m2", 25, 4, 2, Specials::Finite),
        Float::row("e5m0", 26, 5, 0, Specials::Finite),
        Float::row("e5m1", 27, 5, 1, Specials::Finite),
        Float::row("e6m0", 28, 6, 0, Specials::Finite),
        Float::row("e6m1", 29, 6, 1, Specials::Finite),
        Float::row("e7m0", 30, 7, 0, Specials::Finite),
    ];

    const fn row(
        name: &'static str,
        wire: u8,
        exponent: u8,
        mantissa: u8,
        specials: Specials,
    ) -> Float {
        Float { name, wire, exponent, mantissa, specials }
    }

    /// Width of a code.
    pub const fn bits(self) -> u32 {
        1 + self.exponent as u32 + self.mantissa as u32
    }

    /// Bits of the exponent field.
    pub const fn exponent_bits(self) -> u32 {
        self.exponent as u32
    }

    /// Bits of the mantissa field, the hidden bit not counted.
    pub const fn mantissa_bits(self) -> u32 {
        self.mantissa as u32
    }

    /// What is subtracted from the exponent field.
    pub const fn bias(self) -> i32 {
        (1 << (self.exponent - 1)) - 1
    }

    /// Which codes are infinite or NaN.
    pub const fn specials(self) -> Specials {
        self.specials
    }

    /// The code of the largest finite magnitude.
    pub const fn max_code(self) -> u32 {
        let magnitudes = 1u32 << (self.exponent + self.mantissa);
        match self.specials {
            Specials::Ieee => magnitudes - (1 << self.mantissa) - 1,
            Specials::OneNan => magnitudes - 2,
            Specials::Finite => magnitudes - 1,
        }
    }

    /// The one NaN written by our hardware: positive and quiet. `None` when the format has no NaN.
    pub const fn nan_code(self) -> Option<u32> {
        match self.specials {
            // All exponent bits and the highest mantissa bit.
            Specials::Ieee => Some(self.max_code() + 1 + (1 << (self.mantissa - 1))),
            Specials::OneNan => Some(self.max_code() + 1),
            Specials::Finite => None,
        }
    }

    /// The code of plus infinity, when the format has it.
    pub const fn infinity_code(self) -> Option<u32> {
        match self.specials {
            Specials::Ieee => Some(self.max_code() + 1),
            Specials::OneNan | Specials::Finite => None,
        }
    }

    pub(super) fn decode(self, code: u32) -> f64 {
        let sign_bit = 1u32 << (self.bits() - 1);
        let magnitude = code & (sign_bit - 1);
        let value = if magnitude > self.max_code() {
            if self.infinity_code() == Some(magnitude) { f64::INFINITY } else { f64::NAN }
        } else {
            let field = (magnitude >> self.mantissa) as i32;
            let fraction = magnitude & ((1 << self.mantissa) - 1);
            let hidden = u32::from(field != 0) << self.mantissa;
            let unit = field.max(1) - self.bias() - i32::from(self.mantissa);
            f64::from(hidden | fraction) * power_of_two(unit)
        };
        if code & sign_bit != 0 && !value.is_nan() { -value } else { value }
    }

    pub(super) fn encode(self, value: Value, rounding: Rounding, saturate: bool) -> u32 {
        let (negative, magnitude) = match Parts::of(value) {
            Parts::Nan => return self.nan_code().unwrap_or(0),
            Parts::Zero { negative } => (negative, 0),
            Parts::Infinite { negative } => (negative, self.overflow(saturate)),
            Parts::Finite(x) => {
                let rounded = self.round(&x, rounding);
                if rounded <= u64::from(self.max_code()) {
                    (x.negative, rounded as u32)
                } else {
                    let toward_zero = match rounding {
                        Rounding::Rne | Rounding::Rna => false,
                        Rounding::Rz => true,
                        Rounding::Ru => x.negative,
                        Rounding::Rd => !x.negative,
                    };
                    (x.negative, self.overflow(saturate || toward_zero))
                }
            }
        };
        if self.nan_code() == Some(magnitude) {
            return magnitude; // the canonical NaN is positive
        }
        magnitude | u32::from(negative) << (self.bits() - 1)
    }

    /// The magnitude's code, past [`max_code`](Self::max_code) on overflow.
    ///
    /// A mantissa that rounds up to the next power of two carries into the exponent field by itself,
    /// and a subnormal that rounds up becomes the smallest normal number the same way.
    fn round(self, x: &Exact, rounding: Rounding) -> u64 {
        let lowest = 1 - self.bias();
        let exponent = x.leading().max(lowest);
        if exponent > self.bias() + 1 {
            return u64::MAX;
        }
        let (whole, rest) = x.split(exponent - i32::from(self.mantissa));
        let code = ((exponent - lowest) as u64).wrapping_shl(self.mantissa.into()) + whole;
        // The code's parity: without mantissa bits it is that of the exponent field.
        code + u64::from(away_from_zero(rounding, x.negative, code & 1 == 1, rest))
    }

    fn overflow(self, saturate: bool) -> u32 {
        if saturate {
            return self.max_code();
        }
        self.infinity_code().or(self.nan_code()).unwrap_or(self.max_code())
    }
}

/// `2^exponent`; all exponents of formats up to 32 bits are normal in `f64`.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}
