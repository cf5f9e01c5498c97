//! Values of a file, which are `f64`, as the types a card computes with.

use super::Csr;

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
        self.try_convert(|value| {
            if value.is_nan() {
                Err("is not a number where integers are asked")
            } else if value < f64::from(i32::MIN) || value > f64::from(i32::MAX) {
                Err("is outside the range of a 32-bit integer")
            } else if value.fract() != 0.0 {
                Err("is not a whole number where integers are asked")
            } else {
                Ok(value as i32)
            }
        })
    }

    /// The same matrix with values rounded to `f32`, ties to even. NaN and infinities stay.
    ///
    /// # Errors
    /// [`ConvertError`] at the first finite value that `f32` cannot reach.
    pub fn to_f32(&self) -> Result<Csr<f32>, ConvertError> {
        self.try_convert(|value| {
            let rounded = value as f32;
            if rounded.is_infinite() && value.is_finite() {
                Err("is outside the range of a 32-bit float")
            } else {
                Ok(rounded)
            }
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
    fn pattern_keeps_structure_only() {
        let p = one(7.0).pattern(1i32);
        assert_eq!((p.col_idx(), p.values()), (&[1][..], &[1][..]));
    }
}
