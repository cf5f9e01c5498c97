//! How many bits an exact sum of products needs.

use super::{Format, Tuple};

/// Least depth every exact tuple is built for.
pub const EXACT_DEPTH: u64 = 65_536;

/// The fixed-point accumulator in which sums of products of two formats are exact.
///
/// Every finite product is a multiple of `2^lowest` and at most `largest * 2^lowest` in magnitude, so a sum of K of them
/// is a multiple of `2^lowest` of at most `K * largest` units: it fits `bits` bits of two's complement while
/// `K * largest < 2^(bits - 1)`.
///
/// ```
/// let window = "e4m3,e4m3,f32".parse::<mattock_spec::Tuple>().unwrap().window().unwrap();
/// assert_eq!((window.lowest, window.bits, window.k_max), (-18, 53, 85_598));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Weight of the accumulator's lowest bit is `2^lowest`.
    pub lowest: i32,
    /// Largest magnitude of a product, in units of `2^lowest`.
    pub largest: u128,
    /// Bits of the accumulator, sign included.
    pub bits: u32,
    /// Most products whose sum is exact, at least [`EXACT_DEPTH`].
    pub k_max: u64,
}

/// A format's values as multiples of a power of two: its exponent, and the largest magnitude in those units.
fn grid(format: Format) -> Option<(i32, u128)> {
    match format {
        Format::Int(f) => Some((0, f.min().unsigned_abs().max(f.max().unsigned_abs()).into())),
        Format::Bipolar(f) => Some((0, f.max().unsigned_abs().into())),
        Format::Float(f) => {
            let lowest = 1 - f.bias() - f.mantissa_bits() as i32;
            let field = f.max_code() >> f.mantissa_bits();
            let fraction = f.max_code() & ((1 << f.mantissa_bits()) - 1);
            let significand = u128::from(fraction | 1 << f.mantissa_bits());
            // 2^127 and more: not a window anyone builds.
            (field < 100).then(|| (lowest, significand << (field.max(1) - 1)))
        }
    }
}

impl Tuple {
    /// The accumulator for exact sums of [`EXACT_DEPTH`] products or more; `None` when it would have more than 128 bits
    /// (bf16, f32 and floats of six and more exponent bits).
    pub fn window(&self) -> Option<Window> {
        let ((a_lowest, a_largest), (b_lowest, b_largest)) = (grid(self.a)?, grid(self.b)?);
        let largest = a_largest.checked_mul(b_largest)?;
        let sum = largest.checked_mul(EXACT_DEPTH.into())?;
        let bits = 128 - sum.leading_zeros() + 1;
        if bits > 128 {
            return None;
        }
        let most = ((1u128 << (bits - 1)) - 1) / largest;
        let k_max = u64::try_from(most).unwrap_or(u64::MAX);
        Some(Window { lowest: a_lowest + b_lowest, largest, bits, k_max })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FORMATS, Float};
    use super::*;

    #[test]
    fn the_grid_of_a_format_holds_every_code() {
        for &format in FORMATS.iter().filter(|f| f.bits() <= 16) {
            let Some((lowest, largest)) = grid(format) else { continue };
            let mut seen = 0f64;
            for code in 0..1u32 << format.bits() {
                let units = format.decode(code).to_f64() * 2f64.powi(-lowest);
                if units.is_finite() {
                    assert_eq!(units, units.trunc(), "{format} {code:#x}");
                    seen = seen.max(units.abs());
                }
            }
            assert_eq!(seen, largest as f64, "{format}");
        }
    }

    #[test]
    fn widths_of_the_common_tuples() {
        let of =
            |t: &str| t.parse::<Tuple>().unwrap().window().map(|w| (w.lowest, w.bits, w.k_max));
        insta::assert_debug_snapshot!(
            [
                "e2m1,e2m1,f32",
                "e2m3,e2m3,f32",
                "e3m2,e3m2,f32",
                "e4m3,e4m3,f32",
                "e5m2,e4m3,f32",
                "e5m2,e5m2,f32",
                "f16,f16,f32",
                "bf16,bf16,f32"
            ]
            .map(of)
        );
        assert!(Float::ALL.len() > 8);
    }
}
