//! Which inputs and outputs matter most.

use super::{Matrix, QuantError};

/// Which rows are outliers. Rows are measured by the largest magnitude of their input on the calibration activations; without those, of
/// their weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outliers {
    /// This share of the rows, rounded up; of equals the first.
    Share(f64),
    /// Rows that reach this magnitude.
    Threshold(f32),
}

/// Which columns are wide: those whose squared error, each row counted by its input's mean square, falls most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wide {
    /// Their bits.
    pub bits: u32,
    /// Their share of all columns, rounded up; of equals the first.
    pub share: f64,
}

/// The least mean magnitude of an input, as a share of the mean of all: one that was hardly there in the calibration must not drown the
/// others when it comes.
const LEAST: f64 = 1.0 / 16.0;
/// AWQ's grid: exponents of the inputs' mean magnitude that are tried.
const EXPONENTS: u32 = 20;

/// The mean square of each input; 1 where nothing tells.
pub(super) fn importance(k: usize, inputs: Option<&Matrix>) -> Vec<f64> {
    let Some(inputs) = inputs else { return vec![1.0; k] };
    mean(inputs, |value| f64::from(value).powi(2))
}

/// The importance of inputs that are multiplied by such factors; no factors: as it was.
pub(super) fn of_scaled(importance: Vec<f64>, factors: &[f32]) -> Vec<f64> {
    if factors.is_empty() {
        return importance;
    }
    importance.iter().zip(factors).map(|(i, &f)| i * f64::from(f).powi(2)).collect()
}

fn mean(inputs: &Matrix, measure: impl Fn(f32) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; inputs.cols()];
    for row in inputs.values().chunks(inputs.cols()) {
        sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += measure(value));
    }
    sums.iter().map(|sum| sum / inputs.rows() as f64).collect()
}

/// The outlier rows, rising.
pub(super) fn outlier_rows(
    rule: Outliers,
    weights: &Matrix,
    inputs: Option<&Matrix>,
) -> Result<Vec<u32>, QuantError> {
    let k = weights.rows();
    let mut most = vec![0.0f32; k];
    match inputs {
        None => most = (0..k).map(|row| largest(weights.row(row))).collect(),
        Some(inputs) => {
            for row in inputs.values().chunks(k) {
                most.iter_mut().zip(row).for_each(|(most, value)| *most = most.max(value.abs()));
            }
        }
    }
    let rows = match rule {
        Outliers::Share(share) => {
            if !(0.0..1.0).contains(&share) {
                let right = "from 0 to less than 1";
                return Err(QuantError::setting("the share of outliers", share, right));
            }
            largest_of(&most, (share * k as f64).ceil() as usize)
        }
        Outliers::Threshold(threshold) => {
            if !(threshold > 0.0 && threshold.is_finite()) {
                let right = "positive and finite";
                return Err(QuantError::setting("the threshold of outliers", threshold, right));
            }
            (0..k).filter(|&row| most[row] >= threshold).collect()
        }
    };
    if rows.len() == k {
        let right = format!("at most {}: one row at least is quantised", k - 1);
        return Err(QuantError::setting("the number of outliers", k, right));
    }
    Ok(rows.into_iter().map(|row| row as u32).collect())
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

/// The places of the `count` largest values, rising; of equals the first.
fn largest_of<T: PartialOrd>(values: &[T], count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..values.len()).collect();
    let falling = |&a: &usize, &b: &usize| {
        values[b].partial_cmp(&values[a]).unwrap_or(std::cmp::Ordering::Equal)
    };
    places.sort_by(falling);
    places.truncate(count);
    places.sort_unstable();
    places
}

/// The bits of every column, by what each gains in more bits.
pub(super) fn widths(wide: Wide, bits: u32, gain: &[f64]) -> Vec<u8> {
    let mut widths = vec![bits as u8; gain.len()];
    for col in largest_of(gain, (wide.share * gain.len() as f64).ceil() as usize) {
        widths[col] = wide.bits as u8;
    }
    widths
}

/// Weights multiplied by `s_k`, and the factors `1 / s_k` of the inputs: `s_k` is the input's mean magnitude to the power, of 0, 1/20 .. 19/20,
/// whose `error` is least, over the root of the product of the largest and the smallest.
pub(super) fn input_factors(
    inputs: &Matrix,
    weights: &Matrix,
    error: impl Fn((&Matrix, &[f32])) -> f64,
) -> Result<(Matrix, Vec<f32>), QuantError> {
    let magnitudes = mean(inputs, |value| f64::from(value).abs());
    let floor = magnitudes.iter().sum::<f64>() / magnitudes.len() as f64 * LEAST;
    let magnitudes: Vec<f64> = magnitudes.iter().map(|m| m.max(floor)).collect();
    let mut best: Option<(f64, Matrix, Vec<f32>)> = None;
    for step in 0..EXPONENTS {
        let exponent = f64::from(step) / f64::from(EXPONENTS);
        // Where all inputs are 0 one factor is as good as another.
        let powers = magnitudes.iter().map(|m| if *m > 0.0 { m.powf(exponent) } else { 1.0 });
        let powers: Vec<f64> = powers.collect();
        let most = powers.iter().copied().fold(0.0, f64::max);
        let least = powers.iter().copied().fold(f64::INFINITY, f64::min);
        let middle = (most * least).sqrt();
        let factors: Vec<f32> = powers.iter().map(|p| (middle / p) as f32).collect();
        let cols = weights.cols();
        let scaled = weights.values().iter().enumerate();
        let scaled = scaled.map(|(i, weight)| weight / factors[i / cols]).collect();
        // Weights near the end of binary32 cannot be larger.
        let Ok(scaled) = Matrix::new(weights.rows(), cols, scaled) else { continue };
        let now = error((&scaled, &factors));
        if best.as_ref().is_none_or(|(least, ..)| now < *least) {
            best = Some((now, scaled, factors));
        }
    }
    best.map(|(_, scaled, factors)| (scaled, factors)).ok_or_else(|| {
        let right = "smaller, for scaling by activations";
        QuantError::setting("the largest weight", largest(weights.values()), right)
    })
}
