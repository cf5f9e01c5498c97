//! Tables of functions of quantised values.

use super::Activation;

/// What the codes of a quantised value stand for: `step * (code - zero)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantised {
    /// Distance of the values of neighbouring codes.
    pub step: f64,
    /// The code of 0.
    pub zero: i32,
}

/// Entries of a table.
pub const TABLE_ENTRIES: usize = 256;

impl Activation {
    /// The table of `f` for codes of 8 bits, with or without sign (those of D), to the nearest code of `output`, ties to even.
    ///
    /// ```
    /// use mattock::dense::{Activation, Quantised};
    /// let step = Quantised { step: 0.125, zero: 0 };
    /// let Activation::Table(square) = Activation::table(true, step, step, |x| x * x) else { panic!() };
    /// assert_eq!((square[8], square[0xf8]), (8, 8)); // (+-1)^2
    /// ```
    pub fn table(
        signed: bool,
        input: Quantised,
        output: Quantised,
        f: impl Fn(f64) -> f64,
    ) -> Activation {
        let entry = |index: usize| {
            let code = if signed { i32::from(index as u8 as i8) } else { index as i32 };
            let value = f(input.step * f64::from(code.saturating_sub(input.zero)));
            let code = (value / output.step).round_ties_even() + f64::from(output.zero);
            // Saturates; what is no number becomes 0.
            code as i16
        };
        Activation::Table((0..TABLE_ENTRIES).map(entry).collect())
    }
}

/// `x * P(X <= x)` with X normal: the Gaussian error linear unit, not its approximation by tanh.
pub fn gelu(x: f64) -> f64 {
    x * 0.5 * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

/// `x / (1 + exp(-x))`: the sigmoid linear unit, also called swish.
pub fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_and_their_tables() {
        // Digits from a table of the normal distribution, and from exp(1).
        assert!((gelu(1.0) - 0.841_344_746_068_543).abs() < 1e-15);
        assert!((silu(-1.0) + 0.268_941_421_369_995).abs() < 1e-15);
        let (input, output) =
            (Quantised { step: 0.5, zero: 3 }, Quantised { step: 0.25, zero: -7 });
        let Activation::Table(signed) = Activation::table(true, input, output, |x| x) else {
            panic!()
        };
        assert_eq!([3usize, 4, 127, 128].map(|i| signed[i]), [-7, -5, 241, -269]);
        let Activation::Table(plain) = Activation::table(false, input, output, f64::sqrt) else {
            panic!()
        };
        assert_eq!([0usize, 3, 5, 255].map(|i| plain[i]), [0, -7, -3, 38]);
    }
}
