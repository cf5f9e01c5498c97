//! From a sum to what is stored: bias, scale, zero point, activation, residual, cast; always in this order.

use super::requant::{Requant, double_rounding, half_even, quantized_multiplier, single_rounding};
use super::rounding::RoundTo;
use super::scale::fused_nearest;
use mattock_spec::Value;

/// Added to a sum before anything else.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Bias<T> {
    /// Nothing.
    #[default]
    None,
    /// One value per column of D.
    Column(Vec<T>),
    /// One value per row of D.
    Row(Vec<T>),
}

impl<T: Copy> Bias<T> {
    fn at(&self, row: usize, col: usize) -> Option<T> {
        match self {
            Bias::None => None,
            Bias::Column(values) => Some(values[col]),
            Bias::Row(values) => Some(values[row]),
        }
    }
}

/// Factors of a sum.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Scale {
    /// 1.
    #[default]
    None,
    /// One factor.
    Tensor(f32),
    /// One per column of D.
    Column(Vec<f32>),
    /// One per row of D.
    Row(Vec<f32>),
    /// Row factor times column factor, their product rounded to binary32 first (CrossQuant).
    RowColumn(Vec<f32>, Vec<f32>),
}

impl Scale {
    fn at(&self, row: usize, col: usize) -> Option<f32> {
        match self {
            Scale::None => None,
            Scale::Tensor(factor) => Some(*factor),
            Scale::Column(factors) => Some(factors[col]),
            Scale::Row(factors) => Some(factors[row]),
            Scale::RowColumn(rows, cols) => Some(rows[row] * cols[col]),
        }
    }
}

/// A function of one value.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Activation {
    /// The value itself.
    #[default]
    None,
    /// Not below zero (integers: not below the zero point).
    Relu,
    /// Between both limits (integers: after the zero point was added). ReLU6 is `Clamp` with 0 and 6 in the result's units.
    Clamp {
        /// Least result.
        low: f32,
        /// Greatest result.
        high: f32,
    },
    /// Values below zero times `slope`; integers to nearest even around the zero point.
    Leaky {
        /// Factor of negative values.
        slope: f32,
    },
    /// Integers only: saturated to i8, or to u8 where the result has no sign, the value's low 8 bits name one of 256 entries.
    Table(Vec<i16>),
}

/// What happens to a sum on its way to memory. `T` is `i32` for integer tuples and `f32` for the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Epilogue<T> {
    /// Added first. Integers wrap modulo 2^32.
    pub bias: Bias<T>,
    /// Multiplied next.
    pub scale: Scale,
    /// How an integer sum is multiplied; floats multiply in binary32, to nearest even.
    pub requant: Requant,
    /// Added to integers after scaling.
    pub zero_point: i32,
    /// Then this.
    pub activation: Activation,
    /// Added last, one value per element of D, row by row.
    pub residual: Option<Vec<T>>,
}

impl<T> Default for Epilogue<T> {
    fn default() -> Self {
        Epilogue {
            bias: Bias::None,
            scale: Scale::None,
            requant: Requant::HalfEven,
            zero_point: 0,
            activation: Activation::None,
            residual: None,
        }
    }
}

impl<T: PartialEq> Epilogue<T> {
    /// Nothing happens between the sum and its one rounding.
    pub fn is_identity(&self) -> bool {
        *self == Epilogue::default()
    }
}

impl Epilogue<i32> {
    /// Element (`row`, `col`) of an N-column D as a code of `to.format`: saturates when `to` does, else wraps.
    pub fn apply(&self, sum: i32, (row, col, cols): (usize, usize, usize), to: &RoundTo) -> u32 {
        let biased = sum.wrapping_add(self.bias.at(row, col).unwrap_or(0));
        let scaled = match self.scale.at(row, col) {
            None => biased,
            Some(factor) => match self.requant {
                Requant::HalfEven => half_even(biased, factor),
                Requant::DoubleRounding | Requant::SingleRounding => {
                    let (multiplier, shift) = quantized_multiplier(factor.into());
                    let by = if self.requant == Requant::DoubleRounding {
                        double_rounding
                    } else {
                        single_rounding
                    };
                    by(biased, multiplier, shift)
                }
            },
        };
        let zero = i64::from(self.zero_point);
        let x = i64::from(scaled) + zero;
        let activated = match &self.activation {
            Activation::None => x,
            Activation::Table(entries) => {
                let (least, most) = if to.format.is_signed() { (-128, 127) } else { (0, 255) };
                entries[(x.clamp(least, most) & 0xff) as usize].into()
            }
            Activation::Relu => x.max(zero),
            Activation::Clamp { low, high } => x.max(low.ceil() as i64).min(high.floor() as i64),
            Activation::Leaky { .. } if x >= zero => x,
            Activation::Leaky { slope } => zero + i64::from(half_even(scaled, *slope)),
        };
        let residual = self.residual.as_ref().map_or(0, |r| i64::from(r[row * cols + col]));
        to.format.encode(Value::Int(activated + residual), to.rounding, to.saturate)
    }
}

impl Epilogue<f32> {
    /// Element (`row`, `col`) of an N-column D; every step in binary32 to nearest even, the last one rounds as `to` says.
    pub fn apply(&self, sum: f32, (row, col, cols): (usize, usize, usize), to: &RoundTo) -> u32 {
        let mut x = sum;
        if let Some(bias) = self.bias.at(row, col) {
            x = fused_nearest(1.0, x, bias);
        }
        if let Some(factor) = self.scale.at(row, col) {
            x *= factor;
        }
        x = match self.activation {
            Activation::None => x,
            Activation::Relu if x < 0.0 => 0.0,
            Activation::Relu => x,
            // A NaN passes: neither comparison holds.
            Activation::Clamp { low, .. } if x < low => low,
            Activation::Clamp { high, .. } if x > high => high,
            Activation::Clamp { .. } => x,
            Activation::Leaky { slope } if x < 0.0 => x * slope,
            Activation::Leaky { .. } | Activation::Table(_) => x,
        };
        if let Some(residual) = &self.residual {
            x = fused_nearest(1.0, x, residual[row * cols + col]);
        }
        to.round(x.into())
    }
}
