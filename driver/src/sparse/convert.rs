//! Values of a file, which are `f64`, as the types a card computes with.

use super::Csr;
use crate::element::Element;
use half::{bf16, f16};
use mattock_spec::{Rounding, Value};

/// A value that the asked type cannot hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("entry ({row}, {col}) is {value:?}, which {why}")]
#[non_exhaustive]
pub struct ConvertError {
    /// Row of the entry, from 0.
    pub row: usize,
    /// Its column, from 0.
    pub col: u32,
    /// Its value.
    pub value: f64,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Csr<f64> {
    /// The same matrix with 32-bit integer values.
    ///
    /// # Errors
    /// [`ConvertError`] at the first value that is NaN, not whole, or outside `i32`.
    pub fn to_i32(&self) -> Result<Csr<i32>, ConvertError> {
        self.to_whole("is outside the range of a 32-bit integer")
    }

    /// The same matrix with 16-bit integer values.
    ///
    /// # Errors
    /// As [`to_i32`](Self::to_i32).
    pub fn to_i16(&self) -> Result<Csr<i16>, ConvertError> {
        self.to_whole("is outside the range of a 16-bit integer")
    }

    /// The same matrix with 8-bit integer values.
    ///
    /// # Errors
    /// As [`to_i32`](Self::to_i32).
    pub fn to_i8(&self) -> Result<Csr<i8>, ConvertError> {
        self.to_whole("is outside the range of an 8-bit integer")
    }

    /// The same matrix with values rounded to `f32`, ties to even. NaN and infinities stay.
    ///
    /// # Errors
    /// [`ConvertError`] at the first finite value that `f32` cannot reach.
    pub fn to_f32(&self) -> Result<Csr<f32>, ConvertError> {
        self.to_real(f32::from_bits, "is outside the range of a 32-bit float")
    }

    /// The same matrix with values rounded once to IEEE binary16, ties to even. NaN and infinities stay.
    ///
    /// # Errors
    /// As [`to_f32`](Self::to_f32).
    pub fn to_f16(&self) -> Result<Csr<f16>, ConvertError> {
        self.to_real(|code| f16::from_bits(code as u16), "is outside the range of a 16-bit float")
    }

    /// The same matrix with values rounded once to bfloat16, ties to even. NaN and infinities stay.
    ///
    /// # Errors
    /// As [`to_f32`](Self::to_f32).
    pub fn to_bf16(&self) -> Result<Csr<bf16>, ConvertError> {
        self.to_real(|code| bf16::from_bits(code as u16), "is outside the range of a bfloat16")
    }

    fn to_whole<U: TryFrom<i64>>(&self, outside: &'static str) -> Result<Csr<U>, ConvertError> {
        self.try_convert(|value| {
            if value.is_nan() {
                Err("is not a number where integers are asked")
            } else if value.is_finite() && value.fract() != 0.0 {
                Err("is not a whole number where integers are asked")
            } else {
                // The conversion to 64 bits saturates, far outside.
                U::try_from(value as i64).map_err(|_| outside)
            }
        })
    }

    fn to_real<U: Element>(
        &self,
        of: impl Fn(u32) -> U,
        outside: &'static str,
    ) -> Result<Csr<U>, ConvertError> {
        let round = |value: f64| U::FORMAT.encode(Value::Float(value), Rounding::Rne, false);
        self.try_convert(|value| {
            let code = round(value);
            let lost = value.is_finite() && !U::FORMAT.decode(code).to_f64().is_finite();
            if lost { Err(outside) } else { Ok(of(code)) }
        })
    }

    fn try_convert<U>(
        &self,
        convert: impl Fn(f64) -> Result<U, &'static str>,
    ) -> Result<Csr<U>, ConvertError> {
        self.try_map(|row, col, &value| {
            convert(value).map_err(|why| ConvertError { row, col, value, why })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: f64) -> Csr<f64> {
        Csr::new(1, 2, vec![0, 1], vec![1], vec![value]).unwrap()
    }

    #[test]
    fn whole_numbers_become_integers() {
        for value in [0.0, -0.0, 1.0, f64::from(i32::MIN), f64::from(i32::MAX)] {
            assert_eq!(one(value).to_i32().unwrap().values(), [value as i32]);
        }
    }

    #[test]
    fn other_values_are_refused_as_integers() {
        let text: Vec<_> = [f64::NAN, 0.5, 2147483648.0, f64::NEG_INFINITY]
            .map(|value| one(value).to_i32().unwrap_err().to_string())
            .into();
        insta::assert_snapshot!(text.join("\n"), @r"
        entry (0, 1) is NaN, which is not a number where integers are asked
        entry (0, 1) is 0.5, which is not a whole number where integers are asked
        entry (0, 1) is 2147483648.0, which is outside the range of a 32-bit integer
        entry (0, 1) is -inf, which is outside the range of a 32-bit integer
        ");
    }

    #[test]
    fn floats_round_and_refuse_overflow() {
        assert_eq!(one(0.1).to_f32().unwrap().values(), [0.1f32]);
        assert!(one(f64::NAN).to_f32().unwrap().values()[0].is_nan());
        assert_eq!(one(f64::INFINITY).to_f32().unwrap().values(), [f32::INFINITY]);
        insta::assert_snapshot!(
            one(1e39).to_f32().unwrap_err(),
            @"entry (0, 1) is 1e39, which is outside the range of a 32-bit float"
        );
    }

    #[test]
    fn narrow_values_are_those_that_fit() {
        for value in [-128.0, 127.0] {
            assert_eq!(one(value).to_i8().unwrap().values(), [value as i8]);
        }
        assert_eq!(one(-32768.0).to_i16().unwrap().values(), [i16::MIN]);
        // Between two numbers of binary16, a little above the middle: once through f32, the tie would be lost.
        let above = 1.0 + f64::from(f16::EPSILON) / 2.0 + 1e-12;
        assert_eq!(one(above).to_f16().unwrap().values(), [f16::from_bits(0x3c01)]);
        assert_eq!(one(65519.9).to_f16().unwrap().values(), [f16::MAX]);
        assert_eq!(one(1e-7).to_f16().unwrap().values(), [f16::from_bits(2)]);
        assert_eq!(one(f64::INFINITY).to_bf16().unwrap().values(), [bf16::INFINITY]);
        let text = [
            one(128.0).to_i8().unwrap_err(),
            one(-129.0).to_i8().unwrap_err(),
            one(0.5).to_i8().unwrap_err(),
            one(32768.0).to_i16().unwrap_err(),
            one(65520.0).to_f16().unwrap_err(),
            one(3.4e38).to_bf16().unwrap_err(),
        ]
        .map(|error| error.to_string());
        insta::assert_snapshot!(text.join("\n"), @r"
        entry (0, 1) is 128.0, which is outside the range of an 8-bit integer
        entry (0, 1) is -129.0, which is outside the range of an 8-bit integer
        entry (0, 1) is 0.5, which is not a whole number where integers are asked
        entry (0, 1) is 32768.0, which is outside the range of a 16-bit integer
        entry (0, 1) is 65520.0, which is outside the range of a 16-bit float
        entry (0, 1) is 3.4e38, which is outside the range of a bfloat16
        ");
    }

    #[test]
    fn pattern_keeps_structure_only() {
        let p = one(7.0).pattern(1i32);
        assert_eq!((p.col_idx(), p.values()), (&[1][..], &[1][..]));
    }
}
