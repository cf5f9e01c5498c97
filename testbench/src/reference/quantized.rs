//! Products with quantised weights, in the order of `docs/numerics.md`: the definition, in plain loops over plain arrays.

use mattock::f16;
use mattock::quant::QuantizedWeights;

/// A product of activations and quantised weights: K inputs, N outputs.
#[derive(Clone, Debug, Default)]
pub struct QuantizedProduct {
    /// Outputs.
    pub n: usize,
    /// Rows of the weights that are in integers.
    pub ordinary: Vec<usize>,
    /// Of those, how many share a scale.
    pub group: usize,
    /// Codes, ordinary rows x N.
    pub codes: Vec<i8>,
    /// Scales, groups x N.
    pub scales: Vec<f32>,
    /// Zero points, groups x N; empty: all zero.
    pub zeros: Vec<i8>,
    /// Rows in binary16.
    pub outliers: Vec<usize>,
    /// Their weights, outliers x N.
    pub outlier_weights: Vec<f16>,
    /// Factors of the inputs; empty: all one.
    pub factors: Vec<f32>,
}

impl QuantizedProduct {
    /// The arrays of these weights.
    pub fn of(weights: &QuantizedWeights) -> QuantizedProduct {
        let arrays = weights.arrays().clone();
        let (k, n) = arrays.shape;
        let outliers: Vec<usize> = arrays.outliers.iter().map(|&row| row as usize).collect();
        QuantizedProduct {
            n,
            ordinary: (0..k).filter(|row| !outliers.contains(row)).collect(),
            group: arrays.group,
            codes: arrays.codes,
            scales: arrays.scales,
            zeros: arrays.zeros,
            outliers,
            outlier_weights: arrays.outlier_weights,
            factors: arrays.factors,
        }
    }

    /// D, of as many rows as there are rows of activations, each `k` values.
    pub fn product(&self, activations: &[f32], k: usize) -> Vec<f32> {
        activations.chunks(k).flat_map(|row| self.row(row)).collect()
    }

    fn row(&self, inputs: &[f32]) -> Vec<f32> {
        let factor = |row: usize| if self.factors.is_empty() { 1.0 } else { self.factors[row] };
        let inputs_of = |row: usize| inputs[row] * factor(row);
        let mut most = 0.0f32;
        for &row in &self.ordinary {
            most = most.max(inputs_of(row).abs());
        }
        let mut scale = most / 127.0;
        if scale == 0.0 {
            scale = 1.0;
        }
        let code =
            |row: usize| (inputs_of(row) / scale).round_ties_even().clamp(-127.0, 127.0) as i64;
        let codes: Vec<i64> = self.ordinary.iter().map(|&row| code(row)).collect();
        let mut outputs = vec![0.0f32; self.n];
        for (group, codes) in codes.chunks(self.group).enumerate() {
            let mut sums = vec![0i64; self.n];
            for (i, code) in codes.iter().enumerate() {
                let row = (group * self.group + i) * self.n;
                for (col, sum) in sums.iter_mut().enumerate() {
                    let at = group * self.n + col;
                    let zero = if self.zeros.is_empty() { 0 } else { self.zeros[at].into() };
                    *sum += code * (i64::from(self.codes[row + col]) - zero);
                }
            }
            for (col, output) in outputs.iter_mut().enumerate() {
                let scaled = sums[col] as f32 * self.scales[group * self.n + col];
                *output += scaled;
            }
        }
        for (col, output) in outputs.iter_mut().enumerate() {
            *output *= scale;
            if self.outliers.is_empty() {
                continue;
            }
            let mut beside = 0.0f32;
            for (i, &row) in self.outliers.iter().enumerate() {
                let weight = self.outlier_weights[i * self.n + col].to_f32();
                // Exact: two significands of 11 bits.
                let product = f16::from_f32(inputs[row]).to_f32() * weight;
                beside += product;
            }
            *output += beside;
        }
        outputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_by_hand() {
        let product = QuantizedProduct {
            n: 1,
            ordinary: vec![0, 2, 3],
            group: 2,
            codes: vec![3, -2, 7],
            scales: vec![0.5, 2.0],
            zeros: vec![1, 0],
            outliers: vec![1],
            outlier_weights: vec![f16::from_f32(0.25)],
            factors: vec![2.0, 9.0, 1.0, 1.0],
        };
        // Codes of the inputs: 254 / 2 = 127, 10 / 2 = 5, -3.
        let sums = [127.0 * (3.0 - 1.0) + 5.0 * (-2.0 - 1.0), -3.0 * 7.0];
        let d = (sums[0] * 0.5 + sums[1] * 2.0) * 2.0 + 100.0 * 0.25;
        assert_eq!(product.product(&[127.0, 100.0, 10.0, -6.0], 4), [d]);
    }
}
