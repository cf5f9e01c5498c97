//! From a 32-bit sum to a narrow integer: three conventions that differ where a value lies halfway.

/// How a sum is multiplied by a real factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Requant {
    /// gemmlowp and TFLite: [`double_rounding`].
    DoubleRounding,
    /// TFLite built with single rounding: [`single_rounding`].
    SingleRounding,
    /// ONNX QLinearMatMul: [`half_even`].
    HalfEven,
}

/// A positive real factor as `multiplier * 2^(shift - 31)`, the multiplier in [2^30, 2^31).
///
/// Rounds to nearest, ties away from zero; factors below 2^-32 become 0. (TFLite's `QuantizeMultiplier`.)
///
/// # Panics
/// When `factor` is negative, not finite, or 2^30 and more.
pub fn quantized_multiplier(factor: f64) -> (i32, i32) {
    assert!((0.0..1073741824.0).contains(&factor), "factor {factor} is outside 0 to 2^30");
    if factor == 0.0 {
        return (0, 0);
    }
    let exponent = (factor.to_bits() >> 52) as i32 - 1022; // factor = fraction * 2^exponent, fraction in [1/2, 1)
    if exponent < -31 {
        return (0, 0);
    }
    let multiplier = (factor * 2f64.powi(31 - exponent)).round() as i64;
    match multiplier {
        0x8000_0000 => (1 << 30, exponent + 1),
        multiplier => (multiplier as i32, exponent),
    }
}

/// gemmlowp: `x * 2^max(shift, 0)` (wrapping), a rounding doubling high product, a rounding division by `2^-shift`.
///
/// The product is rounded to nearest with ties away from zero for negative values and up otherwise, both the same as
/// "add half, truncate"; its one overflow, (-2^31)^2, saturates. The division rounds to nearest, ties away from zero.
/// Source: gemmlowp `fixedpoint.h`, TFLite `MultiplyByQuantizedMultiplier`.
pub fn double_rounding(x: i32, multiplier: i32, shift: i32) -> i32 {
    let shifted = x.wrapping_shl(shift.clamp(0, 31) as u32);
    let right = (-shift).clamp(0, 31);
    let high = if shifted == i32::MIN && multiplier == i32::MIN {
        i32::MAX
    } else {
        let product = i64::from(shifted) * i64::from(multiplier);
        let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
        ((product + nudge) / (1 << 31)) as i32
    };
    let mask = ((1i64 << right) - 1) as i32;
    let threshold = (mask >> 1) + i32::from(high < 0);
    (high >> right) + i32::from((high & mask) > threshold)
}

/// TFLite with `TFLITE_SINGLE_ROUNDING`: `(x * multiplier + 2^(30 - shift)) >> (31 - shift)`: ties up. Saturates to 32 bits.
pub fn single_rounding(x: i32, multiplier: i32, shift: i32) -> i32 {
    let places = (31 - shift).clamp(1, 62);
    let product = i128::from(x) * i128::from(multiplier) + (1 << (places - 1));
    (product >> places).clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// ONNX Runtime's QLinearMatMul: the sum as binary32 (to nearest even), times the factor in binary32, rounded to an
/// integer with ties to even. Saturates to 32 bits; NaN becomes 0.
pub fn half_even(x: i32, factor: f32) -> i32 {
    (x as f32 * factor).round_ties_even() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_modes_differ_on_ties() {
        let half = quantized_multiplier(0.5);
        assert_eq!(half, (1 << 30, 0));
        let all = |x| {
            (
                double_rounding(x, half.0, half.1),
                single_rounding(x, half.0, half.1),
                half_even(x, 0.5),
            )
        };
        assert_eq!(all(3), (2, 2, 2)); // 1.5
        assert_eq!(all(1), (1, 1, 0)); // 0.5
        assert_eq!(all(-1), (0, 0, 0)); // -0.5: the doubling product rounds it up too
        let quarter = quantized_multiplier(0.25);
        let both = |x| {
            (double_rounding(x, quarter.0, quarter.1), single_rounding(x, quarter.0, quarter.1))
        };
        assert_eq!(both(-2), (-1, 0)); // -0.5: away from zero, up
        assert_eq!(both(1), (1, 0)); // 0.25 becomes 0.5 becomes 1: rounded twice
    }

    #[test]
    fn factors_become_normalised_multipliers() {
        assert_eq!(quantized_multiplier(1.0), (1 << 30, 1));
        assert_eq!(quantized_multiplier(1.0 - 1e-12), (1 << 30, 1)); // rounds up to the next power of two
        assert_eq!(quantized_multiplier(2f64.powi(-32)), (1 << 30, -31));
        assert_eq!(quantized_multiplier(2f64.powi(-33)), (0, 0));
        assert_eq!(double_rounding(i32::MIN, i32::MIN, 0), i32::MAX);
    }
}
