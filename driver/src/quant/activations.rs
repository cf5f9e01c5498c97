//! Activations on their way to the card: one scale a row.

use super::round::positive;
use super::{Matrix, QuantError, QuantizedWeights};
use half::f16;

/// The largest code of an activation, of both signs.
const MOST: f32 = 127.0;

/// Activations in codes.
pub(super) struct Coded {
    /// i8 of the ordinary columns, row after row.
    pub(super) codes: Vec<i8>,
    /// Factor of each row.
    pub(super) scales: Vec<f32>,
    /// The outlier columns, row after row.
    pub(super) outliers: Vec<f16>,
}

impl Coded {
    /// Each row by itself, as docs/numerics.md says.
    pub(super) fn new(inputs: &Matrix, weights: &QuantizedWeights) -> Result<Coded, QuantError> {
        let ordinary: Vec<usize> = weights.ordinary_rows().collect();
        let factors = &weights.arrays().factors;
        let mut coded = Coded { codes: vec![], scales: vec![], outliers: vec![] };
        let mut values = vec![0.0f32; ordinary.len()];
        for row in 0..inputs.rows() {
            let line = inputs.row(row);
            for (value, &col) in values.iter_mut().zip(&ordinary) {
                *value = line[col] * factors.get(col).copied().unwrap_or(1.0);
                finite("an activation times its factor", row, col, *value)?;
            }
            let most = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
            let scale = positive(most / MOST);
            let code = |value: &f32| (value / scale).round_ties_even().clamp(-MOST, MOST) as i8;
            coded.codes.extend(values.iter().map(code));
            coded.scales.push(scale);
            for &col in &weights.arrays().outliers {
                let value = f16::from_f32(line[col as usize]);
                finite("an outlier in binary16", row, col as usize, value.into())?;
                coded.outliers.push(value);
            }
        }
        Ok(coded)
    }
}

fn finite(what: &'static str, row: usize, col: usize, value: f32) -> Result<(), QuantError> {
    if value.is_finite() {
        return Ok(());
    }
    Err(QuantError::NotFinite { what, row, col, value })
}
