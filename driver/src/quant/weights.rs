//! Quantised weights: what a product needs to know, checked.

use super::QuantError;
use half::f16;
use std::ops::RangeInclusive;

/// Widths of codes.
pub const BITS: RangeInclusive<u32> = 2..=8;

/// How weights were quantised: what a file says about its origin. Products follow the arrays, not the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// To the nearest code, one scale a column.
    Rtn,
    /// A scale for every group of rows of a column, as GPTQ and AWQ store weights.
    Groups,
    /// Rows of few, large inputs kept in binary16, as LLM.int8() does.
    Outliers,
    /// Columns that matter most in more bits, as MixLLM does.
    Columns,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 4] = [Method::Rtn, Method::Groups, Method::Outliers, Method::Columns];

    /// Its name in files and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Method::Rtn => "rtn",
            Method::Groups => "groups",
            Method::Outliers => "outliers",
            Method::Columns => "columns",
        }
    }
}

/// The smallest and the largest code of so many bits.
pub(super) fn range(bits: u32) -> (i32, i32) {
    (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
}

/// The parts of [`QuantizedWeights`], before they are checked.
///
/// Rows are those of the weights: K inputs, of which some may be outliers; the others, in their order, are the *ordinary*
/// rows, cut into groups of `group` rows of which the last may be shorter. Columns are the N outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightArrays {
    /// How they were made.
    pub method: Method,
    /// Rows and columns, outliers included.
    pub shape: (usize, usize),
    /// Ordinary rows of a group, at least 1.
    pub group: usize,
    /// Bits of the codes of each column.
    pub widths: Vec<u8>,
    /// Codes of the ordinary rows, row after row, two's complement.
    pub codes: Vec<i8>,
    /// Factor of each group and column, group after group; positive.
    pub scales: Vec<f32>,
    /// What is taken from each code of a group and column; empty: nothing.
    pub zeros: Vec<i8>,
    /// Rows that are not quantised, rising.
    pub outliers: Vec<u32>,
    /// Their weights, row after row.
    pub outlier_weights: Vec<f16>,
    /// Factor of each input before it is quantised, positive; empty: 1.
    pub factors: Vec<f32>,
}

/// Weights of a layer in integers: K x N, `D = activations * weights`. What a product with them is, bit for bit: `docs/numerics.md`.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedWeights {
    arrays: WeightArrays,
}

impl QuantizedWeights {
    /// Weights of these arrays.
    ///
    /// # Errors
    /// [`QuantError`] naming the array at fault: sizes that do not fit together, codes or zero points beyond their bits,
    /// scales or factors that are not positive and finite, outliers out of range or not rising.
    pub fn new(arrays: WeightArrays) -> Result<QuantizedWeights, QuantError> {
        check(&arrays)?;
        Ok(QuantizedWeights { arrays })
    }

    /// The arrays.
    pub fn arrays(&self) -> &WeightArrays {
        &self.arrays
    }

    /// Rows (inputs) and columns (outputs).
    pub fn shape(&self) -> (usize, usize) {
        self.arrays.shape
    }

    /// Rows that are in integers.
    pub fn ordinary(&self) -> usize {
        self.arrays.shape.0 - self.arrays.outliers.len()
    }

    /// The ordinary rows' places among all rows, rising.
    pub fn ordinary_rows(&self) -> impl Iterator<Item = usize> + '_ {
        let mut outliers = self.arrays.outliers.iter().copied().peekable();
        (0..self.arrays.shape.0).filter(move |&row| {
            let outlier = outliers.peek() == Some(&(row as u32));
            if outlier {
                outliers.next();
            }
            !outlier
        })
    }

    /// Groups of ordinary rows.
    pub fn groups(&self) -> usize {
        self.ordinary().div_ceil(self.arrays.group)
    }

    /// Bits of all codes and outliers: what a product must read of the weights at least.
    pub fn bits(&self) -> u64 {
        let columns: u64 = self.arrays.widths.iter().map(|&bits| u64::from(bits)).sum();
        columns * self.ordinary() as u64
    }

    /// The weights the codes stand for, row after row: `(code - zero) * scale` in binary32, times the input's factor where there
    /// is one; outliers are what they are.
    pub fn values(&self) -> Vec<f32> {
        let WeightArrays { group, codes, scales, zeros, factors, .. } = &self.arrays;
        let (k, n) = self.arrays.shape;
        let mut values = vec![0.0; k * n];
        for (i, row) in self.ordinary_rows().enumerate() {
            for col in 0..n {
                let at = i / group * n + col;
                let code = i32::from(codes[i * n + col]);
                let zero = zeros.get(at).copied().unwrap_or(0);
                let value = (code - i32::from(zero)) as f32 * scales[at];
                values[row * n + col] = factors.get(row).map_or(value, |factor| value * factor);
            }
        }
        let outliers = self.arrays.outliers.iter().zip(self.arrays.outlier_weights.chunks(n));
        for (&row, weights) in outliers {
            for (value, &weight) in values[row as usize * n..].iter_mut().zip(weights) {
                *value = weight.into();
            }
        }
        values
    }
}

fn check(arrays: &WeightArrays) -> Result<(), QuantError> {
    let (k, n) = arrays.shape;
    let most = u32::MAX as usize;
    if k == 0 || n == 0 || k > most || n > most {
        let right = format!("from 1 x 1 to {most} x {most}");
        return Err(QuantError::setting("the shape of the weights", format!("{k} x {n}"), right));
    }
    if arrays.group == 0 {
        return Err(QuantError::setting("the rows of a group", 0, "at least 1"));
    }
    let rising = arrays.outliers.windows(2).all(|pair| pair[0] < pair[1]);
    if !rising || arrays.outliers.last().is_some_and(|&last| last as usize >= k) {
        let fault =
            if rising { "it names a row that is not there" } else { "its rows do not rise" };
        let right = format!("different rows from 0 to {}, rising", k - 1);
        return Err(QuantError::array("outliers", fault, right));
    }
    let ordinary = k - arrays.outliers.len();
    if ordinary == 0 {
        let right = format!("at most {}: one row at least is ordinary", k - 1);
        return Err(QuantError::array("outliers", format!("it has all {k} rows"), right));
    }
    let groups = ordinary.div_ceil(arrays.group);
    let sizes = |name, found: usize, rows: usize, cols: usize| {
        if rows.checked_mul(cols) == Some(found) {
            return Ok(());
        }
        let fault = format!("its length is {found}");
        Err(QuantError::array(name, fault, format!("{rows} x {cols}")))
    };
    sizes("widths", arrays.widths.len(), 1, n)?;
    sizes("codes", arrays.codes.len(), ordinary, n)?;
    sizes("scales", arrays.scales.len(), groups, n)?;
    if !arrays.zeros.is_empty() {
        sizes("zeros", arrays.zeros.len(), groups, n)?;
    }
    sizes("outlier_weights", arrays.outlier_weights.len(), arrays.outliers.len(), n)?;
    if !arrays.factors.is_empty() {
        sizes("factors", arrays.factors.len(), k, 1)?;
    }
    let widths = arrays.widths.iter().map(|&bits| u32::from(bits));
    if let Some(bits) = widths.clone().find(|bits| !BITS.contains(bits)) {
        let fault = format!("a column has {bits} bits");
        return Err(QuantError::array("widths", fault, "from 2 to 8"));
    }
    let ranges: Vec<(i32, i32)> = widths.map(range).collect();
    for (name, codes) in [("codes", &arrays.codes), ("zeros", &arrays.zeros)] {
        let outside = |(i, &code): (usize, &i8)| {
            let (low, high) = ranges[i % n];
            !(low..=high).contains(&code.into())
        };
        if let Some(at) = codes.iter().enumerate().position(outside) {
            let (low, high) = ranges[at % n];
            let fault = format!("{} in column {} is out of range", codes[at], at % n);
            return Err(QuantError::array(name, fault, format!("from {low} to {high} there")));
        }
    }
    for (name, factors) in [("scales", &arrays.scales), ("factors", &arrays.factors)] {
        if let Some(bad) = factors.iter().find(|f| !f.is_finite() || **f <= 0.0) {
            return Err(QuantError::array(name, format!("{bad} is in it"), "positive and finite"));
        }
    }
    if let Some(bad) = arrays.outlier_weights.iter().find(|w| !w.is_finite()) {
        return Err(QuantError::array("outlier_weights", format!("{bad} is in it"), "finite"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrays() -> WeightArrays {
        WeightArrays {
            method: Method::Outliers,
            shape: (4, 2),
            group: 2,
            widths: vec![4, 8],
            codes: vec![7, -128, -8, 127, 1, 2],
            scales: vec![0.5, 1.0, 2.0, 4.0],
            zeros: vec![1, 0, -1, 2],
            outliers: vec![1],
            outlier_weights: vec![f16::from_f32(9.0), f16::from_f32(-9.0)],
            factors: vec![1.0, 1.0, 2.0, 1.0],
        }
    }

    #[test]
    fn codes_stand_for_weights() {
        let weights = QuantizedWeights::new(arrays()).unwrap();
        let rows: Vec<usize> = weights.ordinary_rows().collect();
        assert_eq!((rows, weights.groups(), weights.bits()), (vec![0, 2, 3], 2, 36));
        assert_eq!(weights.values(), [3.0, -128.0, 9.0, -9.0, -9.0, 254.0, 4.0, 0.0]);
    }

    #[test]
    fn arrays_that_do_not_fit_are_refused() {
        type Change = fn(&mut WeightArrays);
        let changes: [Change; 18] = [
            |a| a.shape = (0, 2),
            |a| a.shape = (1 << 33, 2),
            |a| a.shape = (usize::MAX, usize::MAX),
            |a| a.group = 0,
            |a| a.group = 1,
            |a| a.outliers = vec![4],
            |a| a.outliers = vec![1, 1],
            |a| a.outliers = vec![0, 1, 2, 3],
            |a| a.widths = vec![4],
            |a| a.widths = vec![4, 9],
            |a| a.codes.truncate(5),
            |a| a.codes[2] = 8,
            |a| a.zeros[2] = -9,
            |a| a.zeros.truncate(1),
            |a| a.scales[0] = 0.0,
            |a| a.factors[3] = f32::NAN,
            |a| a.factors.truncate(3),
            |a| a.outlier_weights[1] = f16::INFINITY,
        ];
        let refuse = |change: Change| {
            let mut arrays = arrays();
            change(&mut arrays);
            QuantizedWeights::new(arrays).unwrap_err().to_string()
        };
        insta::assert_snapshot!(changes.map(refuse).join("\n"));
    }
}
