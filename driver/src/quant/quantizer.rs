//! From float weights to quantised ones.

use super::round::Grid;
use super::salient::{self, Outliers, Wide};
use super::weights::{BITS, Method, QuantizedWeights, WeightArrays};
use super::{Matrix, QuantError};
use half::f16;

/// How weights become quantised ones.
///
/// ```
/// use mattock::quant::{Matrix, Quantizer};
/// let weights = Matrix::new(4, 2, vec![0.5, -1.0, 0.25, 0.75, -0.5, 2.0, 1.0, 0.0])?;
/// let four = Quantizer::groups(4, 2).zero_points().quantize(&weights, None)?;
/// assert_eq!((four.shape(), four.groups(), four.bits()), ((4, 2), 2, 32));
/// # Ok::<(), mattock::quant::QuantError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantizer {
    method: Method,
    bits: u32,
    group: Option<usize>,
    zero_points: bool,
    outliers: Option<Outliers>,
    wide: Option<Wide>,
    scaled: bool,
}

impl Quantizer {
    fn new(method: Method, bits: u32) -> Quantizer {
        let (group, zero_points, outliers, wide, scaled) = (None, false, None, None, false);
        Quantizer { method, bits, group, zero_points, outliers, wide, scaled }
    }

    /// Every weight to the nearest of its column's codes, 2 to 8 bits.
    pub fn rtn(bits: u32) -> Quantizer {
        Self::new(Method::Rtn, bits)
    }

    /// The same with a scale for every `size` rows of a column; the last group may be shorter.
    pub fn groups(bits: u32, size: usize) -> Quantizer {
        Quantizer { group: Some(size), ..Self::new(Method::Groups, bits) }
    }

    /// Some rows stay in binary16, the others become codes (LLM.int8(): Dettmers et al., NeurIPS 2022).
    pub fn outliers(bits: u32, outliers: Outliers) -> Quantizer {
        Quantizer { outliers: Some(outliers), ..Self::new(Method::Outliers, bits) }
    }

    /// A share of the columns gets more bits than the others (MixLLM: Zheng et al., 2024).
    pub fn columns(bits: u32, wide: Wide) -> Quantizer {
        Quantizer { wide: Some(wide), ..Self::new(Method::Columns, bits) }
    }

    /// Scales for every `size` ordinary rows of a column.
    pub fn grouped(self, size: usize) -> Quantizer {
        Quantizer { group: Some(size), ..self }
    }

    /// Codes from the smallest weight of a group to its largest, instead of the same on both sides of zero.
    pub fn zero_points(self) -> Quantizer {
        Quantizer { zero_points: true, ..self }
    }

    /// Weights of inputs that are large are multiplied before they are quantised, and the inputs divided (AWQ: Lin et al., MLSys 2024).
    /// Needs activations to calibrate with.
    pub fn scaled_by_activations(self) -> Quantizer {
        Quantizer { scaled: true, ..self }
    }

    /// Quantises K x N weights; `calibration`, activations of K columns, tells which of them matter. Without it all inputs count alike.
    ///
    /// # Errors
    /// [`QuantError::Setting`] for a setting outside what there is; [`QuantError::Uncalibrated`]; [`QuantError::NotFinite`] when
    /// an outlier's weight is beyond binary16.
    pub fn quantize(
        &self,
        weights: &Matrix,
        calibration: Option<&Matrix>,
    ) -> Result<QuantizedWeights, QuantError> {
        let (k, n) = (weights.rows(), weights.cols());
        self.check(k, n, calibration)?;
        let importance = salient::importance(k, calibration);
        let outliers = match self.outliers {
            None => vec![],
            Some(rule) => salient::outlier_rows(rule, weights, calibration)?,
        };
        let ordinary: Vec<usize> =
            (0..k).filter(|&row| outliers.binary_search(&(row as u32)).is_err()).collect();
        let group = self.group.unwrap_or(ordinary.len()).min(ordinary.len());
        let coder = Coder { ordinary: &ordinary, group, zero_points: self.zero_points };
        let scaled = match (self.scaled, calibration) {
            (false, _) => None,
            (true, None) => return Err(QuantError::Uncalibrated("scaling by activations")),
            (true, Some(inputs)) => Some(salient::input_factors(inputs, weights, |scaled| {
                coder.error(scaled, self.bits, &importance)
            })?),
        };
        // Rows that stay as they are: inputs of outliers have no factor.
        let outlier_weights = outlier_weights(weights, &outliers)?;
        let (weights, factors) = match &scaled {
            None => (weights, vec![]),
            Some((scaled, factors)) => (scaled, factors.clone()),
        };
        let importance = salient::of_scaled(importance, &factors);
        let widths = match self.wide {
            None => vec![self.bits as u8; n],
            Some(wide) => {
                let narrow = coder.column_errors(weights, self.bits, &importance);
                let gain = coder.column_errors(weights, wide.bits, &importance);
                let gain: Vec<f64> = narrow.iter().zip(gain).map(|(n, w)| n - w).collect();
                salient::widths(wide, self.bits, &gain)
            }
        };
        let (codes, scales, zeros) = coder.codes(weights, &widths);
        let zeros = if self.zero_points { zeros } else { vec![] };
        QuantizedWeights::new(WeightArrays {
            method: self.method,
            shape: (k, n),
            group,
            widths,
            codes,
            scales,
            zeros,
            outliers,
            outlier_weights,
            factors,
        })
    }

    fn check(&self, k: usize, n: usize, calibration: Option<&Matrix>) -> Result<(), QuantError> {
        if k == 0 || n == 0 {
            let what = "the shape of the weights";
            return Err(QuantError::setting(what, format!("{k} x {n}"), "one weight at least"));
        }
        if !BITS.contains(&self.bits) {
            return Err(QuantError::setting("bits", self.bits, "from 2 to 8"));
        }
        if self.group == Some(0) {
            return Err(QuantError::setting("the rows of a group", 0, "at least 1"));
        }
        if let Some(Wide { bits, share }) = self.wide {
            if !BITS.contains(&bits) || bits <= self.bits {
                let right = format!("more than the {} of the others, at most 8", self.bits);
                return Err(QuantError::setting("bits of wide columns", bits, right));
            }
            if !(0.0..=1.0).contains(&share) {
                return Err(QuantError::setting("the share of wide columns", share, "0 to 1"));
            }
        }
        if let Some(inputs) = calibration
            && (inputs.cols() != k || inputs.rows() == 0)
        {
            let value = format!("{} x {}", inputs.rows(), inputs.cols());
            let right = format!("a row at least, of {k} columns: one for each row of the weights");
            return Err(QuantError::setting("the shape of the activations", value, right));
        }
        Ok(())
    }
}

/// The rows of outliers in binary16.
fn outlier_weights(weights: &Matrix, outliers: &[u32]) -> Result<Vec<f16>, QuantError> {
    let mut narrow = Vec::with_capacity(outliers.len() * weights.cols());
    for &row in outliers {
        let row = row as usize;
        for (col, &weight) in weights.row(row).iter().enumerate() {
            let value = f16::from_f32(weight);
            if !value.is_finite() {
                let (what, value) = ("an outlier's weight in binary16", value.into());
                return Err(QuantError::NotFinite { what, row, col, value });
            }
            narrow.push(value);
        }
    }
    Ok(narrow)
}

/// Which rows share a scale.
#[derive(Clone, Copy)]
struct Coder<'a> {
    ordinary: &'a [usize],
    group: usize,
    zero_points: bool,
}

impl Coder<'_> {
    fn grid(&self, weights: &Matrix, rows: &[usize], col: usize, bits: u32) -> Grid {
        let values = rows.iter().map(|&row| weights.row(row)[col]);
        match self.zero_points {
            false => Grid::symmetric(values, bits),
            true => Grid::with_zero_point(values, bits),
        }
    }

    fn codes(&self, weights: &Matrix, widths: &[u8]) -> (Vec<i8>, Vec<f32>, Vec<i8>) {
        let n = widths.len();
        let (mut codes, mut scales, mut zeros) = (vec![], vec![], vec![]);
        for rows in self.ordinary.chunks(self.group) {
            let grids = widths.iter().enumerate();
            let grids = grids.map(|(col, &bits)| self.grid(weights, rows, col, bits.into()));
            let grids: Vec<Grid> = grids.collect();
            codes.reserve(rows.len() * n);
            for &row in rows {
                let row = weights.row(row);
                codes.extend(row.iter().zip(&grids).map(|(&value, grid)| grid.code(value)));
            }
            scales.extend(grids.iter().map(|grid| grid.scale));
            zeros.extend(grids.iter().map(|grid| grid.zero));
        }
        (codes, scales, zeros)
    }

    /// The squared error of each column, every row counted by its importance.
    fn column_errors(&self, weights: &Matrix, bits: u32, importance: &[f64]) -> Vec<f64> {
        let column = |col: usize| {
            let groups = self.ordinary.chunks(self.group).map(|rows| {
                let grid = self.grid(weights, rows, col, bits);
                let error = |&row: &usize| {
                    let value = weights.row(row)[col];
                    let error = f64::from(grid.value(grid.code(value))) - f64::from(value);
                    importance[row] * error * error
                };
                rows.iter().map(error).sum::<f64>()
            });
            groups.sum()
        };
        (0..weights.cols()).map(column).collect()
    }

    fn error(&self, (weights, factors): (&Matrix, &[f32]), bits: u32, importance: &[f64]) -> f64 {
        let importance = salient::of_scaled(importance.to_vec(), factors);
        self.column_errors(weights, bits, &importance).iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, cols: usize, value: impl Fn(usize, usize) -> f32) -> Matrix {
        let values = (0..rows * cols).map(|i| value(i / cols, i % cols)).collect();
        Matrix::new(rows, cols, values).unwrap()
    }

    fn weights() -> Matrix {
        matrix(10, 4, |row, col| ((row * 7 + col * 13) % 11) as f32 - 5.0 + 0.1 * col as f32)
    }

    fn worst(a: &Matrix, b: &QuantizedWeights) -> f32 {
        let pairs = a.values().iter().zip(b.values());
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn no_weight_is_further_than_half_a_step() {
        let weights = weights();
        for bits in BITS {
            for group in [1, 3, 10, 64] {
                for zero_points in [false, true] {
                    let how = Quantizer::groups(bits, group);
                    let how = if zero_points { how.zero_points() } else { how };
                    let coded = how.quantize(&weights, None).unwrap();
                    assert_eq!(coded.groups(), 10usize.div_ceil(group), "{how:?}");
                    let step = coded.arrays().scales.iter().fold(0.0f32, |a, &b| a.max(b));
                    assert!(worst(&weights, &coded) <= 0.5001 * step, "{how:?}");
                }
            }
        }
    }

    #[test]
    fn the_last_group_has_a_scale_of_its_own() {
        let weights = matrix(5, 1, |row, _| if row < 4 { 7.0 } else { 0.7 });
        let coded = Quantizer::groups(4, 2).quantize(&weights, None).unwrap();
        assert_eq!(coded.arrays().codes, [7, 7, 7, 7, 7]);
        assert_eq!(coded.arrays().scales, [1.0, 1.0, 0.7 / 7.0]);
    }

    #[test]
    fn outliers_are_the_large_inputs_and_keep_their_weights() {
        let inputs = matrix(3, 10, |_, col| [0.1, 9.0, -0.2, 0.3, -7.0][col % 5]);
        let rule = Outliers::Threshold(7.0);
        let coded = Quantizer::outliers(8, rule).quantize(&weights(), Some(&inputs)).unwrap();
        assert_eq!(coded.arrays().outliers, [1, 4, 6, 9]);
        let share = Quantizer::outliers(8, Outliers::Share(0.15));
        let coded = share.quantize(&weights(), Some(&inputs)).unwrap();
        assert_eq!(coded.arrays().outliers, [1, 6]);
        assert_eq!(coded.ordinary_rows().collect::<Vec<_>>(), [0, 2, 3, 4, 5, 7, 8, 9]);
        let kept = coded.values()[6 * 4 + 3];
        assert_eq!(kept, f16::from_f32(weights().row(6)[3]).to_f32());
    }

    #[test]
    fn the_columns_that_gain_most_are_wide() {
        // The codes of column 1 are exact in 4 bits.
        let weights = matrix(8, 3, |row, col| match col {
            0 => 0.1 * (row as f32 + 0.5).sin(),
            1 => row as f32,
            _ => (row as f32).cos(),
        });
        let wide = Wide { bits: 8, share: 0.34 };
        let coded = Quantizer::columns(4, wide).quantize(&weights, None).unwrap();
        assert_eq!(coded.arrays().widths, [8, 4, 8]);
        let wide = Wide { bits: 8, share: 0.1 };
        let coded = Quantizer::columns(4, wide).quantize(&weights, None).unwrap();
        assert_eq!(coded.arrays().widths, [4, 4, 8]);
    }

    #[test]
    fn scaling_by_activations_lowers_the_error_that_matters() {
        let inputs = matrix(6, 10, |row, col| if col == 3 { 20.0 } else { 0.1 + row as f32 / 9.0 });
        let error = |coded: &QuantizedWeights| {
            let difference: Vec<f32> =
                weights().values().iter().zip(coded.values()).map(|(a, b)| a - b).collect();
            let rows = (0..6).flat_map(|i| (0..4).map(move |j| (i, j)));
            let sums = rows.map(|(i, j)| {
                (0..10).map(|k| inputs.row(i)[k] * difference[k * 4 + j]).sum::<f32>().powi(2)
            });
            sums.sum::<f32>()
        };
        let plain = Quantizer::rtn(3).quantize(&weights(), Some(&inputs)).unwrap();
        let scaled = Quantizer::rtn(3).scaled_by_activations();
        let scaled = scaled.quantize(&weights(), Some(&inputs)).unwrap();
        assert_eq!(scaled.arrays().factors.len(), 10);
        assert!(error(&scaled) < 0.5 * error(&plain), "{} {}", error(&scaled), error(&plain));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let weights = weights();
        let huge = matrix(10, 1, |_, _| 1e6);
        let refuse = |how: Quantizer, weights: &Matrix, inputs: Option<&Matrix>| {
            how.quantize(weights, inputs).unwrap_err().to_string()
        };
        let wide = |bits, share| Quantizer::columns(4, Wide { bits, share });
        let share = |share| Quantizer::outliers(8, Outliers::Share(share));
        let text = [
            refuse(Quantizer::rtn(1), &weights, None),
            refuse(Quantizer::rtn(9), &weights, None),
            refuse(Quantizer::groups(4, 0), &weights, None),
            refuse(wide(4, 0.5), &weights, None),
            refuse(wide(9, 0.5), &weights, None),
            refuse(wide(8, f64::NAN), &weights, None),
            refuse(share(-0.5), &weights, None),
            refuse(share(1.0), &weights, None),
            refuse(Quantizer::outliers(8, Outliers::Threshold(0.0)), &weights, None),
            refuse(Quantizer::outliers(8, Outliers::Threshold(1e-9)), &weights, None),
            refuse(share(0.1), &huge, None),
            refuse(Quantizer::rtn(4).scaled_by_activations(), &weights, None),
            refuse(Quantizer::rtn(4), &weights, Some(&weights)),
            refuse(Quantizer::rtn(4), &matrix(0, 3, |_, _| 0.0), None),
            Matrix::new(1, 2, vec![0.0, f32::NAN]).unwrap_err().to_string(),
            Matrix::new(2, 2, vec![0.0]).unwrap_err().to_string(),
        ];
        insta::assert_snapshot!(text.join("\n"));
    }
}
